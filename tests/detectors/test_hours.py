"""What an hour of the week is usually like, from the first day on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import HoursOfWeek
from detectors.hours import HOUR, HOURS

DAY, WEEK = 24 * HOUR, HOURS * HOUR
LEVELS = st.floats(0, 1e12)
STARTS = st.integers(0, 10**6).map(lambda hour: hour * HOUR)


def learned(start: float, levels: list[float]) -> HoursOfWeek:
    hours = HoursOfWeek()
    for hour, level in enumerate(levels):
        hours.learn_one(start + hour * HOUR, level)
    return hours


def close(level: float) -> object:
    """Levels are kept as short floats on a logarithmic scale."""
    return pytest.approx(level, rel=1e-4, abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(STARTS, st.lists(LEVELS, min_size=24, max_size=24), st.integers(0, 23), st.integers(1, 20))
def test_after_a_day_the_same_hour_of_any_day_is_expected(start: float, day: list[float], hour: int, days: int) -> None:
    hours = learned(start, day)
    middle = start + hour * HOUR + HOUR / 2
    assert hours.expected(middle + days * DAY) == close(day[hour])
    assert hours.expected(middle) == close(day[hour])


@settings(max_examples=60, deadline=None)
@given(STARTS, st.lists(LEVELS, min_size=HOURS, max_size=HOURS), st.integers(0, HOURS - 1), st.integers(0, 50))
def test_after_a_week_each_of_its_hours_is_known(start: float, week: list[float], hour: int, weeks: int) -> None:
    hours = learned(start, week)
    assert hours.expected(start + hour * HOUR + HOUR / 2 + weeks * WEEK) == close(week[hour])


@settings(max_examples=60, deadline=None)
@given(STARTS, st.lists(LEVELS, min_size=24, max_size=24), st.floats(0, 1))
def test_between_the_middles_of_two_hours_it_lies_between_their_levels(
    start: float, day: list[float], share: float
) -> None:
    found = learned(start, day).expected(start + (3.5 + share) * HOUR)
    assert found is not None
    low, high = sorted(day[3:5])
    assert low * (1 - 1e-4) - 1e-4 <= found <= high * (1 + 1e-4) + 1e-4


@settings(max_examples=40, deadline=None)
@given(STARTS, st.lists(LEVELS, min_size=1, max_size=10))
def test_nothing_is_said_of_hours_of_which_nothing_was_seen(start: float, levels: list[float]) -> None:
    hours = learned(start, levels)
    assert HoursOfWeek().expected(start) is None
    assert hours.expected(start + 15.5 * HOUR) is None


@settings(max_examples=40, deadline=None)
@given(STARTS, LEVELS, LEVELS)
def test_a_lasting_change_is_followed_within_weeks_and_one_week_moves_it_by_a_part(
    start: float, before: float, after: float
) -> None:
    hours = learned(start, [before] * HOURS)
    hours.learn_one(start, after)
    low, high = sorted((before, after))
    moved = hours.expected(start + HOUR / 2)
    assert moved is not None
    assert low * (1 - 1e-4) - 1e-4 <= moved <= high * (1 + 1e-4) + 1e-4
    for week in range(80):
        hours.learn_one(start + week * WEEK, after)
    assert hours.expected(start + HOUR / 2) == pytest.approx(after, rel=1e-3, abs=1e-3)
    # The next hour's is still the old one.
    assert hours.expected(start + 1.5 * HOUR) == close(before)
