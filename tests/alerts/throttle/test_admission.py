"""What a command in force lets through, for how long, and what is said about it."""

from typing import Any

import msgspec
import pytest

from alerts.incident import moment
from alerts.throttle.admission import ALLOWED, Admission, Request
from alerts.throttle.command import Action, Command, CommandReason, CommandScope
from alerts.throttle.gateway import GatewayState
from tests.alerts.build import NOW

REQUEST = Request(tenant="acme", use_case="support", agent="triage", session="s1", model="gpt-4o")
SESSION = CommandScope("acme", session="s1")


def command(action: Action, scope: CommandScope = SESSION, generation: int = 1, **params: int | str) -> Command:
    return Command(
        id=f"c{generation}",
        scope=scope,
        action=action,
        params=params,
        mode="enforce",
        reason=CommandReason("i7", "loop", "search called 6 times", 6, 1, "1"),
        issued_at=moment(NOW),
        expires_at=moment(NOW + 60),
        generation=generation,
    )


def admission(*commands: Command) -> Admission:
    state = GatewayState()
    for one in commands:
        state.apply(one.scope.key(), msgspec.json.encode(one), NOW)
    return Admission(state)


def admitted(known: Admission, *seconds: float, **changes: Any) -> list[bool]:
    asked = msgspec.structs.replace(REQUEST, **changes)
    return [known.decide(asked, NOW + second).allowed for second in seconds]


def test_without_commands_everything_goes_through() -> None:
    known = admission()
    assert known.decide(REQUEST, NOW) == ALLOWED
    assert not known.refused


def test_a_pause_refuses_its_scope_until_it_expires() -> None:
    known = admission(command("pause"))
    assert admitted(known, 0, 30, 59.9, 60) == [False, False, False, True]
    assert admitted(known, 1, session="s2") == [True]
    assert known.refused == {SESSION.key(): 3}


def test_whoever_is_refused_is_told_why_until_when_and_where_people_read_of_it() -> None:
    decision = admission(command("pause")).decide(REQUEST, NOW + 10.5)
    assert decision.reason == "Tidegate: this session is paused until 10:01:00 UTC: search called 6 times"
    assert (decision.verdict, decision.retry_after) == ("pause", 50)
    assert (decision.command, decision.incident) == ("c1", "i7")


@pytest.mark.parametrize(
    ("scope", "whom"),
    [
        (CommandScope("acme"), "tenant"),
        (CommandScope("acme", "support"), "use case"),
        (CommandScope("acme", "support", "triage"), "agent"),
    ],
)
def test_the_reason_names_what_is_bound(scope: CommandScope, whom: str) -> None:
    assert f"this {whom} is paused" in admission(command("pause", scope)).decide(REQUEST, NOW).reason


def test_a_release_lets_everything_through_again() -> None:
    known = admission(command("pause"), command("release", generation=2))
    assert admitted(known, 1) == [True]


def test_a_downgrade_lets_requests_through_to_another_model() -> None:
    known = admission(command("downgrade_model", model="gpt-4o-mini"))
    decision = known.decide(REQUEST, NOW)
    assert (decision.verdict, decision.allowed, decision.model) == ("downgrade", True, "gpt-4o-mini")
    assert known.decide(msgspec.structs.replace(REQUEST, model="gpt-4o-mini"), NOW) == ALLOWED


def test_a_blocked_tool_is_not_called_and_not_offered_and_all_else_goes_on() -> None:
    known = admission(command("block_tool", tool="search"))
    assert known.decide(REQUEST, NOW) == ALLOWED
    assert admitted(known, 0, tool="search") == [False]
    assert admitted(known, 0, tool="fetch", tools=("fetch",)) == [True]
    offered = known.decide(msgspec.structs.replace(REQUEST, tools=("fetch", "search")), NOW)
    assert (offered.verdict, offered.allowed, offered.without) == ("block", True, ("search",))


def test_a_cap_counts_the_steps_of_each_session() -> None:
    known = admission(command("cap_steps", CommandScope("acme"), steps=2))
    assert admitted(known, 0, 1, 2) == [True, True, False]
    assert admitted(known, 0, 1, 2, session="s2") == [True, True, False]


def test_what_was_counted_is_forgotten_with_its_command() -> None:
    known = admission(command("cap_steps", steps=1))
    assert admitted(known, 0, 1) == [True, False]
    known.forget(NOW + 30)
    assert admitted(known, 30) == [False]
    known.forget(NOW + 61)
    assert known._steps == {}


def test_a_rate_limit_holds_a_seconds_requests_and_refills() -> None:
    known = admission(command("limit_rate", CommandScope("acme"), requests_per_minute=180))
    assert admitted(known, *[0] * 5) == [True, True, True, False, False]
    assert admitted(known, 0.4, 0.4) == [True, False]
    assert admitted(known, *[10] * 4) == [True, True, True, False]


def test_a_slow_rate_limit_still_lets_single_requests_through_and_says_when() -> None:
    known = admission(command("limit_rate", CommandScope("acme"), requests_per_minute=30))
    assert admitted(known, 0, 0, 1.9, 2, 2.1, 4) == [True, False, False, True, False, True]
    assert known.decide(REQUEST, NOW + 4.5).retry_after == 2


def test_a_rate_limit_in_force_is_not_forgotten() -> None:
    known = admission(command("limit_rate", CommandScope("acme"), requests_per_minute=60))
    assert admitted(known, 0) == [True]
    known.forget(NOW)
    assert admitted(known, 0, 1) == [False, True]


def test_over_a_minute_a_rate_limit_lets_no_more_through_than_it_says() -> None:
    known = admission(command("limit_rate", CommandScope("acme"), requests_per_minute=300))
    assert sum(admitted(known, *[n / 100 for n in range(6000)])) in range(295, 306)


def test_all_requests_of_a_scope_share_its_limit_and_others_none() -> None:
    known = admission(command("limit_rate", CommandScope("acme"), requests_per_minute=60))
    assert admitted(known, 0, session="s1") == [True]
    assert admitted(known, 0, session="s2") == [False]
    assert admitted(known, 0, tenant="beta") == [True]


def test_a_limit_of_nothing_refuses_all_until_it_is_over() -> None:
    known = admission(command("limit_rate", CommandScope("acme"), requests_per_minute=0))
    assert admitted(known, 0, 30, 59) == [False, False, False]
    assert known.decide(REQUEST, NOW + 59).retry_after == 1
    assert admitted(known, 60) == [True]


def test_a_thousand_commands_cost_a_decision_nothing() -> None:
    """The scopes that may bind a request are looked up, not searched."""
    known = admission(*(command("pause", CommandScope("acme", session=f"s{n}")) for n in range(2, 1000)))

    class _Looked(dict[Any, Any]):
        count = 0

        def get(self, *arguments: Any) -> Any:
            self.count += 1
            return super().get(*arguments)

    looked = _Looked(known._state._known)
    known._state._known = looked
    assert known.decide(REQUEST, NOW) == ALLOWED
    assert looked.count == 8
