"""Windows cover all of time without a gap or an overlap; a watermark never goes back."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.windows.window import TumblingWindow, Watermark

# Sizes whose multiples are exact, as whole and half seconds are, and any moment of this century.
SIZES = st.sampled_from([0.5, 1.0, 7.0, 10.0, 60.0, 3600.0, 86_400.0])
TIMES = st.floats(946_684_800, 4_102_444_800, allow_nan=False)
SPANS = st.floats(0, 600)


@settings(max_examples=200, deadline=None)
@given(SIZES, TIMES)
def test_a_moment_lies_in_one_window_that_starts_at_a_multiple_of_the_size(size: float, at: float) -> None:
    start = TumblingWindow(size).start(at)
    assert start <= at < start + size
    assert start % size == 0
    assert TumblingWindow(size).start(start) == start


@settings(max_examples=100, deadline=None)
@given(SIZES, TIMES)
def test_windows_touch(size: float, at: float) -> None:
    window = TumblingWindow(size)
    start = window.start(at)
    assert window.start(start + size) == start + size
    assert window.start(math.nextafter(start + size, 0)) == start


STEPS = st.lists(st.tuples(st.sampled_from(["observe", "advance"]), TIMES, TIMES), max_size=30)


@settings(max_examples=150, deadline=None)
@given(SPANS, SPANS, STEPS)
def test_a_watermark_never_goes_back(lateness: float, grace: float, steps: list[tuple[str, float, float]]) -> None:
    mark = Watermark(lateness, grace)
    for step, at, now in steps:
        before = mark.value
        mark.observe(at, now) if step == "observe" else mark.advance(now)
        assert mark.value >= before
        assert not math.isnan(mark.value)


@settings(max_examples=100, deadline=None)
@given(SPANS, st.lists(TIMES, min_size=1, max_size=20))
def test_events_move_it_to_the_newest_less_the_lateness(lateness: float, times: list[float]) -> None:
    mark = Watermark(lateness, 5)
    for at in times:
        mark.observe(at, at)
    assert mark.value == max(times) - lateness


def test_idle_time_counts_from_the_grace_on_and_by_its_differences_alone() -> None:
    for offset in (0.0, 1e6):  # a replay's clock is far from the events' times
        mark = Watermark(lateness=5, grace=10)
        mark.observe(1000, 1000 + offset)
        mark.advance(1010 + offset)
        assert mark.value == 995
        mark.advance(1013 + offset)
        assert mark.value == 998


def test_nothing_is_expected_before_the_first_event() -> None:
    mark = Watermark(5, 5)
    mark.advance(1e9)
    assert mark.value == -math.inf
