"""Which alert leads to which action, and on whom."""

import pytest

from alerts.throttle.command import CommandScope
from alerts.throttle.policy import Policy, ScopeLevel, policy_for
from tests.alerts.build import TRIAGE, alert


def policy(kind: str = "burst", scope: ScopeLevel = "agent") -> Policy:
    return Policy(kind=kind, scope=scope, action="pause")


@pytest.mark.parametrize(
    ("level", "scope"),
    [
        ("tenant", CommandScope("acme")),
        ("use_case", CommandScope("acme", "support")),
        ("agent", CommandScope("acme", "support", "triage")),
        ("session", CommandScope("acme", session="s1")),
    ],
)
def test_a_command_binds_the_level_of_its_policy(level: ScopeLevel, scope: CommandScope) -> None:
    assert policy(scope=level).scope_of({**TRIAGE, "session": "s1", "model": "large"}) == scope


def test_where_an_alert_names_less_the_command_binds_what_it_names() -> None:
    assert policy(scope="session").scope_of({"tenant": "acme", "use_case": "support"}) == CommandScope(
        "acme", "support"
    )
    assert policy(scope="agent").scope_of({"tenant": "acme", "agent": "triage"}) == CommandScope("acme", agent="triage")


def test_the_first_policy_of_the_alerts_kind_holds() -> None:
    loop, first, second = policy("loop"), policy("burst"), policy("burst", "tenant")
    assert policy_for([loop, first, second], alert()) is first
    assert policy_for([loop], alert()) is None
    assert policy_for([loop], alert(labels={"tenant": "acme"})) is None


def test_a_policy_that_names_a_line_takes_a_budget_at_that_line_only() -> None:
    hard, every = Policy(kind="budget", line="hard", action="pause", scope="tenant"), policy("budget")
    at_soft = alert(labels={"tenant": "acme", "kind": "budget", "line": "soft"})
    at_hard = alert(labels={"tenant": "acme", "kind": "budget", "line": "hard"})
    assert policy_for([hard], at_soft) is None
    assert policy_for([hard, every], at_soft) is every
    assert policy_for([hard, every], at_hard) is hard


def test_a_policy_suggests_unless_it_is_told_to_enforce() -> None:
    assert policy().mode == "suggest"
