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


def nights(levels: dict[int, float], at: int = 2, quiet: float = 10.0) -> HoursOfWeek:
    """A week from a Thursday's midnight on, quiet but for the hour `at` of some days, of which a level is given."""
    days = max(levels) + 1
    return learned(0.0, [levels.get(hour // 24, quiet) if hour % 24 == at else quiet for hour in range(24 * days)])


def test_what_came_at_an_hour_of_two_days_is_a_habit_and_what_came_once_is_none() -> None:
    third = 2 * DAY + 2 * HOUR + 60
    assert nights({0: 900.0, 1: 700.0}).habit(third) == close(700.0)
    assert nights({1: 700.0}).habit(third) == 0.0


def test_what_came_at_this_hour_of_another_week_is_a_habit() -> None:
    week = learned(0.0, [800.0 if hour == 2 else 10.0 for hour in range(HOURS)])
    assert week.habit(WEEK + 2 * HOUR) == close(800.0)
    assert week.habit(WEEK + DAY + 2 * HOUR) == 0.0


@pytest.mark.parametrize(("hour", "is_one"), [(1, True), (2, True), (3, True), (0, False), (4, False)])
def test_a_habit_may_be_an_hour_early_or_late(hour: int, is_one: bool) -> None:
    assert (nights({0: 900.0, 1: 900.0}).habit(2 * DAY + hour * HOUR) > 0) == is_one


def test_a_day_that_begins_each_morning_is_no_habit() -> None:
    day = [10.0] * 9 + [600.0] * 8 + [10.0] * 7
    hours = learned(0.0, day * 3)
    assert [hours.habit(3 * DAY + hour * HOUR) for hour in range(24)] == [0.0] * 24


def test_the_hour_before_it_says_nothing_of_a_habit_on_its_own_day() -> None:
    hours = nights({0: 900.0, 1: 10.0})
    hours.learn_one(2 * DAY + HOUR, 900.0)
    assert hours.habit(2 * DAY + 2 * HOUR) == 0.0


def test_one_hour_more_is_known_after_it_and_not_before() -> None:
    hours = nights({0: 900.0, 1: 10.0})
    assert hours.after(DAY + 2 * HOUR, 900.0).habit(2 * DAY + 2 * HOUR) > 0.0
    assert hours.habit(2 * DAY + 2 * HOUR) == 0.0
