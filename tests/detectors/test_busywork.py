"""Busywork: consumption that outcomes stop to follow is found within hours, whatever the day, the lag and the noise."""

import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import BusyworkDetector, BusyworkFinding, BusyworkParams

# Slices of a quarter of an hour.
HOUR, DAY = 4, 96
PRICE = 1_000_000
Profile = Callable[[float], float]
LAGS: dict[str, Callable[[Random], float]] = {
    "none": lambda _: 0.0,
    "up to an hour": lambda rng: rng.random(),
    "an hour": lambda _: 0.95,
}


def day(hour: float) -> float:
    """A day with a peak in its afternoon."""
    return 0.15 + 0.85 * math.exp(-(((hour % 24 - 14) / 4) ** 2))


def office(hour: float) -> float:
    """Nine hours on five days a week."""
    return float(9 <= hour % 24 < 18 and hour // 24 % 7 < 5)


class Slice(NamedTuple):
    spent: int
    outcomes: int


class World(NamedTuple):
    """Tasks that come at a rate an hour (times the profile), cost something, and most of which have an outcome."""

    rate: float
    profile: Profile = day
    spread: float = 0.7
    lag: str = "up to an hour"

    def slices(
        self, days: float, seed: int, stop: float = math.inf, rest: float = 0.0, price: float = 1
    ) -> list[Slice]:
        """From the hour `stop` on the share `rest` of the outcomes comes, and tasks cost `price` times as much."""
        rng, at = Random(seed), 0.0
        spent, outcomes = [0.0] * int(days * DAY), [0] * int(days * DAY)
        while (at := at + rng.expovariate(self.rate / 0.8)) < days * 24:
            if rng.random() > self.profile(at):
                continue
            lasts, cost = rng.uniform(0.02, 0.4), rng.lognormvariate(0, self.spread) * (price if at >= stop else 1)
            for part in range(4):
                spent[min(int((at + lasts * part / 4) * HOUR), len(spent) - 1)] += cost / 4
            done = at + lasts + LAGS[self.lag](rng)
            if rng.random() < 0.8 * (rest if done >= stop else 1) and done < days * 24:
                outcomes[int(done * HOUR)] += 1
        return [Slice(int(cost * PRICE), came) for cost, came in zip(spent, outcomes, strict=True)]


def alarms(detector: BusyworkDetector, slices: Iterable[Slice]) -> list[int]:
    """The slices at whose ends an alarm began."""
    found, before = [], detector.standing
    for number, one in enumerate(slices):
        detector.observe(*one)
        if detector.standing and not before:
            found.append(number)
        before = detector.standing
    return found


def made(**params: float) -> BusyworkDetector:
    return BusyworkDetector(BusyworkParams(**params))  # type: ignore[arg-type]


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("profile", [day, office])
@pytest.mark.parametrize("rate", [5, 50])
def test_three_ordinary_weeks_have_no_alarm(rate: float, profile: Profile, lag: str) -> None:
    assert alarms(made(), World(rate, profile, 0.7, lag).slices(20, seed=5)) == []


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize(("rate", "median", "hours"), [(5, 3.75, 5.5), (20, 1.5, 2.0), (100, 0.75, 1.0)])
def test_outcomes_that_stop_are_missed_within_hours(rate: float, median: float, hours: float, lag: str) -> None:
    stop = 8 * 24 + 12
    delays = []
    for seed in range(3):
        found = alarms(made(), World(rate, day, 0.5, lag).slices(9, seed, stop))
        assert len(found) == 1
        delays.append((found[0] + 1) / HOUR - stop)
    assert min(delays) > 0
    assert sorted(delays)[1] <= median
    assert max(delays) <= hours


@pytest.mark.parametrize(("rest", "price", "hours"), [(0.1, 1, 2.5), (1, 4, 4.0)])
def test_a_tenth_of_the_outcomes_and_a_fourfold_price_are_seen_too(rest: float, price: float, hours: float) -> None:
    stop = 8 * 24 + 12
    for seed in range(3):
        found = alarms(made(), World(30, day, 0.7).slices(9, seed, stop, rest, price))
        assert 0 < (found[0] + 1) / HOUR - stop <= hours


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=150, max_size=300), st.integers(1, 10**20))
def test_outcomes_in_step_with_consumption_are_never_too_few(amounts: list[int], price: int) -> None:
    assert alarms(made(), [Slice(amount * price, amount) for amount in amounts]) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 200), st.integers(1, 10**18), st.integers(0, 8))
