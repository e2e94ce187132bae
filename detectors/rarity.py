"""How seldom a detector has been as surprised as it is now: its own history as the measure."""

import math
from collections import deque
from struct import Struct

_BINS = 64
_STATE = Struct(f"<QQ{_BINS + 1}I")
_RISE = Struct("<Qd")
_EVEN = 50.0


class Rarity:
    """Scores surprises (0 to 1) from 0 to 1: holds back what goes on, and damps what has come often.

    A surprise counts only where it is more than `gain` times as strong as each of the last `hold` rows. What counts
    is weighed by the root of its return period: the rows seen for each surprise that was as strong. So a series that
    surprises often needs more to reach the same score than a calm one, and one threshold serves both. A full
    surprise that comes every 50 rows scores 0.5. Beyond `memory` rows all counts are halved, so that the old fade.
    """

    __slots__ = ("_counts", "_gain", "_hold", "_memory", "_rises", "_row", "_rows")

    def __init__(self, hold: int, gain: float, memory: int) -> None:
        self._hold, self._gain, self._memory = hold, gain, memory
        self._row = self._rows = 0
        self._rises: deque[tuple[int, float]] = deque()
        self._counts = [0] * (_BINS + 1)

    def pass_row(self) -> None:
        """Count one more row, of which nothing is known yet."""
        self._row += 1
        self._rows += 1
        if self._rows > self._memory:
            self._rows //= 2
            self._counts = [count // 2 for count in self._counts]

    def score_rise(self, surprise: float) -> float:
        """Score the surprise of the newest row, which is one that rose, and learn it."""
        if self._held_back(surprise):
            return 0.0
        level = int(surprise * _BINS)
        self._counts[level] += 1
        weight = surprise * math.sqrt(self._rows / sum(self._counts[level:]) / _EVEN)
        return weight / (1 + weight)

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        return _STATE.pack(self._row, self._rows, *self._counts) + b"".join(_RISE.pack(*rise) for rise in self._rises)

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        self._row, self._rows, *self._counts = _STATE.unpack_from(snapshot)
        self._rises = deque(_RISE.iter_unpack(snapshot[_STATE.size :]))

    def _held_back(self, surprise: float) -> bool:
        # The rises of the last rows that no later one has reached: strongest first.
        rises, oldest = self._rises, self._row - self._hold
        while rises and rises[0][0] < oldest:
            rises.popleft()
        held_back = bool(rises) and surprise <= self._gain * rises[0][1]
        while rises and rises[-1][1] <= surprise:
            rises.pop()
        rises.append((self._row, surprise))
        return held_back
