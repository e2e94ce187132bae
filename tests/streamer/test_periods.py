"""Months and quarters follow each other without a gap, in UTC."""

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.periods import PeriodName, bounds, title


@given(st.floats(0, 7e9), st.sampled_from(get_args(PeriodName)))
def test_a_moment_lies_in_its_period_and_the_next_begins_where_it_ends(at: float, period: PeriodName) -> None:
    start, end = bounds(period, at)
    assert start <= at + 1e-6
    assert at - 1e-6 < end
    assert bounds(period, start) == (start, end)
    assert bounds(period, end)[0] == end
    assert start % 300 == end % 300 == 0


@pytest.mark.parametrize(
    ("period", "day", "start", "end", "name"),
    [
        ("month", (2026, 12, 31), (2026, 12, 1), (2027, 1, 1), "December"),
        ("month", (2028, 2, 29), (2028, 2, 1), (2028, 3, 1), "February"),
        ("quarter", (2026, 1, 1), (2026, 1, 1), (2026, 4, 1), "Q1"),
        ("quarter", (2026, 11, 22), (2026, 10, 1), (2027, 1, 1), "Q4"),
    ],
)
def test_periods_are_the_calendars(
    period: PeriodName, day: tuple[int, int, int], start: tuple[int, int, int], end: tuple[int, int, int], name: str
) -> None:
    found = bounds(period, datetime(*day, 12, tzinfo=UTC).timestamp())
    assert [datetime.fromtimestamp(at, UTC) for at in found] == [datetime(*at, tzinfo=UTC) for at in (start, end)]
    assert title(period, found[0]) == name