def test_a_stop_in_even_traffic_is_found_when_enough_was_to_be_expected(rate: int, price: int, lag: int) -> None:
    detector = made(lag=lag)
    assert alarms(detector, [Slice(rate * price, rate)] * 150) == []
    found = alarms(detector, [Slice(rate * price, 0)] * 40)
    # As soon as eight were to be expected; rounding may make it a slice later.
    assert len(found) == 1
    assert found[0] - (math.ceil(8 / rate) - 1) in (0, 1)


@pytest.mark.parametrize("rate", [30, 100])
def test_a_stop_in_the_third_hour_is_found_within_an_hour(rate: int) -> None:
    """What came in the first two is all that is known: enough, where thirty outcomes did."""
    delays = []
    for seed in range(5):
        found = alarms(made(), World(rate * 2, lambda _: 1.0, 0.7).slices(0.25, seed, stop=2))
        assert len(found) == 1
        delays.append((found[0] + 1) / HOUR - 2)
    assert min(delays) > 0
    assert sorted(delays)[2] <= 1.0


@pytest.mark.parametrize("profile", [day, lambda _: 1.0])
def test_first_days_have_no_alarm(profile: Profile) -> None:
    begun = [alarms(made(), World(40, profile, 0.7).slices(1, seed)) for seed in range(10)]
    assert begun == [[]] * 10


def test_hours_that_jump_teach_what_they_cost_and_not_what_a_spike_counts_for() -> None:
    """Ten times as much for ten times as many outcomes is the usual price, also where it comes at once."""
    quiet, busy = [Slice(4 * PRICE, 4)] * 12, [Slice(40 * PRICE, 40)] * 4
    detector = made()
    assert alarms(detector, [*quiet, *busy, *quiet, *busy, *quiet, *quiet, *quiet]) == []
    assert detector.usual == pytest.approx(PRICE)


def test_what_one_finds_another_bears_out_if_it_lacks_as_many() -> None:
    dollars, tokens, other = made(), made(), made()
    for detector, price in ((dollars, 3 * PRICE), (tokens, PRICE), (other, PRICE)):
        alarms(detector, [Slice(10 * price, 10)] * 40)
    other.observe(10 * PRICE, 10)
    alarms(dollars, [Slice(30 * PRICE, 0)] * 2)
    alarms(tokens, [Slice(8 * PRICE, 0)] * 2)
    alarms(other, [Slice(2 * PRICE, 0)] * 2)
    assert dollars.standing
    assert (tokens.bears_out(2), other.bears_out(2), made().bears_out(1)) == (True, False, False)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 200), st.sampled_from([1, 5, 30]))
def test_what_an_outcome_costs_is_known_as_long_as_an_alarm_stands(before: int, warm_up: int) -> None:
    detector = made(warm_up=warm_up)
    alarms(detector, [Slice(10 * PRICE, 10)] * (before + 3))
    for _ in range(100):
        detector.observe(10 * PRICE, 0)
        assert detector.usual >= PRICE * 0.999


def test_of_few_outcomes_as_few_say_less_than_of_many() -> None:
    few, many = made(warm_up=10), made(warm_up=10)
    alarms(few, [Slice(14 * PRICE, 14)] * 2)
    alarms(many, [Slice(14 * PRICE, 14)] * 20)
    assert alarms(few, [Slice(14 * PRICE, 0)]) == []
    assert alarms(many, [Slice(14 * PRICE, 0)]) == [0]


def test_who_never_sends_outcomes_is_not_judged() -> None:
    assert alarms(made(), [Slice(PRICE, 0)] * 1000) == []


def test_where_outcomes_have_cost_nothing_so_far_none_are_expected() -> None:
    assert alarms(made(), [Slice(0, 5)] * 200 + [Slice(10, 0)] * 32) == []


def test_it_is_over_when_outcomes_are_back() -> None:
    detector = made()
    alarms(detector, [Slice(10 * PRICE, 10)] * 100 + [Slice(10 * PRICE, 0)] * 8)
    assert detector.standing
    assert alarms(detector, [Slice(10 * PRICE, 10)]) == []
    assert detector.standing
    assert alarms(detector, [Slice(10 * PRICE, 10)] * 20) == []
    assert not detector.standing


def test_a_second_stop_is_a_second_alarm() -> None:
    detector = made()
    normal, none = [Slice(10 * PRICE, 10)], [Slice(10 * PRICE, 0)]
    assert len(alarms(detector, normal * 100 + none * 8 + normal * 4 + none * 8)) == 2


