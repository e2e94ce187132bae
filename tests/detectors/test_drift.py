"""A level that rose above its reference is told; noise around it is not."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import DriftDetector, DriftParams

REFERENCES = st.floats(100, 1e9)


Slices = list[tuple[float, float]]


def around(times: float, reference: float, slices: int, noise: float, seed: int) -> Slices:
    """Levels around `times` a reference that swings as days do."""
    rng = random.Random(seed)
    references = [reference * rng.uniform(0.5, 2) for _ in range(slices)]
    return [(times * now * rng.lognormvariate(0, noise), now) for now in references]


def proof(drift: DriftDetector, slices: Slices) -> int | None:
    """How many slices it takes until a rise is proven, None if they do not suffice."""
    for number, (level, reference) in enumerate(slices, 1):
        drift.learn_one(level, reference)
        if drift.abnormal:
            return number
    return None


@settings(max_examples=40, deadline=None)
@given(REFERENCES, st.floats(0, 0.15), st.integers())
def test_noise_around_the_reference_never_alarms(reference: float, noise: float, seed: int) -> None:
    assert proof(DriftDetector(DriftParams()), around(1.0, reference, 600, noise, seed)) is None


@settings(max_examples=40, deadline=None)
@given(REFERENCES, st.floats(0, 0.15), st.integers(), st.integers(0, 300))
def test_a_level_that_stays_two_and_a_half_times_above_is_told(
    reference: float, noise: float, seed: int, before: int
) -> None:
    drift = DriftDetector(DriftParams())
    assert proof(drift, around(1.0, reference, before, noise, seed)) is None
    taken = proof(drift, around(2.5, reference, 24, noise, seed))
    assert taken is not None
    assert taken > 2


@settings(max_examples=40, deadline=None)
@given(REFERENCES, st.floats(0, 0.1), st.integers(), st.floats(0, 1))
def test_a_level_that_fell_is_none_that_rose(reference: float, noise: float, seed: int, times: float) -> None:
    assert proof(DriftDetector(DriftParams()), around(times, reference, 200, noise, seed)) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5)), max_size=200))
def test_a_handful_is_never_a_rise_over_another(slices: list[tuple[float, float]]) -> None:
    drift = DriftDetector(DriftParams(offset=15, ratio=1.6))
    for value, reference in slices:
        drift.learn_one(value, reference)
        assert drift.calm


@settings(max_examples=40, deadline=None)
@given(REFERENCES, st.floats(2.5, 100), st.integers())
def test_it_is_over_once_the_level_is_back(reference: float, times: float, seed: int) -> None:
    drift = DriftDetector(DriftParams())
    proof(drift, around(1.0, reference, 40, 0.1, seed))
    assert proof(drift, around(times, reference, 40, 0.1, seed)) is not None
    proof(drift, around(1.0, reference, 1, 0.0, seed))
    for _ in range(100):
        drift.learn_one(reference, reference)
    assert drift.calm


@settings(max_examples=40, deadline=None)
@given(REFERENCES, st.floats(2.5, 100))
def test_what_is_forgiven_must_be_proven_anew(reference: float, times: float) -> None:
    drift = DriftDetector(DriftParams())
    assert proof(drift, around(times, reference, 40, 0.1, 1)) is not None
    drift.forgive()
    drift.learn_one(times * reference, reference)
    assert not drift.abnormal


def test_the_deviation_is_that_of_the_last_slice() -> None:
    drift = DriftDetector(DriftParams(offset=0.001))
    drift.learn_one(1000.0, 500.0)
    assert drift.deviation == pytest.approx(0.6931, abs=1e-3)
