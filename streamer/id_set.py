"""A set of hashes, in a fifth of the memory that Python's own takes: docs/decisions/0046."""

from typing import Final

from librt.vecs import vec
from mypy_extensions import i64, mypyc_attr

# Places of the smallest table; all have a power of two.
_LEAST: Final = 8


@mypyc_attr(acyclic=True)
class IdSet:
    """Hashes, as signed numbers of 64 bits: open addressing with linear probing (Knuth, vol. 3, 6.4, algorithms L, R).

    12 to 24 bytes a hash. 0 marks an empty place, so it is taken for 1. Numbers that are not evenly spread would make
    it slow.

    >>> known = IdSet()
    >>> known.add(-(2**63)), known.add(-(2**63)), known.add(5), len(known)
    (True, False, True, 2)
    >>> known.discard(5), 5 in known, -(2**63) in known
    (None, False, True)
    """

    __slots__ = ("_mask", "_size", "_table")

    def __init__(self) -> None:
        self._table = vec[i64]([0] * _LEAST)
        self._mask: i64 = _LEAST - 1
        self._size: i64 = 0

    def __len__(self) -> int:
        return int(self._size)

    def __contains__(self, key: i64) -> bool:
        return self._table[self._place(key)] != 0

    def add(self, key: i64) -> bool:
        """Put a hash in; False if it was there already."""
        place = self._place(key)
        if self._table[place] != 0:
            return False
        self._table[place] = key if key != 0 else 1
        self._size += 1
        if 3 * self._size > 2 * self._mask:
            self._move(2 * (self._mask + 1))
        return True

    def discard(self, key: i64) -> None:
        """Take a hash out, if it is there."""
        place = self._place(key)
        if self._table[place] == 0:
            return
        self._close(place)
        self._size -= 1
        if self._mask >= _LEAST and 8 * self._size < self._mask:
            self._move((self._mask + 1) // 2)

    def _place(self, key: i64) -> i64:
        """Find where a key is, or the empty place where it would go."""
        table, mask = self._table, self._mask
        if key == 0:
            key = 1
        place = key & mask
        held = table[place]
        while held != 0 and held != key:  # noqa: PLR1714 - a tuple would be made to look into
            place = (place + 1) & mask
            held = table[place]
        return place

    def _close(self, hole: i64) -> None:
        """Empty a place, and move up those behind it who would not be found across it."""
        table, mask = self._table, self._mask
        place = (hole + 1) & mask
        while (key := table[place]) != 0:
            # How far a key lies behind the place that it would like best.
            if (place - key) & mask >= (place - hole) & mask:
                table[hole] = key
                hole = place
            place = (place + 1) & mask
        table[hole] = 0

    def _move(self, size: i64) -> None:
        """Move to a table of another size."""
        old = self._table
        self._table, self._mask = vec[i64]([0] * size), size - 1
        for key in old:
            if key != 0:
                self._table[self._place(key)] = key
