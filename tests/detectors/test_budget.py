"""A budget says its lines once, tells of fast burn before them, and starts anew with the period."""

import math
from collections.abc import Iterable, Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import BudgetDetector, BudgetLine, BudgetTerms, BurnParams

HOUR, DAY, MONTH = 3600.0, 86_400.0, 30 * 86_400.0
# As the configuration's defaults.
BURN = (
    BurnParams(3600, 300, 14.4, 0.02),
    BurnParams(21_600, 1800, 6, 0.05),
    BurnParams(43_200, 7200, 3, 0.05),
    BurnParams(86_400, 7200, 2, 0.05),
)
LIMIT = 10**15
Spend = tuple[int, float]


def periods(at: float) -> tuple[float, float]:
    return at // MONTH * MONTH, at // MONTH * MONTH + MONTH


def budget(limit: int = 10, soft: int = 8, burn: tuple[BurnParams, ...] = ()) -> BudgetDetector:
    return BudgetDetector(BudgetTerms(limit, soft, burn), periods)


def burning() -> BudgetDetector:
    return budget(LIMIT, LIMIT * 8 // 10, BURN)


def lines(found: BudgetDetector, amounts: Iterable[int], at: float = 0.0) -> list[BudgetLine]:
    return [line for amount in amounts if (line := found.add(amount, at))]


def told(found: BudgetDetector, spends: Iterable[Spend]) -> list[tuple[str, float]]:
    """What is said of spends, with the moment: lines as they are crossed, and their ends."""
    said: list[tuple[str, float]] = []
    for amount, at in spends:
        if (ended := found.ended(at)) is not None:
            said.append(("ended", ended))
        if line := found.add(amount, at):
            said.append((line, at))
    return said


def steady(share: float, begin: float, seconds: float, every: float = 20.0) -> Iterator[Spend]:
    """Spend `share` of the limit evenly over `seconds` from `begin` on."""
    count = int(seconds / every)
    for number in range(count):
        yield int(share * LIMIT / count), begin + number * every


def test_the_soft_line_is_said_once_and_then_the_hard_one_once() -> None:
    found = budget(100_000, 80_000)
    assert lines(found, [79_999]) == []
    assert lines(found, [1, 10_000]) == ["soft"]
    assert lines(found, [10_000, 1_000_000]) == ["hard"]


def test_a_leap_over_both_lines_says_the_hard_one_alone() -> None:
    assert lines(budget(), [50, 1]) == ["hard"]


def test_a_new_period_starts_from_zero_and_its_lines_are_said_again() -> None:
    found = budget()
    assert lines(found, [9, 9]) == ["soft", "hard"]
    assert found.ended(MONTH - 1) is None
    assert found.ended(MONTH + 5) == MONTH
    assert lines(found, [1], MONTH + 5) == []
    assert (found.start, found.end, found.spent) == (MONTH, 2 * MONTH, 1)
    assert lines(found, [7, 2], MONTH + 6) == ["soft", "hard"]


def test_what_comes_late_for_a_closed_period_counts_for_the_burn_only() -> None:
    found = budget()
    lines(found, [1], MONTH + 5)
    assert lines(found, [100], MONTH - 5) == []
    assert found.spent == 1
    assert found.spending.within(HOUR, found.now) == 101


def test_a_credit_does_not_make_a_line_be_said_twice_nor_end_it() -> None:
    found = budget()
    assert lines(found, [9, -5, 5]) == ["soft"]
    assert lines(found, [5, -9, 9]) == ["hard"]
    assert found.ended(MONTH - 1) is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 10**20), max_size=40), st.randoms())
def test_what_is_spent_is_the_exact_sum_in_any_order_and_each_line_is_said_at_the_most_once(
    amounts: list[int], rng: Random
) -> None:
    spends = [(amount, rng.uniform(0, MONTH - 1)) for amount in amounts]
    found, other = budget(10**21, 5 * 10**20), budget(10**21, 5 * 10**20)
    said = [line for line, _ in told(found, spends)]
    told(other, sorted(spends))
    assert found.spent == other.spent == sum(amounts)
    assert said in ([], ["soft"], ["hard"], ["soft", "hard"])
    assert ("hard" in said) == (found.spent >= 10**21)
    assert bool(said) == (found.spent >= 5 * 10**20)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 1))
def test_a_restart_between_any_two_amounts_changes_nothing(seed: int, share: float) -> None:
    rng, at = Random(seed), 0.0
    spends: list[Spend] = []
    for _ in range(200):
        at += rng.choice([10, 200, 3000, 20_000])
        spends.append((int(LIMIT * rng.choice([0.0001, 0.001, 0.01, -0.002])), at - rng.choice([0, 0, 100, 5000])))
    cut = int(share * len(spends))
    found, again = burning(), burning()
    before = told(found, spends[:cut])
    again.restore(found.snapshot())
    assert told(again, spends[cut:]) == told(found, spends[cut:])
    assert again.snapshot() == found.snapshot()
    assert before == told(burning(), spends)[: len(before)]


def office_hours(share: float, days: int = 30) -> Iterator[Spend]:
    """Spend `share` of the limit a month in the eight hours of its 22 workdays, busier around noon."""
    rng, weights = Random(3), (6, 8, 10, 14, 12, 12, 10, 8)
    for day in (day for day in range(days) if day % 7 < 5):
        busy = rng.uniform(0.8, 1.2)
        for hour, weight in enumerate(weights):
            part = busy * share / 22 * weight / sum(weights)
            yield from steady(part, day * DAY + (9 + hour) * HOUR, HOUR, every=60)


