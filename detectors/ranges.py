"""The range of the recent past, for several numbers side by side, in bounded memory."""

import math
from collections.abc import Sequence
from itertools import chain
from operator import ge, le
from struct import Struct
from typing import NamedTuple

_HEAD = Struct("<QQ")
_FIRST_LENGTH, _RECENT_SHARE = 16, 0.4


class Record(NamedTuple):
    """A number outside the recent range: which, how far outside, and how wide the whole memory is."""

    place: int
    excess: float
    width: float


class Range(NamedTuple):
    """The lowest and the highest of each number."""

    lows: list[float]
    highs: list[float]


class RecentRanges:
    """Tells of each of `width` numbers whether it lies outside the range of the newer part of its history.

    The history is cut into fewer than `blocks` (an even number) blocks of equal length, of which the extremes are
    kept. When there are that many, neighbours are merged and the length doubles, until that would need more than
    `memory` rows; from then on the oldest block is dropped. The newer part is the newest two fifths of the blocks;
    within the unfinished block a number is told of only when it goes further than those before it. As the newer part
    grows with the history, records by chance become rarer as 1 / rows, whatever the distribution (Renyi, 1962): the
    same in every series, which a number of deviations is not.
    """

    __slots__ = ("_blocks", "_filled", "_length", "_memory", "_most", "_newest", "_recent", "_width")

    def __init__(self, width: int, blocks: int, memory: int) -> None:
        self._width, self._most, self._memory = width, blocks, memory
        self._length, self._filled = _FIRST_LENGTH, 0
        self._blocks: list[Range] = []
        self._newest, self._recent = self._over([]), self._over([])

    def learn_one(self, numbers: list[float]) -> list[Record]:
        """Take the next row in; gives the numbers that lie outside. A NaN is a number that is not known yet."""
        newest = self._newest
        # Nearly every row: two comparisons in C, where a loop takes five times as long.
        inside = all(map(le, newest.lows, numbers)) and all(map(ge, newest.highs, numbers))
        found = [] if inside else self._extend(numbers)
        self._filled += 1
        if self._filled == self._length:
            self._close()
        return found

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        rows = chain.from_iterable([*self._blocks, self._newest])
        return _HEAD.pack(self._length, self._filled) + b"".join(self._row.pack(*row) for row in rows)

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        self._length, self._filled = _HEAD.unpack_from(snapshot)
        rows = [list(row) for row in self._row.iter_unpack(snapshot[_HEAD.size :])]
        *self._blocks, self._newest = (Range(*pair) for pair in zip(rows[::2], rows[1::2], strict=True))
        self._recent = self._over(self._newer())

    @property
    def _row(self) -> Struct:
        return Struct(f"<{self._width}d")

    def _extend(self, numbers: list[float]) -> list[Record]:
        lows, highs = self._newest
        found = []
        for place, number in enumerate(numbers):
            if number < lows[place]:
                lows[place] = number
                if number < (low := self._recent.lows[place]):
                    found.append(Record(place, low - number, self._breadth(place)))
            if number > highs[place]:
                highs[place] = number
                if number > (high := self._recent.highs[place]):
                    found.append(Record(place, number - high, self._breadth(place)))
        return found

    def _breadth(self, index: int) -> float:
        held = [*self._blocks, self._newest]
        return max(block.highs[index] for block in held) - min(block.lows[index] for block in held)

    def _close(self) -> None:
        self._blocks.append(self._newest)
        if len(self._blocks) == self._most:
            self._make_room()
        self._newest, self._filled = self._over([]), 0
        self._recent = self._over(self._newer())

    def _make_room(self) -> None:
        if 2 * self._length * self._most > self._memory:
            del self._blocks[0]
            return
        blocks = self._blocks
        self._blocks = [self._over(pair) for pair in zip(blocks[::2], blocks[1::2], strict=True)]
        self._length *= 2

    def _newer(self) -> list[Range]:
        return self._blocks[len(self._blocks) - math.ceil(len(self._blocks) * _RECENT_SHARE) :]

    def _over(self, blocks: Sequence[Range]) -> Range:
        if not blocks:
            return Range([math.inf] * self._width, [-math.inf] * self._width)
        lows, highs = zip(*blocks, strict=True)
        return Range([min(column) for column in zip(*lows, strict=True)], [max(c) for c in zip(*highs, strict=True)])
