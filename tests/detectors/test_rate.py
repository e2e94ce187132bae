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


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.integers(0, 70))
def test_a_silence_is_learned_as_so_many_empty_windows(values: list[float], windows: int) -> None:
    one, other = RateBaseline(RateParams(warm_up=3)), RateBaseline(RateParams(warm_up=3))
    for rate in (one, other):
        for value in values:
            rate.learn_one(value)
    one.learn_silence(windows)
    for _ in range(windows):
        other.learn_one(0.0)
    assert (one.snapshot(), one.ceiling, one.expected) == (other.snapshot(), other.ceiling, other.expected)
