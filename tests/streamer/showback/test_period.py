"""Days and weeks are those of the people who are told, with 23 and 25 hours too."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.showback import Span
from streamer.showback.period import Period, due

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland"]).map(
    ZoneInfo
)
SPANS: list[Span] = ["day", "week"]


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-11-22T06:59:59", date(2026, 11, 20)),
        ("2026-11-22T07:00:00", date(2026, 11, 21)),
        ("2026-11-22T23:30:00", date(2026, 11, 21)),
        ("2026-11-23T06:59:00", date(2026, 11, 21)),
    ],
)
def test_a_day_is_told_of_from_the_set_time_on(now: str, day: date) -> None:
    """Eight o'clock in Berlin is seven in UTC."""
    assert due("day", time(8), BERLIN, at(now)).start.date() == day


@pytest.mark.parametrize(("now", "monday"), [("2026-11-23T07:59:00", 9), ("2026-11-23T08:00:00", 16)])
def test_a_week_is_told_of_on_monday(now: str, monday: int) -> None:
    assert due("week", time(8), ZoneInfo("UTC"), at(now)).start.date() == date(2026, 11, monday)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 11, 1), 24)])
def test_a_day_has_as_many_hours_as_it_has(day: date, hours: int) -> None:
    period = Period.holding("day", day, BERLIN)
    assert (period.end.astimezone(UTC) - period.start.astimezone(UTC)) == timedelta(hours=hours)


@given(st.sampled_from(SPANS), st.dates(date(2000, 1, 1), date(2100, 1, 1)), ZONES)
def test_periods_touch_and_never_overlap(span: Span, day: date, zone: ZoneInfo) -> None:
    period = Period.holding(span, day, zone)
    assert period.start.date() <= day < period.end.date()
    assert period.before().end == period.start
    assert period.before().before().end == period.before().start


@given(st.sampled_from(SPANS), st.times(), ZONES, st.integers(1_700_000_000, 1_900_000_000))
def test_what_is_due_is_over_and_the_newest_such(span: Span, send_at: time, zone: ZoneInfo, now: int) -> None:
    period = due(span, send_at, zone, now)
    assert period.end.timestamp() <= now
    following = Period.holding(span, period.end.date(), zone)
    assert now < following.end.timestamp() + 86_400
