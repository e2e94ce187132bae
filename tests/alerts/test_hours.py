"""Hours of the week as clocks show them, also over midnight and when the clocks change."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from alerts.hours import Hours

OFFICE = Hours(name="office", zone="Europe/Berlin", days=(0, 1, 2, 3, 4), start=8 * 60, end=18 * 60)
NIGHT = Hours(name="night", zone="America/New_York", days=(4,), start=22 * 60, end=6 * 60)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_the_clock_of_the_zone_counts_in_summer_and_winter() -> None:
    assert [OFFICE.holds(at(f"2026-11-23T{clock}")) for clock in ("06:59", "07:00", "16:59", "17:00")] == [0, 1, 1, 0]
    assert [OFFICE.holds(at(f"2026-07-06T{clock}")) for clock in ("05:59", "06:00", "15:59", "16:00")] == [0, 1, 1, 0]


def test_on_other_days_they_do_not_hold() -> None:
    assert not OFFICE.holds(at("2026-11-22T10:00"))


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    """Friday night in New York is Saturday in UTC."""
    held = [
        NIGHT.holds(at(f"2026-11-{clock}")) for clock in ("21T02:59", "21T03:00", "21T10:59", "21T11:00", "22T04:00")
    ]
    assert held == [False, True, True, False, False]


def test_the_next_change_of_office_hours_is_monday_morning() -> None:
    assert OFFICE.next_change(at("2026-11-20T17:00")) == at("2026-11-23T07:00")
    assert OFFICE.next_change(at("2026-11-23T07:00")) == at("2026-11-23T17:00")


def test_what_ends_in_the_hour_that_comes_twice_does_so_twice() -> None:
    """Clocks in Berlin go back from three to two on 25 October 2026, at one o'clock UTC."""
    quiet = Hours(name="quiet", zone="Europe/Berlin", start=22 * 60, end=2 * 60 + 30)
    changes = ["2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:30", "2026-10-25T21:00"]
    assert [quiet.next_change(at(moment)) for moment in ("2026-10-24T21:00", *changes[:-1])] == [*map(at, changes)]


@given(
    st.integers(0, 95).map(lambda quarter: quarter * 15),
    st.integers(1, 96).map(lambda quarter: quarter * 15),
    st.sampled_from(
        [
            ("Europe/Berlin", "2026-10-25T01:00"),
            ("Europe/Berlin", "2026-03-29T01:00"),
            ("America/New_York", "2026-11-01T06:00"),
            ("Australia/Lord_Howe", "2026-04-04T15:00"),
        ]
    ),
    st.integers(-8, 8),
)
def test_around_a_change_of_the_clocks_the_next_change_is_the_first(
    start: int, end: int, place: tuple[str, str], quarter: int
) -> None:
    zone, changed = place
    hours = Hours(name="any", zone=zone, start=start, end=end)
    now = at(changed) + quarter * 900
    quarters = (now + number * 900 for number in range(1, 4 * 24 * 3))
    first = next((moment for moment in quarters if hours.holds(moment) != hours.holds(now)), float("inf"))
    assert hours.next_change(now) == first


def test_hours_of_the_whole_week_never_change() -> None:
    assert Hours(name="always").next_change(at("2026-11-20T17:00")) == float("inf")


@given(
    st.sets(st.integers(0, 6), min_size=1).map(tuple),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.sampled_from(["UTC", "Asia/Kolkata", "Pacific/Auckland"]),
    st.integers(0, 60 * 24 * 20),
)
def test_until_the_next_change_nothing_changes(
    days: tuple[int, ...], start: int, end: int, zone: str, minute: int
) -> None:
    """In weeks in which the clocks do not change."""
    hours = Hours(name="any", zone=zone, days=days, start=start, end=end)
    now = at("2026-06-01T00:00") + minute * 60
    change = hours.next_change(now)
    last = min(change, now + 9 * 86_400)
    checked = [now + (last - now) * part / 200 for part in range(200)]
    assert {hours.holds(moment) for moment in checked} == {hours.holds(now)}
    assert change == float("inf") or hours.holds(change) != hours.holds(now)
