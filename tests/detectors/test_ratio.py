"""A ratio that changed is proven by several slices; noise and a single slice prove nothing."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import RatioBaseline, RatioParams

LEVELS = st.floats(1e-9, 1e9)
Slices = list[tuple[float, int]]


def noisy(level: float, noise: float, seed: int, slices: int) -> Slices:
    """Slices of 20 things around `level`."""
    rng = random.Random(seed)
    return [(level * rng.lognormvariate(0, noise), 20) for _ in range(slices)]


def learned(slices: Slices, ratio: RatioBaseline | None = None) -> RatioBaseline:
    ratio = ratio or RatioBaseline(RatioParams())
    for value, count in slices:
        ratio.learn_one(value, count)
    return ratio


def proof(ratio: RatioBaseline, slices: Slices) -> int | None:
    """How many slices it takes until the change is proven, None if they do not suffice."""
    for number, (value, count) in enumerate(slices, 1):
        ratio.learn_one(value, count)
        if ratio.abnormal:
            return number
    return None


@settings(max_examples=60, deadline=None)
@given(LEVELS, st.floats(0, 0.15), st.integers(), st.floats(1e-12, 1e12), st.integers(1, 10**9))
def test_one_slice_alone_never_proves_a_change(level: float, noise: float, seed: int, value: float, count: int) -> None:
    ratio = learned(noisy(level, noise, seed, 60))
    assert ratio.calm
    ratio.learn_one(value, count)
    assert not ratio.abnormal


@settings(max_examples=60, deadline=None)
@given(LEVELS, st.floats(0, 0.15), st.integers(), st.integers(15, 300))
def test_four_times_the_usual_is_proven_within_a_few_slices(level: float, noise: float, seed: int, before: int) -> None:
    ratio = learned(noisy(level, noise, seed, before))
    taken = proof(ratio, noisy(4 * level, noise, seed, 6))
    assert taken is not None
    assert taken >= 2
    assert not ratio.slow
    assert ratio.expected < 1.5 * level
    assert ratio.deviation > ratio.params.gate


@settings(max_examples=40, deadline=None)
@given(LEVELS, st.floats(0, 0.2), st.integers())
def test_noise_proves_nothing(level: float, noise: float, seed: int) -> None:
    assert proof(RatioBaseline(RatioParams()), noisy(level, noise, seed, 600)) is None


@settings(max_examples=40, deadline=None)
@given(LEVELS, st.floats(0, 0.1), st.integers(), st.floats(2, 1000))
def test_a_fall_is_no_rise(level: float, noise: float, seed: int, times: float) -> None:
    ratio = learned(noisy(level, noise, seed, 60))
    assert proof(ratio, noisy(level / times, noise, seed, 100)) is None


@settings(max_examples=20, deadline=None)
@given(LEVELS, st.floats(0, 0.1), st.integers(), st.integers(400, 700))
def test_what_doubled_slowly_and_goes_on_is_told_as_slow(level: float, noise: float, seed: int, slices: int) -> None:
    ratio, rng = learned(noisy(level, noise, seed, 400)), random.Random(seed)
    rising = [(level * 2 ** (2.5 * n / slices) * rng.lognormvariate(0, noise), 20) for n in range(slices)]
    assert proof(ratio, rising) is not None
    assert ratio.slow


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 100), st.integers(1, 50)), max_size=60), st.floats(1e-6, 1e6))
def test_the_unit_changes_nothing(slices: Slices, times: float) -> None:
    one = learned(slices)
    other = learned([(value * times, count) for value, count in slices])
    assert other.evidence == pytest.approx(one.evidence, abs=1e-6)
    assert other.deviation == pytest.approx(one.deviation, abs=1e-6)
    assert other.expected == pytest.approx(one.expected * times, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.floats(2.1, 50), st.integers(1, 100), st.integers(0, 1000))
def test_the_same_deviation_of_more_things_proves_no_less(times: float, few: int, more: int) -> None:
    one, other = (learned(noisy(100.0, 0.1, 1, 60)) for _ in range(2))
    one.learn_one(100 * times, few)
    other.learn_one(100 * times, few + more)
    assert one.evidence <= other.evidence


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(LEVELS, st.integers(1, 50)), max_size=9))
def test_while_warming_up_nothing_is_abnormal(slices: Slices) -> None:
    params = RatioParams(warm_up=10)
    ratio = learned(slices, RatioBaseline(params))
    assert ratio.seen < params.warm_up
    assert ratio.calm


def test_before_the_first_slice_nothing_is_expected_and_then_what_it_was() -> None:
    ratio = RatioBaseline(RatioParams())
    assert ratio.expected == 0
    ratio.learn_one(250.0, 3)
    assert ratio.expected == pytest.approx(250)


@settings(max_examples=40, deadline=None)
@given(LEVELS, st.floats(3, 100), st.integers())
def test_what_is_forgiven_is_the_usual_from_then_on(level: float, times: float, seed: int) -> None:
    ratio = learned(noisy(level, 0.1, seed, 60))
    ratio.learn_one(level * times, 20)
    ratio.forgive()
    assert ratio.calm
    assert ratio.expected == pytest.approx(level * times, rel=0.05)
    assert proof(ratio, noisy(level * times, 0.1, seed, 100)) is None


@settings(max_examples=40, deadline=None)
@given(LEVELS, st.floats(2.5, 100))
def test_once_back_to_the_usual_the_evidence_goes_away(level: float, times: float) -> None:
    ratio = learned(noisy(level, 0.1, 1, 60))
    assert proof(ratio, noisy(times * level, 0.1, 2, 20)) is not None
    learned(noisy(level, 0.1, 3, 20), ratio)
    assert ratio.calm
    assert ratio.expected == pytest.approx(level, rel=0.3)


def test_a_change_does_not_become_usual_while_it_is_abnormal() -> None:
    ratio = learned([(100.0, 20)] * 60)
    for _ in range(100):
        ratio.learn_one(1000.0, 20)
    assert ratio.abnormal
    assert ratio.expected < 200
    assert math.isclose(ratio.deviation, math.log(1000 / ratio.expected), abs_tol=0.01)
