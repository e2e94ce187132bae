"""A burst passes the ceiling; the swings of every day do not."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import RateBaseline, RateParams


def learned(level: float, noise: float, seed: int, windows: int = 200) -> RateBaseline:
    """A baseline of `windows` noisy values around `level`."""
    rate, rng = RateBaseline(RateParams()), random.Random(seed)
    for _ in range(windows):
        rate.learn_one(level * rng.lognormvariate(0, noise))
    return rate


@settings(max_examples=40, deadline=None)
@given(st.floats(10, 1e7), st.floats(0, 0.2), st.integers())
def test_ten_times_a_noisy_level_is_a_burst_and_twice_is_not(level: float, noise: float, seed: int) -> None:
    rate = learned(level, noise, seed)
    assert 2 * level < rate.ceiling
    assert 10 * level > rate.ceiling


def test_while_warming_up_nothing_is_abnormal() -> None:
    rate = RateBaseline(RateParams(warm_up=3))
    for _ in range(3):
        assert rate.ceiling == math.inf
        assert rate.score_one(1e12) == 0
        rate.learn_one(1)
    assert rate.ceiling < 1e12
    assert rate.score_one(1e12) > 0.5


def test_half_a_score_lies_at_the_ceiling() -> None:
    rate = learned(1000, 0.1, 1)
    assert rate.score_one(rate.ceiling) == pytest.approx(0.5)
    assert rate.score_one(rate.expected) == 0


@pytest.mark.parametrize(("ratio", "excess", "least"), [(100.0, 0.0, 99_999.0), (4.0, 50_000.0, 50_999.0)])
def test_all_gates_must_be_passed_together(ratio: float, excess: float, least: float) -> None:
    rate = RateBaseline(RateParams(warm_up=3, ratio=ratio, excess=excess))
    for _ in range(10):
        rate.learn_one(1000)
    assert rate.ceiling >= least


def test_one_burst_does_not_become_normal() -> None:
    rate = learned(1000, 0.1, 2)
    before = rate.ceiling
    for _ in range(6):
        rate.learn_one(1_000_000)
    assert rate.expected < 2000
    assert rate.ceiling < 10 * before


def test_a_lasting_change_of_level_becomes_normal_in_time() -> None:
    rate = learned(1000, 0.1, 3)
    for _ in range(2000):
        rate.learn_one(20_000)
    assert rate.expected == pytest.approx(20_000, rel=0.05)
    assert rate.ceiling > 20_000


def test_silence_lowers_the_level() -> None:
    rate = learned(1000, 0.1, 4)
    before = rate.expected
    for _ in range(90):
        rate.learn_one(0)
    assert rate.expected < before / 10


VALUES = st.lists(st.floats(0, 1e6), min_size=1, max_size=40)


def given_all(values: list[float], params: RateParams) -> RateBaseline:
    rate = RateBaseline(params)
    for value in values:
        rate.learn_one(value)
    return rate


@settings(max_examples=60, deadline=None)
@given(VALUES, st.integers(0, 70))
def test_a_silence_is_learned_as_so_many_empty_windows(values: list[float], windows: int) -> None:
    one, other = (given_all(values, RateParams(warm_up=3)) for _ in range(2))
    one.learn_silence(windows)
    for _ in range(windows):
        other.learn_one(0.0)
    assert (one.snapshot(), one.ceiling, one.expected) == (other.snapshot(), other.ceiling, other.expected)


@settings(max_examples=60, deadline=None)
@given(VALUES, st.integers(0, 2000), st.floats(1, 50))
def test_a_long_silence_is_learned_in_one_step_and_comes_to_the_same(
    values: list[float], windows: int, half_life: float
) -> None:
    params = RateParams(warm_up=3, half_life=half_life, peak_half_life=20 * half_life)
    one, other = given_all(values, params), given_all(values, params)
    one.learn_silence(windows)
    for _ in range(windows):
        other.learn_one(0.0)
    assert one.seen == other.seen
    assert one.expected == pytest.approx(other.expected, rel=1e-9, abs=1e-9)
    assert one.ceiling == pytest.approx(other.ceiling, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(VALUES, st.integers(0, 200), st.integers(0, 200))
def test_a_restored_baseline_learns_silence_to_the_same_bytes(values: list[float], before: int, after: int) -> None:
    rate, again = given_all(values, RateParams()), RateBaseline(RateParams())
    rate.learn_silence(before)
    again.restore(rate.snapshot())
    for baseline in (rate, again):
        baseline.learn_silence(after)
    assert (rate.snapshot(), rate.ceiling) == (again.snapshot(), again.ceiling)


@settings(max_examples=100, deadline=None)
@given(VALUES, st.floats(1.5, 10), st.floats(0, 1e4))
def test_the_ceiling_never_lies_below_the_ratio_nor_the_excess(
    values: list[float], ratio: float, excess: float
) -> None:
    rate = RateBaseline(RateParams(warm_up=3, ratio=ratio, excess=excess))
    for value in values:
        rate.learn_one(value)
        assert rate.ceiling >= rate.expected * ratio
        assert rate.ceiling >= rate.expected + excess


@settings(max_examples=60, deadline=None)
@given(VALUES, st.floats(0, 0.9), st.floats(1, 3))
def test_what_was_normal_once_is_normal_when_it_comes_again(values: list[float], calm: float, margin: float) -> None:
    rate = RateBaseline(RateParams(warm_up=3, margin=margin))
    for value in values:
        rate.learn_one(min(value, 1000.0))
    if rate.ceiling == math.inf:
        return
    high = rate.expected + calm * (rate.ceiling - rate.expected)
    rate.learn_one(high)
    assert rate.ceiling >= high


@settings(max_examples=40, deadline=None)
@given(st.floats(100, 1e7), st.floats(0, 0.2), st.integers(), st.integers(1, 6))
def test_a_burst_does_not_hide_the_next_one_of_the_same_size(
    level: float, noise: float, seed: int, windows: int
) -> None:
    rate, rng = learned(level, noise, seed), random.Random(seed)
    for _ in range(windows):
        assert 10 * level > rate.ceiling
        rate.learn_one(10 * level)
    for _ in range(30):
        rate.learn_one(level * rng.lognormvariate(0, noise))
    assert 10 * level > rate.ceiling


@settings(max_examples=20, deadline=None)
@given(st.floats(100, 1e6), st.integers())
def test_what_comes_every_hour_is_no_news_after_a_few_times(level: float, seed: int) -> None:
    """A job that is a small burst at first: its deviation is remembered far longer than the level is."""
    rate, rng = learned(level, 0.1, seed), random.Random(seed)
    job = 1.1 * rate.ceiling
    for _ in range(4):
        rate.learn_one(job)
        for _ in range(359):
            rate.learn_one(level * rng.lognormvariate(0, 0.1))
    assert job < rate.ceiling


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 1e6), st.integers(1, 200))
def test_a_constant_rate_is_expected_and_normal(level: float, windows: int) -> None:
    rate = given_all([level] * windows, RateParams(warm_up=3))
    assert rate.expected == pytest.approx(level, rel=1e-9, abs=1e-9)
    assert level <= rate.ceiling
    assert rate.score_one(level) == pytest.approx(0, abs=1e-9)
