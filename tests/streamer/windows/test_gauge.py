"""A gauge says that a ceiling is passed at the very event that passes it, and as long as what passed it grows."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.windows.entity import TENANT
from streamer.windows.gauge import NO_CEILINGS, Ceilings, Gauge, ceiling_of
from streamer.windows.totals import METRICS

# What one event brings, in the order of METRICS; dollars may be a credit.
BROUGHT = st.tuples(*[st.integers(0, 5)] * 4, st.integers(-5, 5))
CEILINGS = st.tuples(*[st.just(math.inf) | st.floats(0, 20)] * 5)
Five = tuple[int, int, int, int, int]


def made(ceilings: tuple[float, ...]) -> Ceilings:
    most = Ceilings()
    for metric, value in zip(METRICS, ceilings, strict=True):
        setattr(most, metric, ceiling_of(value))
    return most


@settings(max_examples=200, deadline=None)
@given(CEILINGS, st.lists(BROUGHT, max_size=30))
def test_a_ceiling_is_passed_at_the_event_that_brings_the_sum_above_it(
    ceilings: tuple[float, ...], events: list[Five]
) -> None:
    gauge, sums = Gauge(TENANT, made(ceilings)), [0] * 5
    for brought in events:
        sums = [so_far + more for so_far, more in zip(sums, brought, strict=True)]
        above = [more and total > most for more, total, most in zip(brought, sums, ceilings, strict=True)]
        assert gauge.add(*brought) == any(above)
        assert [getattr(gauge, metric) for metric in METRICS] == sums


@given(st.integers(-(10**30), 10**30), st.just(math.inf) | st.floats(-1e30, 1e30))
def test_a_whole_number_is_above_a_ceiling_just_where_it_is_above_the_number_that_it_was_made_of(
    value: int, most: float
) -> None:
    assert (value > ceiling_of(most)) == (value > most)


@settings(max_examples=50, deadline=None)
@given(st.lists(BROUGHT, max_size=30))
def test_without_ceilings_nothing_is_ever_passed(events: list[Five]) -> None:
    gauge = Gauge(TENANT, NO_CEILINGS)
    passed = [gauge.add(*brought) for brought in events]
    assert not any(passed)
