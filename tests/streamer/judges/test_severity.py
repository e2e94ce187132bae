"""Severity is of dollars an hour and of the score, by configured steps."""

from decimal import Decimal

import pytest

from streamer.config import SeverityConfig
from streamer.judges.cases import Cases
from streamer.judges.policies import Policies
from streamer.judges.severity import severity_of
from streamer.records import Scope
from tests.streamer.judges.test_cases import SERIES, reading


@pytest.mark.parametrize(
    ("usd", "score", "severity"),
    [
        ("100", 0.0, "critical"),
        ("99.99", 0.89, "warning"),
        ("10", 0.9, "critical"),
        ("9.99", 0.95, "warning"),
        ("1", 0.0, "warning"),
        ("0.99", 0.59, "info"),
        ("0", 0.6, "warning"),
    ],
)
def test_the_default_steps(usd: str, score: float, severity: str) -> None:
    assert severity_of(Decimal(usd), score, SeverityConfig()) == severity


def test_other_steps_are_kept_to_by_the_cases() -> None:
    """A team with small budgets wants to be woken at two dollars an hour."""
    steps = SeverityConfig(critical_usd_per_hour=Decimal(2))
    found = []
    for each in (SeverityConfig(), steps):
        cases = Cases("acme", Policies(), each)
        cases.open("burst", SERIES, Scope("support"), 10.0, reading(0.5))
        found.append(cases.taken()[0].severity)
    assert found == ["warning", "critical"]
