"""Sums over shorter and longer horizons: of the right windows, learned as they end, and the same after a restart."""

import math
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import RateParams
from streamer.config import DetectConfig
from streamer.judges.horizons import Horizon, Horizons
from streamer.judges.params import model_params
from streamer.judges.slots import NOTHING, HorizonsState, Slot, Values
from streamer.windows.totals import METRICS

# Quick to learn; what stands above anything at all is told.
PARAMS = RateParams(half_life=10, warm_up=1, deviations=1, ratio=1, margin=1, offset=1)
SHARP = [Horizon(windows, dict.fromkeys(METRICS, PARAMS)) for windows in (1, 6, 60)]
REQUESTS = METRICS.index("requests")
# Windows by number, with how many requests; not every window has any.
WINDOWS = st.dictionaries(st.integers(0, 400), st.integers(1, 100), max_size=80).map(
    lambda found: sorted(found.items())
)


def values(requests: float) -> Values:
    found = list(NOTHING)
    found[REQUESTS] = float(requests)
    return tuple(found)


def learned(windows: list[tuple[int, int]], horizons: Horizons | None = None) -> Horizons:
    horizons = horizons or Horizons(SHARP, -1)
    for number, requests in windows:
        horizons.pass_to(number)
        horizons.learn(number, values(requests))
    return horizons


def sums(horizons: Horizons, number: int, requests: float, *, news: bool = False) -> dict[int, float]:
    """What is held against the ceilings once window `number` holds so many requests, by horizon; -1 is always less."""
    above = horizons.above(number, values(requests), share=-1.0, news=news)
    return {excess.windows: excess.value for excess in above if excess.metric == "requests"}


@settings(max_examples=100, deadline=None)
@given(WINDOWS, st.integers(1, 200), st.integers(1, 100))
def test_a_horizon_is_its_slot_so_far_and_of_the_slot_before_what_is_not_yet_past(
    windows: list[tuple[int, int]], after: int, requests: int
) -> None:
    """Whether or not anything was said of the time between the last window and the open one."""
    # With one learned slot more all ceilings are known.
    windows = [(number + 120, held) for number, held in [(-120, 1), (-60, 1), *windows]]
    number = windows[-1][0] + after
    horizons = learned(windows)
    assert all(baseline["requests"].ceiling < math.inf for baseline in horizons.baselines[:2])
    found = sums(horizons, number, requests)
    assert set(found) >= {1, 6}
    for length, value in found.items():
        slot = number // length
        here = sum(held for at, held in windows if at // length == slot and length > 1)
        before = sum(held for at, held in windows if at // length == slot - 1)
        assert value == pytest.approx(requests + here + before * (1 - (number % length + 1) / length))
    # It is the same when it has been said that nothing came in between.
    horizons.pass_to(number)
    assert sums(horizons, number, requests) == pytest.approx(found)


@settings(max_examples=60, deadline=None)
@given(WINDOWS, WINDOWS, st.integers(1, 100))
def test_what_was_told_is_no_news_and_what_came_since_is(
    before: list[tuple[int, int]], after: list[tuple[int, int]], away: int
) -> None:
    """As if the horizons had begun when the last case was told of."""
    before = [(-120, 1), (-60, 1), *before]
    later = [(number + before[-1][0] + away, held) for number, held in after]
    horizons, as_new = learned(before), learned(before)
    horizons.tell()
    as_new._slots = [Slot() for _ in as_new._slots]
    learned(later, horizons)
    number = (later or before)[-1][0] + 1
    found = sums(horizons, number, 50, news=True)
    learned(later, as_new)
    expected = sums(as_new, number, 50)
    assert found == pytest.approx({length: expected[length] for length in found})
    assert set(found) >= {1, 6}
    whole = sums(horizons, number, 50)
    assert all(whole[length] >= found[length] - 1e-9 for length in found)


@settings(max_examples=60, deadline=None)
@given(WINDOWS, WINDOWS)
def test_what_was_written_and_read_goes_on_as_if_it_had_not_been(
    before: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    horizons, again = learned(before[:-2]), Horizons(SHARP, 7)
    horizons.tell()
    learned(before[-2:], horizons)
    packed = msgspec.msgpack.encode(horizons.written())
    again.read(msgspec.msgpack.decode(packed, type=HorizonsState))
    assert msgspec.msgpack.encode(again.written()) == packed
    later = [(number + 401, held) for number, held in after]
    assert msgspec.msgpack.encode(learned(later, again).written()) == msgspec.msgpack.encode(
        learned(later, horizons).written()
    )
    number = later[-1][0] + 1 if later else 401
    assert list(map(plain, again.above(number, values(1000)))) == list(map(plain, horizons.above(number, values(1000))))


def plain(excess: tuple[object, ...]) -> tuple[object, ...]:
    """An excess without its baseline, which has no equality."""
    return excess[:3]


USUAL = model_params(DetectConfig(), 10.0).horizons


def steady(count: int, seed: int = 1) -> list[tuple[int, int]]:
    rng = Random(seed)
    return [(number, 8 + rng.randrange(5)) for number in range(count)]


def test_the_rate_is_that_of_the_longest_horizon_and_unknown_before_it_is_warm() -> None:
    assert Horizons(USUAL, -1).rate() == 0
    assert learned(steady(59), Horizons(USUAL, -1)).rate() == 0
    assert 9 < learned(steady(2000), Horizons(USUAL, -1)).rate() < 11


def test_the_rate_of_what_began_in_the_middle_of_a_slot_is_known_as_soon_as_it_has_lasted_as_long_as_one() -> None:
    longest = USUAL[-1].windows
    begun = [(longest // 2 + number, held) for number, held in steady(longest)]
    assert learned(begun[:-1], Horizons(USUAL, longest // 2 - 1)).rate() == 0
    assert 9 < learned(begun, Horizons(USUAL, longest // 2 - 1)).rate() < 11


def test_a_quiet_night_does_not_make_a_slow_stream_of_a_busy_one() -> None:
    """Of a gap only the beginning is learned: a morning like the evening is no burst."""
    horizons = learned(steady(2000), Horizons(USUAL, -1))
    morning = [(number + 5000, held) for number, held in steady(300, seed=2)]
    assert 9 < horizons.rate() < 11
    learned(morning[:1], horizons)
    assert horizons.rate() > 6
    for number, held in morning[1:]:
        assert list(horizons.above(number, values(held))) == []
        learned([(number, held)], horizons)


def test_a_stream_that_comes_now_and_then_is_slow_over_ten_minutes_but_not_in_a_window_of_it() -> None:
    horizons = learned([(number, 10) for number in range(0, 6000, 6)], Horizons(USUAL, -1))
    assert 9 < horizons.expected("requests") < 11
    assert 1 < horizons.rate() < 2.5