def nightly(share: float, days: int = 30) -> Iterator[Spend]:
    """Spend `share` of the limit in an hour of each night."""
    for day in range(days):
        yield from steady(share / days, day * DAY + 2.6 * HOUR, HOUR)


def test_a_budget_that_lasts_the_month_is_not_told_of_before_its_soft_line() -> None:
    for spends in (steady(0.99, 0, MONTH, 300), office_hours(0.99)):
        assert [line for line, _ in told(burning(), spends)] == ["soft"]


def test_a_batch_of_every_night_is_told_of_twice_at_the_most() -> None:
    said = told(burning(), nightly(0.75))
    assert [line for line, _ in said].count("burn") <= 2
    assert all(at < 3 * DAY for _, at in said)


@pytest.mark.parametrize(("share", "hours"), [(0.03, 1.0), (0.09, 1.5), (0.40, 10.0)])
def test_a_runaway_is_told_of_before_an_eighth_of_the_budget_is_gone_and_closes_when_it_is_over(
    share: float, hours: float
) -> None:
    found, begin = burning(), 9 * DAY + 3 * HOUR
    said = told(found, office_hours(0.6, days=9))
    assert said == []
    before = found.spent
    ((line, at), *rest) = told(found, steady(share, begin, hours * HOUR))
    assert line == "burn"
    assert rest == []
    assert (at - begin) / (hours * HOUR) * share <= 0.06
    over = found.ended(begin + DAY)
    assert over is not None
    assert begin + hours * HOUR <= over <= begin + (hours + 6) * HOUR
    assert found.spent - before == pytest.approx(share * LIMIT, rel=1e-6)


@pytest.mark.parametrize(("times", "pair"), [(3.5, BURN[2]), (2.1, BURN[3])])
def test_a_slow_runaway_is_told_of_within_a_day(times: float, pair: BurnParams) -> None:
    """So many times the even pace, day and night; any working week has less."""
    found = burning()
    ((line, at), *_) = told(found, steady(times * 3 / 30, 0, 3 * DAY, 60))
    assert line == "burn"
    assert at <= DAY
    assert found.burning == pair


def test_what_ends_soon_enough_is_not_told_of() -> None:
    """Half the budget is left in the last hours: at any such pace it lasts."""
    found = burning()
    assert told(found, steady(0.45, 0, 29 * DAY, 300)) == []
    assert told(found, steady(0.03, MONTH - 2 * HOUR, HOUR)) == []


def test_what_burns_low_again_for_a_moment_is_not_over() -> None:
    found = burning()
    hot = list(steady(0.10, 0, 2 * HOUR))
    pauses = [(amount, at) for amount, at in hot if at % 1200 > 300]
    said = told(found, pauses)
    assert [line for line, _ in said] == ["burn"]


def test_a_line_takes_the_place_of_burn_and_stays_when_that_calms() -> None:
    found = burning()
    said = told(found, steady(0.85, 0, 4 * HOUR))
    assert [line for line, _ in said] == ["burn", "soft"]
    assert found.ended(29 * DAY) is None
    assert found.ended(31 * DAY) == MONTH


def test_the_projection_carries_the_pace_of_a_day_on_and_does_not_jump_with_the_night() -> None:
    found, seen = burning(), list[float]()
    for amount, at in office_hours(1.5, days=5):
        found.add(amount, at)
        if at > 1.5 * DAY:
            seen.append(found.exhausted_at(found.memory) / DAY)
    night = found.now + 9 * HOUR
    found.add(0, night)
    # Two thirds of a month of 22 workdays are 14.7 of them, taken for days in a row.
    assert all(13 < day < 18 for day in [*seen, found.exhausted_at(found.memory) / DAY])


def test_what_spends_nothing_is_never_exhausted() -> None:
    assert burning().exhausted_at(DAY) == math.inf


def test_a_higher_limit_ends_what_was_said_of_the_lower_one() -> None:
    found = budget(100, 80)
    assert lines(found, [100]) == ["hard"]
    again = budget(200, 160)
    again.restore(found.snapshot())
    assert again.ended(1.0) == 0.0
    assert lines(again, [59], 1.0) == []
    assert lines(again, [1], 2.0) == ["soft"]


def test_a_lower_limit_is_seen_with_the_next_amount() -> None:
    found = budget(100, 80)
    assert lines(found, [81]) == ["soft"]
    again = budget(50, 40)
    again.restore(found.snapshot())
    assert again.ended(1.0) is None
    assert lines(again, [1], 1.0) == ["hard"]


def test_burn_that_is_no_longer_asked_for_is_over() -> None:
    found = burning()
    told(found, steady(0.05, 0, HOUR))
    assert found.line == "burn"
    again = budget(LIMIT, LIMIT * 8 // 10)
    again.restore(found.snapshot())
    assert again.burning is None
    assert again.ended(HOUR) == 4 * 300.0 or again.line == ""


@pytest.mark.parametrize(("limit", "soft"), [(0, 0), (-1, 1), (10, 0), (10, 11)])
def test_a_budget_that_makes_no_sense_is_refused(limit: int, soft: int) -> None:
    with pytest.raises(ValueError, match="limit above 0"):
        budget(limit, soft)


@pytest.mark.parametrize("at", [math.nan, math.inf, -math.inf])
def test_a_time_that_is_none_is_refused_and_changes_nothing(at: float) -> None:
    found = budget()
    found.add(1, 5.0)
    before = found.snapshot()
    with pytest.raises(ValueError):
        found.add(1, at)
    assert found.snapshot() == before
