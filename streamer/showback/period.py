"""Days and weeks in somebody's own time zone."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alerts.showback import Span

_DAYS: dict[Span, int] = {"day": 1, "week": 7}


class Period(NamedTuple):
    """From `start` to before `end`, both aware; a day of 23 or 25 hours is one day."""

    span: Span
    start: datetime
    end: datetime

    def words(self) -> str:
        """Say when it is.

        >>> Period.holding("day", date(2026, 11, 21), ZoneInfo("Europe/Berlin")).words()
        'on Saturday, 21 November'
        >>> Period.holding("week", date(2026, 11, 21), ZoneInfo("UTC")).words()
        'in the week of 16 to 22 November'
        """
        last = self.end - timedelta(days=1)
        if self.span == "day":
            return f"on {self.start:%A}, {self.start.day} {self.start:%B}"
        month = "" if self.start.month == last.month else f" {self.start:%B}"
        return f"in the week of {self.start.day}{month} to {last.day} {last:%B}"

    def dates(self) -> str:
        """Name its days, the first and the last."""
        first, last = self.start.date(), self.end.date() - timedelta(days=1)
        return f"{first}" if first == last else f"{first} to {last}"

    def before(self) -> "Period":
        """Give the period before."""
        zone = self.start.tzinfo
        assert isinstance(zone, ZoneInfo)  # noqa: S101 - as `holding` made it
        return Period.holding(self.span, self.start.date() - timedelta(days=1), zone)

    @classmethod
    def holding(cls, span: Span, day: date, zone: ZoneInfo) -> "Period":
        """Give the day, or the week from Monday on, that holds `day`."""
        first = day - timedelta(days=day.weekday()) if span == "week" else day
        last = first + timedelta(days=_DAYS[span])
        return cls(span, _midnight(first, zone), _midnight(last, zone))


def due(span: Span, at: time, zone: ZoneInfo, now: float) -> Period:
    """Give the newest whole period of which is to be told by `now` (epoch seconds): it ended, and `at` has passed."""
    local = datetime.fromtimestamp(now, UTC).astimezone(zone)
    day = local.date() if local.time() >= at else local.date() - timedelta(days=1)
    return Period.holding(span, day, zone).before()


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)
