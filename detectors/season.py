"""The usual value at a time of the day or of the week, learned online."""

import math
from struct import Struct

import msgspec


class Period(msgspec.Struct, frozen=True):
    """A season: its length in seconds, the slots that it is cut into, and the weight of a slot's newest value."""

    seconds: float
    slots: int
    rate: float


class SeasonMeans:
    """One exponentially weighted mean a slot of the period; a plain mean while a slot is young.

    >>> means = SeasonMeans(Period(seconds=86400, slots=24, rate=0.1))
    >>> [means.learn_one(at, value) for at, value in ((0, 4.0), (60, 6.0), (86400, 8.0))]
    [nan, 4.0, 5.0]
    """

    __slots__ = ("_counts", "_means", "_rate", "_seconds", "_settled", "_slots", "_width")

    def __init__(self, period: Period) -> None:
        self._seconds, self._slots, self._rate = period.seconds, period.slots, period.rate
        self._width = period.seconds / period.slots
        self._means = [0.0] * period.slots
        self._counts = bytearray(period.slots)
        self._settled = min(255, math.ceil(1 / period.rate))

    def learn_one(self, at: float, value: float) -> float:
        """Learn `value` at `at` (seconds); gives the mean that its slot had before, NaN where it had none."""
        # A remainder just below the period can be rounded up to it: slot 0 is as near as the last.
        slot = int(at % self._seconds / self._width) % self._slots
        count, mean, rate = self._counts[slot], self._means[slot], self._rate
        if count < self._settled:
            self._counts[slot] = count + 1
            rate = max(rate, 1 / (count + 1))
        self._means[slot] = mean + rate * (value - mean)
        return mean if count else math.nan

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        return bytes(self._counts) + Struct(f"<{len(self._means)}d").pack(*self._means)

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        self._counts = bytearray(snapshot[: self._slots])
        self._means = list(Struct(f"<{self._slots}d").unpack_from(snapshot, self._slots))
