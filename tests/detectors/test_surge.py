"""Arrivals are judged by how likely they are, whatever the size of the stream; a surge does not become usual."""

import math
from random import Random

import pytest

from detectors import SurgeBaseline, SurgeParams


def arrivals(random: Random, rate: float) -> int:
    """How many independent arrivals a window brings (Knuth's method)."""
    count, left = 0, random.random()
    while left > math.exp(-rate):
        count += 1
        left *= random.random()
    return count


def usual(rate: float, windows: int = 1500, seed: int = 1) -> SurgeBaseline:
    surge, random = SurgeBaseline(SurgeParams()), Random(seed)
    for _ in range(windows):
        surge.learn_one(arrivals(random, rate))
    return surge


def windows_until_told(surge: SurgeBaseline, rate: float, most: int, seed: int = 2) -> int | None:
    random = Random(seed)
    for window in range(1, most + 1):
        surge.learn_one(arrivals(random, rate))
        if surge.abnormal:
            return window
    return None


@pytest.mark.parametrize(("rate", "most"), [(20.0, 2), (2.0, 4), (0.5, 12), (0.1, 60)])
def test_five_times_the_arrivals_are_known_the_sooner_the_larger_the_stream_is(rate: float, most: int) -> None:
    told = windows_until_told(usual(rate), 5 * rate, most)
    assert told is not None
    assert told <= most


@pytest.mark.parametrize("rate", [0.02, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("seed", [3, 4, 5])
def test_two_days_of_chance_alone_are_no_surge(rate: float, seed: int) -> None:
    surge, random = SurgeBaseline(SurgeParams()), Random(seed)
    for _ in range(17_280):
        surge.learn_one(arrivals(random, rate))
        assert not surge.abnormal


def test_half_as_much_again_is_no_surge_however_long_it_lasts() -> None:
    assert windows_until_told(usual(5.0), 7.5, 2000) is None


def test_what_comes_in_clusters_needs_more_of_them() -> None:
    single, clustered = usual(1.0), SurgeBaseline(SurgeParams())
    random = Random(1)
    for _ in range(1500):
        clustered.learn_one(10 * arrivals(random, 0.1))
    for _ in range(2):
        single.learn_one(8)
        clustered.learn_one(8)
    assert single.abnormal
    assert clustered.evidence < single.evidence / 2


def test_the_run_tells_what_came_since_it_began_and_what_it_cost() -> None:
    surge = SurgeBaseline(SurgeParams())
    for _ in range(500):
        surge.learn_one(2, 0.5)
    for _ in range(3):
        surge.learn_one(20, 5.0)
    assert (surge.run.windows, surge.run.observed, surge.run.cost) == (3, 60, 15)
    assert surge.run.expected == pytest.approx(6, rel=0.2)
    assert surge.usual_cost == pytest.approx(0.5, rel=0.05)


def test_a_surge_is_learned_only_slowly_while_it_lasts() -> None:
    surge = usual(2.0)
    before = surge.expected
    for _ in range(30):
        surge.learn_one(40)
    assert surge.abnormal
    assert surge.expected < 1.2 * before


def test_a_gap_is_the_same_as_so_many_empty_windows() -> None:
    leaps, steps = usual(2.0), usual(2.0)
    for _ in range(2):
        leaps.learn_one(12)
        steps.learn_one(12)
    leaps.pass_over(200)
    for _ in range(200):
        steps.learn_one(0)
    assert leaps.evidence == steps.evidence == 0
    assert leaps.expected == pytest.approx(steps.expected, rel=1e-9)


def test_evidence_is_gone_soon_after_a_surge_is_over() -> None:
    surge = usual(2.0)
    for _ in range(20):
        surge.learn_one(20)
    after = surge.after(30)
    for _ in range(30):
        surge.learn_one(2)
    assert after == surge.evidence == 0


def test_what_was_wanted_is_usual_from_then_on() -> None:
    surge = usual(2.0)
    for _ in range(10):
        surge.learn_one(20)
    assert surge.abnormal
    surge.forgive()
    assert windows_until_told(surge, 20, 200) is None


def test_a_rate_is_taken_to_be_on_the_high_side_as_long_as_little_was_seen() -> None:
    young, old = SurgeBaseline(SurgeParams()), SurgeBaseline(SurgeParams())
    for window in range(3000):
        old.learn_one(window % 2)
        if window < 60:
            young.learn_one(window % 2)
    assert young.expected > 1.1 * old.expected > 0.5


def test_swings_over_half_an_hour_do_not_hide_a_sudden_burst() -> None:
    swinging, random = SurgeBaseline(SurgeParams()), Random(1)
    for window in range(2520):
        swinging.learn_one(arrivals(random, 6 + 4 * math.sin(2 * math.pi * window / 360)))
    assert swinging.expected > 5
    told = windows_until_told(swinging, 30, 3)
    assert told is not None
    assert swinging.run.dispersion > 6  # over half an hour; a minute has a fourth of that


def test_an_empty_window_says_less_where_arrivals_cluster_but_not_as_little_as_their_dispersion_divides() -> None:
    even, clustered, random = usual(2.0), SurgeBaseline(SurgeParams()), Random(1)
    for _ in range(1500):
        clustered.learn_one(4 * arrivals(random, 0.5))
    assert 2 / 4 < clustered.missed < even.missed < 2


def test_a_little_more_than_twice_is_a_surge_once_there_is_no_doubt_of_it_and_not_before() -> None:
    surge, evidence = usual(20.0), list[float]()
    while not surge.abnormal and len(evidence) < 20:
        surge.learn_one(44)
        evidence.append(surge.evidence)
    assert surge.abnormal
    assert surge.params.sure_ratio < surge.run.observed / surge.run.expected < surge.params.ratio
    enough = surge.params.evidence
    assert [one for one in evidence[:-1] if one >= enough], "what suffices for larger surges did not for this one"
    assert evidence[-1] > 1.8 * enough
