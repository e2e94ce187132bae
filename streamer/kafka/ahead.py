"""Which records behind a partition's position the state has already: those of owners that were written down since."""

from collections.abc import Iterable

_BYTE = 8


class Ahead:
    """One bit a record, from the position on. Pure.

    >>> ahead = Ahead(1000)
    >>> ahead.add([1001, 1003])
    >>> [offset for offset in range(1000, 1005) if ahead.holds(offset)]
    [1001, 1003]
    >>> ahead.move(1002)
    >>> Ahead(1002, ahead.written()).holds(1003)
    True
    """

    def __init__(self, position: int, written: bytes = b"") -> None:
        """Begin with what `written` gave when the position was `position`."""
        self._position, self._first = position, position // _BYTE * _BYTE
        self._bits = bytearray(written)

    @property
    def end(self) -> int:
        """The offset from which on no record is held."""
        return self._first + len(self._bits) * _BYTE

    def holds(self, offset: int) -> bool:
        """Tell whether the state has the record at an offset at or behind the position."""
        place, bit = divmod(offset - self._first, _BYTE)
        return 0 <= place < len(self._bits) and bool(self._bits[place] >> bit & 1)

    def add(self, offsets: Iterable[int]) -> None:
        """Take note that the state has these; what lies before the position it has anyway."""
        first, bits = self._first, self._bits
        for offset in offsets:
            if offset < self._position:
                continue
            place, bit = divmod(offset - first, _BYTE)
            if place >= len(bits):
                bits.extend(bytes(place + 1 - len(bits)))
            bits[place] |= 1 << bit

    def move(self, position: int) -> None:
        """Let the position go on: the state has all before it."""
        first = position // _BYTE * _BYTE
        del self._bits[: max(0, first - self._first) // _BYTE]
        self._position, self._first = position, first

    def written(self) -> bytes:
        """Write down what is held, to be kept with the position."""
        return bytes(self._bits)
