"""Values that are each within their range, but not together, are told; what belongs together is not."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import CombinationBaseline, CombinationParams

Points = list[tuple[float, float]]


def usual(seed: int, points: int) -> Points:
    """Points on a line: where one value is high, so is the other."""
    rng = random.Random(seed)
    swings = [rng.uniform(-2, 2) for _ in range(points)]
    return [(swing + rng.gauss(0, 0.1), swing + rng.gauss(0, 0.1)) for swing in swings]


def proof(baseline: CombinationBaseline, points: Points) -> int | None:
    """How many points it takes until something unusual is proven, None if they do not suffice."""
    for number, point in enumerate(points, 1):
        baseline.learn_one(point)
        if baseline.abnormal:
            return number
    return None


@settings(max_examples=40, deadline=None)
@given(st.integers())
def test_what_belongs_together_is_never_unusual(seed: int) -> None:
    assert proof(CombinationBaseline(CombinationParams(2)), usual(seed, 600)) is None


@settings(max_examples=40, deadline=None)
@given(st.integers(), st.floats(1.5, 2))
def test_values_that_are_usual_apart_and_not_together_are_told_within_a_few_points(seed: int, away: float) -> None:
    baseline = CombinationBaseline(CombinationParams(2))
    assert proof(baseline, usual(seed, 100)) is None
    taken = proof(baseline, [(away, -away)] * 12)
    assert taken is not None
    assert taken >= 2
    assert sorted(baseline.largest()) == [0, 1]


@settings(max_examples=40, deadline=None)
@given(st.integers(), st.sampled_from([0, 1]))
def test_the_dimension_that_is_away_is_named_first(seed: int, away: int) -> None:
    rng = random.Random(seed)
    baseline = CombinationBaseline(CombinationParams(2))
    for _ in range(100):
        baseline.learn_one((rng.gauss(0, 0.1), rng.gauss(0, 0.1)))
    baseline.learn_one((5.0 * (away == 0), 5.0 * (away == 1)))
    assert baseline.largest()[0] == away


@pytest.mark.parametrize("points", [1, 29])
def test_while_warming_up_nothing_is_unusual(points: int) -> None:
    baseline = CombinationBaseline(CombinationParams(2, warm_up=30))
    for point in range(points):
        baseline.learn_one((float(point % 2) * 1e9, -float(point % 3) * 1e9))
    assert baseline.calm


@settings(max_examples=40, deadline=None)
@given(st.integers())
def test_it_is_over_once_all_is_as_usual(seed: int) -> None:
    baseline = CombinationBaseline(CombinationParams(2))
    proof(baseline, usual(seed, 100))
    assert proof(baseline, [(2.0, -2.0)] * 12) is not None
    for point in usual(seed, 60):
        baseline.learn_one(point)
    assert baseline.calm