def nightly(days: int, seed: int, per_hour: float = 8.0) -> list[Slice]:
    """Outcomes that are told once a day, at two in the morning, for the day before."""
    told = World(per_hour).slices(days, seed)
    nights = [sum(one.outcomes for one in told[max(0, at - DAY) : at]) for at in range(len(told))]
    return [Slice(one.spent, nights[at] if at % DAY == 2 * HOUR else 0) for at, one in enumerate(told)]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("per_hour", [8.0, 40.0])
def test_outcomes_that_are_told_once_a_day_are_known_to_be_after_a_few_days(seed: int, per_hour: float) -> None:
    """Each day was an alarm that stood until the night: what is missing by day was never learned to be ragged."""
    told = alarms(made(), nightly(21, seed, per_hour))
    assert [at // DAY for at in told if at >= 5 * DAY] == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_stop_that_is_over_and_made_up_for_by_nothing_teaches_no_spread(seed: int) -> None:
    world, detector = World(20.0), made()
    stopped = [Slice(one.spent, 0 if at // DAY >= 6 else one.outcomes) for at, one in enumerate(world.slices(8, seed))]
    once = [*world.slices(6, seed), *stopped[6 * DAY : 7 * DAY], *world.slices(2, seed + 10), *stopped[6 * DAY :]]
    assert [at // DAY for at in alarms(detector, once)] == [6, 9]


def test_it_is_over_when_nothing_is_spent_any_more() -> None:
    detector = made()
    alarms(detector, [Slice(10 * PRICE, 10)] * 100 + [Slice(10 * PRICE, 0)] * 8)
    alarms(detector, [Slice(0, 0)] * 7)
    assert detector.standing
    detector.observe(0, 0)
    assert not detector.standing


def test_a_lasting_change_is_learned_in_about_a_day_and_not_at_once() -> None:
    detector = made()
    before = [Slice(40 * PRICE, 40)] * 5 * DAY
    changed = [Slice(40 * PRICE, 10)] * 4 * DAY
    assert alarms(detector, before) == []
    lasting = []
    for one in changed:
        detector.observe(*one)
        lasting.append(detector.standing)
    hours = lasting.count(True) / HOUR
    assert 12 <= hours <= 48
    assert not lasting[-1]


def test_a_stop_is_not_taken_for_normal_while_it_is_judged() -> None:
    detector = made()
    alarms(detector, [Slice(5 * PRICE, 5)] * 100)
    alarms(detector, [Slice(5 * PRICE, 0)] * 32)
    assert detector.usual == pytest.approx(PRICE)


def test_one_gigantic_task_is_no_alarm() -> None:
    detector = made()
    calm = World(20, day, 0.5).slices(4, seed=1)
    giant = Slice(200 * PRICE, 1)
    assert alarms(detector, [*calm, giant, *World(20, day, 0.5).slices(1, seed=2)]) == []


def test_a_finding_names_the_window_and_is_surer_the_longer_it_lasts() -> None:
    detector = made()
    alarms(detector, [Slice(5 * PRICE, 5)] * 100)
    findings = [found for _ in range(6) if (found := detector.observe(5 * PRICE, 0))]
    assert findings[0] == BusyworkFinding(2, 10 * PRICE, 0, findings[0].score)
    assert [found.slices for found in findings] == [2, 3, 4, 5, 6]
    assert all(0.5 <= one.score < other.score < 1 for one, other in pairwise(findings))
    assert detector.last(6) == (30 * PRICE, 0)
    assert detector.usual == pytest.approx(PRICE)


@pytest.mark.parametrize(("spent", "outcomes"), [(-1, 0), (0, -1)])
def test_less_than_nothing_is_refused_and_changes_nothing(spent: int, outcomes: int) -> None:
    detector = made()
    alarms(detector, [Slice(10, 1)] * 50)
    before = detector.snapshot()
    with pytest.raises(ValueError, match="0 or more"):
        detector.observe(spent, outcomes)
    assert detector.snapshot() == before


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(0, 40)), max_size=30))
def test_empty_slices_taken_together_are_those_taken_one_by_one(course: list[tuple[int, int, int]]) -> None:
    params = BusyworkParams(longest=6, lag=2, warm_up=5, expected=2, evidence=0.5, half_life=8)
    together, singly = BusyworkDetector(params), BusyworkDetector(params)
    for outcomes, spent, empty in course:
        assert together.observe(spent, outcomes) == singly.observe(spent, outcomes)
        if not together.standing:
            together.pass_over(empty)
            assert not any(singly.observe(0, 0) for _ in range(empty))
        assert together.snapshot() == singly.snapshot()
