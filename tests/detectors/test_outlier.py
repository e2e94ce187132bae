"""Outliers of one series: what raises the score, what does not, and what the score does not depend on."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import OutlierParams, OutlierScorer

HOUR = 3600.0


def scored(values: list[float], step: float = 300.0, params: OutlierParams | None = None) -> list[float]:
    scorer = OutlierScorer(params or OutlierParams())
    return [scorer.observe(step * row, value) for row, value in enumerate(values)]


def noise(count: int, seed: int = 3, level: float = 50.0) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(level, 5) for _ in range(count)]


def day_and_night(days: int) -> list[float]:
    """A value every 5 minutes, about 100 by day and 20 by night."""
    rng = random.Random(5)
    return [(100 if 96 <= row % 288 < 216 else 20) + rng.gauss(0, 2) for row in range(288 * days)]


def test_a_series_without_events_scores_low() -> None:
    assert max(scored(noise(4000))[600:]) < 0.6


@pytest.mark.parametrize("change", [60.0, -40.0], ids=["up", "down"])
def test_a_spike_scores_higher_than_all_noise(change: float) -> None:
    calm = noise(2000)
    scores = scored([*calm, calm[-1] + change])
    assert scores[-1] == max(scores) > 0.8


def test_a_lasting_change_of_level_is_told_when_it_begins_and_then_held_back() -> None:
    scores = scored(noise(2000) + noise(300, seed=4, level=90.0))
    assert max(scores[2000:2003]) > 0.8
    assert max(scores[2100:]) < 0.6


def test_a_night_that_looks_like_a_day_is_seen_though_its_values_are_usual() -> None:
    values = day_and_night(14)
    night = slice(288 * 12 + 30, 288 * 12 + 60)
    scores = scored([*values[: night.start], *(value + 80 for value in values[night]), *values[night.stop :]])
    assert max(scores[night]) == max(scores[288 * 8 :]) > 0.5


def test_a_flat_line_in_a_noisy_series_is_seen() -> None:
    """Seen, but by the spread alone: one view of ten."""
    assert max(scored(noise(2000) + [50.0] * 200)[2000:]) > 0.1


def test_a_spike_that_has_come_before_is_less_news() -> None:
    calm = noise(8000)
    repeated = list(calm)
    for row in range(1000, 8000, 1500):
        repeated[row] = 200.0
    new, old = scored([*calm, 200.0])[-1], scored([*repeated, 200.0])[-1]
    assert new > 0.8 > old


def test_a_surprise_weighs_more_in_a_series_that_has_been_calm() -> None:
    calm = noise(4000)
    restless = list(calm)
    for number, row in enumerate(range(600, 3800, 120)):
        restless[row] += 50 * 2.0**number
    assert scored([*calm, 1e11])[-1] > scored([*restless, 1e11])[-1] > 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([2.0**-20, 0.25, 4.0, 2.0**30, -1.0]))
def test_the_unit_and_the_sign_of_a_series_make_no_difference(seed: int, factor: float) -> None:
    values = [*noise(120, seed), 120.0, *noise(40, seed + 1)]
    assert scored([factor * value for value in values]) == pytest.approx(scored(values), rel=1e-6)


def test_rounding_in_a_series_that_stands_still_is_no_event() -> None:
    values = [1e9 + (1e-6 if row == 500 else 0.0) for row in range(1000)]
    assert not any(scored(values))


VALUES = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), max_size=200))
def test_a_score_lies_between_0_and_1_whatever_comes(rows: list[tuple[float, float]]) -> None:
    scorer = OutlierScorer(OutlierParams(warm_up=2))
    assert all(0 <= scorer.observe(at, value) <= 1 for at, value in rows)


@pytest.mark.parametrize("params", [OutlierParams(memory=512), OutlierParams(periods=(), blocks=4, spans=(2,))])
def test_after_any_time_it_goes_on_from_its_snapshot_with_the_same_scores(params: OutlierParams) -> None:
    one, values = OutlierScorer(params), noise(3000)
    for row, value in enumerate(values):
        one.observe(HOUR * row, value * (1 + row % 700 // 650))
        if row % 400 == 0:
            other = OutlierScorer(params)
            other.restore(one.snapshot())
            one = other
    whole = OutlierScorer(params)
    for row, value in enumerate(values):
        whole.observe(HOUR * row, value * (1 + row % 700 // 650))
    assert one.snapshot() == whole.snapshot()
    assert one.observe(1e7, 1e6) == whole.observe(1e7, 1e6) > 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_and_changes_nothing(value: float) -> None:
    scorer = OutlierScorer(OutlierParams())
    scorer.observe(0.0, 1.0)
    before = scorer.snapshot()
    for at, one in ((0.0, value), (value, 0.0)):
        with pytest.raises(ValueError, match="finite"):
            scorer.observe(at, one)
    assert scorer.snapshot() == before
