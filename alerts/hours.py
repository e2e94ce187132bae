"""Hours of the week in a time zone: when people are at work, or want to sleep."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

_DAY = 24 * 60


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """From `start` to `end` (minutes after midnight) on `days` (0 is Monday), as clocks in `zone` show it.

    Where `end` is not after `start`, it lies on the next day.

    >>> office = Hours(name="office", zone="Europe/Berlin", days=(0, 1, 2, 3, 4), start=8 * 60, end=18 * 60)
    >>> office.holds(datetime(2026, 11, 23, 7, 30, tzinfo=UTC).timestamp())
    True
    >>> office.holds(datetime(2026, 11, 23, 6, 30, tzinfo=UTC).timestamp())
    False
    """

    name: str
    zone: str = "UTC"
    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    start: int = 0
    end: int = _DAY

    def holds(self, now: float) -> bool:
        """Tell whether `now` (epoch seconds) lies within."""
        local = datetime.fromtimestamp(now, ZoneInfo(self.zone))
        minute, today = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        return (today in self.days and minute >= self.start) or ((today - 1) % 7 in self.days and minute < self.end)

    def next_change(self, now: float) -> float:
        """Give when (epoch seconds, after `now`) they begin or end next; infinity where they never do."""
        within, today = self.holds(now), datetime.fromtimestamp(now, ZoneInfo(self.zone)).date()
        edges = sorted(at for day in range(9) for at in self._edges(today + timedelta(days=day)))
        return next((edge for edge in edges if edge > now and self.holds(edge) != within), float("inf"))

    def _edges(self, day: date) -> Iterator[float]:
        """Give when they may begin or end on a day; clocks are put forward and back at a quarter of an hour."""
        midnight = datetime.combine(day, time(), ZoneInfo(self.zone))
        is_changed = midnight.utcoffset() != (midnight + timedelta(days=1)).utcoffset()
        for minute in {0, self.start, self.end % _DAY, *(range(0, _DAY, 15) if is_changed else ())}:
            clock = midnight.replace(hour=minute // 60, minute=minute % 60)
            # What clocks show twice comes twice.
            yield from (clock.replace(fold=fold).astimezone(UTC).timestamp() for fold in (0, 1))
