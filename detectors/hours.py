"""The hours of the week: what is usual at this time."""

import math
from array import array
from collections.abc import Sequence

HOUR, HOURS = 3600.0, 168
# The weight of a week is one in so many.
_WEEKS = 4
_UNSEEN = math.nan
# A habit stands out so far, on the scale of levels, above what comes before it and after it, within so many hours.
_OUT, _AROUND = math.log(3.0), (2, 3, 4)
# What exp() can hold, on the logarithmic scale of the levels.
_LARGEST = 709.0


class HoursOfWeek:
    """The usual level of each hour of the week (UTC), an exponentially weighted mean over the weeks.

    An hour that was never seen is taken from the same hour of the days that were, so that it is of use after one day.
    There is one a series, so it takes 672 bytes: half of what `SeasonMeans`, which knows any period, would.

    >>> hours = HoursOfWeek()
    >>> hours.learn_one(0.0, 100.0), hours.learn_one(HOUR, 300.0)
    (None, None)
    >>> round(hours.expected(0.5 * HOUR)), hours.expected(20 * HOUR)
    (100, None)
    """

    __slots__ = ("_levels",)

    def __init__(self) -> None:
        self._levels = array("f", [_UNSEEN]) * HOURS

    def learn_one(self, start: float, value: float) -> None:
        """Learn the `value` (0 or more) of the hour that begins at `start` (epoch seconds)."""
        if not 0 <= value < math.inf:
            raise ValueError(f"a level must be a finite number of 0 or more, not {value}")
        hour = math.floor(_hours(start)) % HOURS
        known, new = self._levels[hour], min(math.log1p(value), _LARGEST)
        self._levels[hour] = new if math.isnan(known) else known + (new - known) / _WEEKS

    def expected(self, at: float) -> float | None:
        """Give what an hour is usually like around `at` (epoch seconds), between the middles of two; None if unseen."""
        place = _hours(at) - 0.5
        hour = math.floor(place)
        before, after = self._usual(hour), self._usual(hour + 1)
        if before is None or after is None:
            here = self._usual(math.floor(_hours(at)))
            return None if here is None else math.expm1(here)
        share = place - hour
        return math.expm1(before * (1 - share) + after * share)

    def after(self, start: float, value: float) -> "HoursOfWeek":
        """Give what would be known after one more hour."""
        later = HoursOfWeek()
        later.restore(self.snapshot())
        later.learn_one(start, value)
        return later

    def habit(self, at: float) -> float:
        """Give what comes at this hour as a habit, between quieter hours: a batch of each night, or of each Monday.

        It is what came on two days, or on this day of earlier weeks, at this hour or beside it. 0 where there is none,
        and where the hours before or after are as lively: that is the day.
        """
        hour = math.floor(_hours(at))
        # An hour of today that is over says nothing of a habit.
        earlier = self._most(hour, (0, 1))
        days = sorted(self._most(hour + 24 * day, (-1, 0, 1)) for day in range(1, 7))
        level = max(earlier, days[-2])
        beside = min(max(self._usual(hour - far) or 0.0, self._usual(hour + far) or 0.0) for far in _AROUND)
        return math.expm1(level) if level > beside + _OUT else 0.0

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        return self._levels.tobytes()

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        self._levels = array("f", snapshot)

    def _most(self, hour: int, beside: Sequence[int]) -> float:
        levels = (self._levels[(hour + far) % HOURS] for far in beside)
        return max((level for level in levels if not math.isnan(level)), default=0.0)

    def _usual(self, hour: int) -> float | None:
        known = self._levels[hour % HOURS]
        if not math.isnan(known):
            return known
        others = [level for level in self._levels[hour % 24 :: 24] if not math.isnan(level)]
        return sum(others) / len(others) if others else None


def _hours(at: float) -> float:
    if not math.isfinite(at):
        raise ValueError(f"a time must be a finite number of seconds, not {at}")
    return at / HOUR
