"""A budget warns once at its soft line and once at its hard line, and starts anew with the month."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import BudgetDetector, BudgetLine

AMOUNTS = st.lists(st.decimals(0, 50, places=4), max_size=40)


def lines(budget: BudgetDetector, amounts: list[Decimal], period: str = "2026-11") -> list[BudgetLine]:
    return [line for amount in amounts if (line := budget.add(amount, period))]


def test_the_soft_line_is_said_once_and_then_the_hard_one_once() -> None:
    budget = BudgetDetector(Decimal(10), Decimal("0.8"))
    assert lines(budget, [Decimal("7.9999")]) == []
    assert lines(budget, [Decimal("0.0001"), Decimal(1)]) == ["soft"]
    assert lines(budget, [Decimal(1), Decimal(1), Decimal(100)]) == ["hard"]


def test_a_leap_over_both_lines_says_the_hard_one_alone() -> None:
    budget = BudgetDetector(Decimal(10))
    assert lines(budget, [Decimal(50), Decimal(1)]) == ["hard"]


def test_the_month_rolls_over_and_its_lines_are_said_again() -> None:
    budget = BudgetDetector(Decimal(10))
    assert lines(budget, [Decimal(9), Decimal(9)], "2026-12") == ["soft", "hard"]
    assert lines(budget, [Decimal(1)], "2027-01") == []
    assert (budget.period, budget.spent) == ("2027-01", Decimal(1))
    assert lines(budget, [Decimal(7), Decimal(2)], "2027-01") == ["soft", "hard"]


def test_an_account_that_is_closed_stays_closed() -> None:
    budget = BudgetDetector(Decimal(10))
    lines(budget, [Decimal(1)], "2026-12")
    assert lines(budget, [Decimal(100)], "2026-11") == []
    assert (budget.period, budget.spent) == ("2026-12", Decimal(1))


def test_a_credit_does_not_make_a_line_be_said_twice() -> None:
    budget = BudgetDetector(Decimal(10))
    assert lines(budget, [Decimal(9), Decimal(-5), Decimal(5)]) == ["soft"]


@settings(max_examples=100, deadline=None)
@given(AMOUNTS)
def test_what_is_spent_is_the_exact_sum_and_each_line_is_said_at_the_most_once(amounts: list[Decimal]) -> None:
    budget = BudgetDetector(Decimal(100), Decimal("0.5"))
    said = lines(budget, amounts)
    assert budget.spent == sum(amounts, Decimal(0))
    assert said in ([], ["soft"], ["hard"], ["soft", "hard"])
    assert ("hard" in said) == (budget.spent >= 100)
    assert bool(said) == (budget.spent >= 50)


@pytest.mark.parametrize(("limit", "soft"), [("0", "0.8"), ("-1", "0.8"), ("1", "0"), ("1", "1.1")])
def test_a_budget_that_makes_no_sense_is_refused(limit: str, soft: str) -> None:
    with pytest.raises(ValueError, match="limit above 0"):
        BudgetDetector(Decimal(limit), Decimal(soft))
