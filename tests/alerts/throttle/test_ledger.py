"""The commands in force: issued once, renewed while needed, released when not, then forgotten."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from alerts.alert import AlertState, Label
from alerts.incident import moment
from alerts.throttle.book import Change
from alerts.throttle.command import Ack, Command, CommandReason, CommandScope, Mode
from alerts.throttle.ledger import Ledger
from alerts.throttle.policy import Policy
from tests.alerts.build import NOW, TRIAGE, alert

KEY = "tenant=acme/use_case=support/agent=triage"
POLICY = Policy(
    kind="burst", scope="agent", action="limit_rate", mode="enforce", params={"requests_per_minute": 30}, expires=900
)


def ledger(*policies: Policy, most: int = 100) -> Ledger:
    return Ledger(policies or (POLICY,), hold=60, tombstone=300, most=most)


def issued(found: Ledger, name: str = "a1", at: float = 0, **labels: str) -> Command:
    """Submit an alert that leads to a command."""
    named: dict[Label, str] = {**TRIAGE, **labels}  # type: ignore[dict-item]
    (change,) = found.submit(alert(name, labels=named), "incident-1", NOW + at)
    assert change.command is not None
    return change.command


def over(found: Ledger, name: str = "a1", at: float = 1) -> None:
    assert found.submit(alert(name, "closed", after=at), "incident-1", NOW + at) == []


def passed(found: Ledger, at: float) -> list[Change]:
    return found.tick(NOW + at)


def test_an_alert_leads_to_a_command_with_reason_and_expiry() -> None:
    command = issued(ledger())
    assert (command.scope.key(), command.generation, command.mode) == (KEY, 1, "enforce")
    assert (command.action, command.params) == ("limit_rate", {"requests_per_minute": 30})
    assert (command.issued_at.timestamp(), command.expires_at.timestamp()) == (NOW, NOW + 900)
    assert (command.reason.incident, command.reason.detector) == ("incident-1", "rate")
    assert (command.reason.observed, command.reason.expected, command.reason.usd_per_hour) == (120.0, 20.0, "18.20")


def test_an_alert_without_a_policy_leads_to_none() -> None:
    assert ledger().submit(alert(labels={**TRIAGE, "kind": "drift"}), "incident-1", NOW) == []
    assert Ledger([]).submit(alert(), "incident-1", NOW) == []


def test_a_command_is_issued_once_a_scope() -> None:
    found = ledger()
    issued(found)
    assert found.submit(alert(state="updated", after=1), "incident-1", NOW + 1) == []
    assert found.submit(alert("a2", after=2), "incident-2", NOW + 2) == []
    assert len(found.live()) == 1
    issued(found, "a3", agent="writer")
    assert len(found.live()) == 2


def test_what_is_to_be_enforced_takes_the_place_of_a_suggestion() -> None:
    """And it stays until the causes of both are over."""
    suggestion = Policy(kind="loop", scope="agent", action="pause", mode="suggest")
    found = ledger(suggestion, POLICY, most=1)
    assert issued(found, "a1", kind="loop").mode == "suggest"
    command = issued(found, "a2", at=1)
    assert (command.mode, command.action, command.generation) == ("enforce", "limit_rate", 2)
    assert len(found.live()) == 1
    over(found, "a2", at=2)
    assert passed(found, 100) == []
    over(found, "a1", at=101)
    assert [change.command.action for change in passed(found, 102) if change.command] == ["release"]


def test_a_command_is_renewed_before_it_expires_while_its_cause_goes_on() -> None:
    found = ledger()
    first = issued(found)
    assert passed(found, 894) == []
    (change,) = passed(found, 895)
    assert change.command is not None
    assert (change.key, change.command.generation, change.command.action) == (KEY, 2, "limit_rate")
    assert (change.command.expires_at.timestamp(), change.command.params) == (NOW + 1795, first.params)
    assert change.command.id != first.id
    assert passed(found, 896) == []


def test_a_short_command_is_renewed_in_time_too() -> None:
    found = ledger(Policy(kind="burst", scope="agent", action="pause", expires=4))
    issued(found)
    assert [len(passed(found, at)) for at in (2.9, 3.0, 3.1)] == [0, 1, 0]


def test_a_command_is_released_after_its_hold_when_its_cause_is_over() -> None:
    found = ledger()
    issued(found)
    over(found, at=10)
    assert passed(found, 59) == []
    (change,) = passed(found, 60)
    assert change.command is not None
    assert (change.command.action, change.command.params, change.command.generation) == ("release", {}, 2)
    assert change.command.mode == "enforce"
    assert (found.live(), passed(found, 61)) == ([], [])


def test_a_command_whose_cause_is_over_late_is_released_at_once() -> None:
    found = ledger()
    issued(found)
    assert len(passed(found, 895)) == 1
    over(found, at=1000)
    assert [change.command.action for change in passed(found, 1001) if change.command] == ["release"]


def test_a_command_is_released_when_it_expires_before_its_hold_ends() -> None:
    found = ledger(Policy(kind="burst", scope="agent", action="pause", expires=20))
    issued(found)
    over(found)
    assert [len(passed(found, at)) for at in (19, 20)] == [0, 1]


def test_a_command_waits_for_its_last_cause() -> None:
    found = ledger()
    issued(found)
    found.submit(alert("a2"), "incident-1", NOW)
    over(found, "a1")
    assert passed(found, 60) == []
    over(found, "a2")
    assert len(passed(found, 61)) == 1


def test_a_cause_that_comes_back_within_the_hold_keeps_the_command() -> None:
    """So that it does not flap."""
    found = ledger()
    issued(found)
    over(found, at=10)
    assert found.submit(alert("a2", after=20), "incident-2", NOW + 20) == []
    assert passed(found, 60) == []


def test_a_release_is_followed_by_a_tombstone() -> None:
    found = ledger()
    issued(found)
    over(found)
    passed(found, 60)
    assert passed(found, 359) == []
    assert passed(found, 360) == [Change(KEY, None)]
    assert passed(found, 9999) == []


def test_generations_grow_until_the_tombstone() -> None:
    found = ledger()
    assert issued(found).generation == 1
    over(found)
    passed(found, 60)
    assert issued(found, "a2", at=100).generation == 3
    assert passed(found, 360) == []
    over(found, "a2", at=361)
    passed(found, 362)
    passed(found, 662)
    assert issued(found, "a3", at=700).generation == 1


def test_past_the_most_live_commands_none_is_issued() -> None:
    found = ledger(most=1)
    issued(found)
    assert found.submit(alert("a2", labels={**TRIAGE, "agent": "writer"}), "incident-1", NOW) == []
    assert (found.refused, len(found.live())) == ({"too_many": 1}, 1)
    over(found)
    passed(found, 60)
    assert issued(found, "a2", at=61, agent="writer").generation == 1


def test_the_end_of_an_unknown_alert_changes_nothing() -> None:
    found = ledger()
    over(found, "unknown")
    issued(found)
    list(found.changes())
    over(found, "unknown")
    assert (list(found.changes()), passed(found, 60)) == ([], [])


def test_a_replayed_alert_leads_to_nothing_new() -> None:
    """Crash replay sends the same record again."""
    found = ledger()
    issued(found)
    assert found.submit(alert(), "incident-1", NOW + 1) == []
    over(found, at=2)
    over(found, at=2)
    assert len(passed(found, 60)) == 1


def acked(
    found: Ledger, command: Command, state: str = "applied", gateway: str = "edge-1", at: float = 1
) -> str | None:
    told = Ack(command=command.id, gateway=gateway, state=state, at=moment(NOW + at))  # type: ignore[arg-type]
    return found.acknowledge(told, NOW + at)


def test_the_incident_of_a_command_is_known_until_the_tombstone() -> None:
    found = ledger()
    command = issued(found)
    assert acked(found, command) == "incident-1"
    assert acked(found, msgspec.structs.replace(command, id="unknown")) is None
    over(found)
    (change,) = passed(found, 60)
    assert change.command is not None
    assert acked(found, change.command, "released") == "incident-1"
    passed(found, 360)
    assert acked(found, change.command, "released", "edge-2") is None


def test_what_a_gateway_says_again_is_no_news() -> None:
    """Nor is its word on a renewal."""
    found = ledger()
    command = issued(found)
    assert [acked(found, command), acked(found, command), acked(found, command, gateway="edge-2")] == [
        "incident-1",
        "",
        "incident-1",
    ]
    (change,) = passed(found, 895)
    assert change.command is not None
    assert acked(found, change.command) == ""


def test_changes_are_given_once_and_none_for_the_buried() -> None:
    found = ledger()
    issued(found)
    assert [(key, state is not None) for key, state in found.changes()] == [(KEY, True)]
    assert list(found.changes()) == []
    over(found)
    passed(found, 60)
    passed(found, 360)
    assert list(found.changes()) == [(KEY, None)]


def test_a_restored_ledger_goes_on_where_it_was() -> None:
    found = ledger()
    command = issued(found)
    found.submit(alert("a2"), "incident-1", NOW)
    issued(found, "a3", agent="writer")
    over(found, "a3")
    passed(found, 60)
    again = ledger()
    again.restore({key: state for key, state in found.changes() if state})
    assert list(again.changes()) == []
    assert again.live() == found.live() == [command]
    for at in (359, 360, 894, 895, 2000):
        assert passed(again, at) == passed(found, at)


DEGRADE = Policy(kind="budget", line="soft", scope="use_case", action="downgrade_model", mode="enforce", expires=900)
PAUSE = Policy(kind="budget", line="hard", scope="use_case", action="pause", mode="enforce", expires=900)
BUDGET: dict[Label, str] = {"tenant": "acme", "use_case": "support", "kind": "budget"}


def crossed(found: Ledger, line: str, at: float, name: str = "a1") -> list[str]:
    """The actions that a budget's alert leads to when it comes to a line."""
    told = alert(name, "opened" if at == 0 else "updated", after=at, labels={**BUDGET, "line": line})
    return [change.command.action for change in found.submit(told, "incident-1", NOW + at) if change.command]


def test_a_budget_degrades_at_the_soft_line_and_pauses_at_the_hard_one() -> None:
    found = ledger(DEGRADE, PAUSE)
    assert crossed(found, "burn", 0) == []
    assert crossed(found, "soft", 1) == ["downgrade_model"]
    assert crossed(found, "soft", 2) == []
    assert crossed(found, "hard", 3) == ["pause"]
    assert crossed(found, "hard", 4) == []
    (command,) = found.live()
    assert (command.action, command.generation, command.scope.key()) == ("pause", 2, "tenant=acme/use_case=support")
    over(found, at=5)
    assert [change.command.action for change in passed(found, 100) if change.command] == ["release"]


def test_a_line_of_another_scope_lets_go_of_the_narrower_command_that_it_led_to_before() -> None:
    """Else the most specific one would go on binding: degraded, where it is to be paused."""
    wide = Policy(kind="budget", line="hard", scope="tenant", action="pause", mode="enforce", expires=900)
    found = ledger(DEGRADE, wide)
    crossed(found, "soft", 0)
    assert crossed(found, "hard", 1) == ["pause"]
    assert [(change.key, change.command.action) for change in passed(found, 100) if change.command] == [
        ("tenant=acme/use_case=support", "release")
    ]


def test_a_raised_alert_keeps_its_command_where_there_is_no_room_for_the_stronger_one() -> None:
    wide = Policy(kind="budget", line="hard", scope="tenant", action="pause", mode="enforce", expires=900)
    found = ledger(DEGRADE, wide, most=1)
    crossed(found, "soft", 0)
    assert crossed(found, "hard", 1) == []
    assert found.refused == {"too_many": 1}
    assert passed(found, 100) == []


def test_a_new_line_may_tighten_the_same_action() -> None:
    tight = Policy(kind="budget", line="hard", scope="use_case", action="downgrade_model", mode="enforce", expires=900)
    found = ledger(DEGRADE, Policy(**{**_fields(tight), "params": {"model": "small"}}))
    crossed(found, "soft", 0)
    assert crossed(found, "hard", 1) == ["downgrade_model"]
    assert found.live()[0].params == {"model": "small"}


def test_a_weaker_policy_of_another_alert_does_not_loosen_a_pause() -> None:
    found = ledger(DEGRADE, PAUSE)
    assert crossed(found, "hard", 0) == ["pause"]
    assert crossed(found, "soft", 1, "a2") == []
    over(found, "a1", at=2)
    assert passed(found, 100) == []
    over(found, "a2", at=101)
    assert len(passed(found, 200)) == 1


def test_lines_survive_a_restart() -> None:
    found, again = ledger(DEGRADE, PAUSE), ledger(DEGRADE, PAUSE)
    crossed(found, "soft", 0)
    again.restore({key: state for key, state in found.changes() if state})
    assert crossed(again, "soft", 1) == []
    assert crossed(again, "hard", 2) == ["pause"]


def _fields(policy: Policy) -> dict[str, Any]:
    return {name: getattr(policy, name) for name in policy.__struct_fields__}


# What stops the leak, what it saves, who may forbid it


ESCALATING = Policy(
    kind="loop", scope="session", action="limit_rate", mode="enforce", params={"requests_per_minute": 6}, escalate=60
)
LOOP: dict[Label, str] = {**TRIAGE, "kind": "loop", "session": "s1"}
SESSION, AGENT = "tenant=acme/session=s1", KEY


def told(found: Ledger, at: float, rate: str = "18.20", usd: str = "1.50", name: str = "a1") -> list[Change]:
    """A loop's alert as it stands after a while."""
    heard = alert(name, "opened" if at == 0 else "updated", after=at, labels=LOOP, usd=usd)
    return found.submit(msgspec.structs.replace(heard, usd_per_hour=Decimal(rate)), "incident-1", NOW + at)


def bound(changes: list[Change]) -> list[tuple[str, str]]:
    return [(change.key, change.command.action) for change in changes if change.command]


def test_what_does_not_stop_the_leak_is_followed_by_a_pause_and_then_by_a_wider_one() -> None:
    found = ledger(ESCALATING)
    assert bound(told(found, 0)) == [(SESSION, "limit_rate")]
    told(found, 40)
    assert passed(found, 59) == []
    assert bound(passed(found, 60)) == [(SESSION, "pause")]
    told(found, 100)
    assert bound(passed(found, 120)) == [(AGENT, "pause")]
    told(found, 160)
    assert bound(passed(found, 180)) == []
    assert {command.scope.key() for command in found.live()} == {SESSION, AGENT}
    found.submit(alert("a1", "closed", after=181), "incident-1", NOW + 181)
    assert sorted(bound(passed(found, 250))) == [(SESSION, "release"), (AGENT, "release")]


def test_what_stops_nowhere_is_followed_up_to_the_widest_scope_that_its_policy_allows() -> None:
    found = ledger(msgspec.structs.replace(ESCALATING, widest="tenant"))
    told(found, 0)
    seen = []
    for at in range(60, 421, 60):
        told(found, at - 20)
        seen += bound(passed(found, at))
    wider = [SESSION, AGENT, "tenant=acme/use_case=support", "tenant=acme"]
    assert seen == [(key, "pause") for key in wider]


def test_a_rate_that_has_fallen_or_says_nothing_more_is_left_alone() -> None:
    fallen, quiet = ledger(ESCALATING), ledger(ESCALATING)
    told(fallen, 0)
    told(fallen, 40, rate="9.00")
    told(quiet, 0)
    told(quiet, 20)
    assert passed(fallen, 60) == passed(quiet, 60) == []
    told(fallen, 70, rate="18.00")
    assert bound(passed(fallen, 71)) == [(SESSION, "pause")]


def test_one_tool_is_blocked_before_all_where_the_alert_names_one() -> None:
    block = Policy(kind="loop", scope="session", action="block_tool", mode="enforce")
    found = ledger(block, Policy(kind="loop", scope="session", action="pause", mode="enforce"))
    (named,) = found.submit(alert(labels={**LOOP, "tool": "search"}), "incident-1", NOW)
    (unnamed,) = found.submit(alert("a2", labels={**LOOP, "session": "s2"}), "incident-1", NOW)
    assert named.command and unnamed.command
    assert (named.command.action, named.command.params) == ("block_tool", {"tool": "search"})
    assert (unnamed.command.action, unnamed.command.params) == ("pause", {})


def test_brackets_in_a_critical_tenants_name_stand_for_themselves() -> None:
    tenant = "bank [prod]"
    (change,) = Ledger([ESCALATING], critical=(tenant,)).submit(alert(labels={**LOOP, "tenant": tenant}), "i", NOW)
    assert change.command and change.command.mode == "suggest"


def test_a_critical_tenant_is_throttled_by_people_only() -> None:
    found = Ledger([ESCALATING], critical=("ac*",))
    (change,) = told(found, 0)
    assert change.command and change.command.mode == "suggest"
    told(found, 100)
    assert passed(found, 101) == []
    (change,) = found.enforce(alert(labels=LOOP), "incident-1", NOW + 102)
    assert change.command
    assert (change.command.mode, change.command.action, change.command.generation) == ("enforce", "limit_rate", 2)
    told(found, 190)
    assert passed(found, 200) == []


def test_a_tenant_that_becomes_critical_while_it_is_throttled_is_let_go_and_a_person_asked() -> None:
    before, found = ledger(ESCALATING), Ledger([ESCALATING], critical=("acme",))
    told(before, 0)
    found.restore({key: state for key, state in before.changes() if state})
    told(found, 894)
    assert bound(passed(found, 895)) == [(SESSION, "release")]
    (change,) = told(found, 896)
    assert change.command and change.command.mode == "suggest"


def test_what_a_person_throttled_stays_where_its_tenant_becomes_critical() -> None:
    before, found = ledger(ESCALATING), Ledger([ESCALATING], critical=("acme",))
    told(before, 0)
    before.enforce(alert(labels=LOOP), "incident-1", NOW)
    found.restore({key: state for key, state in before.changes() if state})
    (change,) = passed(found, 895)
    assert change.command and (change.command.action, change.command.mode) == ("limit_rate", "enforce")


def test_what_a_command_saved_is_the_rate_it_stopped_less_what_came_through() -> None:
    found = ledger(ESCALATING)
    (change,) = told(found, 0, rate="36", usd="1.00")
    assert change.command
    acked(found, change.command, at=10)
    told(found, 20, rate="36", usd="1.25")
    found.submit(alert("a1", "closed", after=50, usd="1.50"), "incident-1", NOW + 50)
    (release,) = passed(found, 110)
    assert release.saved == Decimal("0.50")  # 100 seconds of a cent each, and half a dollar that came through


def test_what_no_gateway_obeyed_has_saved_nothing() -> None:
    found = ledger(ESCALATING)
    (change,) = told(found, 0)
    assert change.command
    acked(found, change.command, "refused")
    found.submit(alert("a1", "closed", after=50), "incident-1", NOW + 50)
    assert [release.saved for release in passed(found, 1000)] == [Decimal(0)]


def test_what_a_command_saved_before_a_stronger_one_counts_too() -> None:
    found = ledger(ESCALATING)
    (change,) = told(found, 0, rate="36")
    assert change.command
    acked(found, change.command, at=0)
    told(found, 80, rate="36")
    (pause,) = passed(found, 100)
    assert pause.command and pause.command.action == "pause"
    acked(found, pause.command, at=100)
    found.submit(alert("a1", "closed", after=101), "incident-1", NOW + 101)
    assert [release.saved for release in passed(found, 200)] == [Decimal("2")]


def test_a_scope_that_comes_back_soon_is_held_longer() -> None:
    found = Ledger([POLICY], hold=60, cool_down=100, tombstone=0)
    issued(found)
    over(found, at=1)
    assert len(passed(found, 60)) == 1
    issued(found, "a2", at=100)
    over(found, "a2", at=101)
    assert [len(passed(found, at)) for at in (160, 219, 220)] == [0, 0, 1]
    issued(found, "a3", at=330)
    over(found, "a3", at=331)
    assert [len(passed(found, at)) for at in (389, 390)] == [0, 1]


def test_an_alert_that_a_person_let_go_leads_to_no_command_until_it_is_over() -> None:
    found = ledger(ESCALATING)
    told(found, 0)
    assert bound(found.let_go([SESSION], [], NOW + 1)) == [(SESSION, "release")]
    assert told(found, 2) == []
    again = ledger(ESCALATING)
    again.restore({key: state for key, state in found.changes() if state})
    assert told(again, 3) == []
    again.submit(alert("a1", "closed", after=4), "incident-1", NOW + 4)
    assert bound(told(again, 5, name="a2")) == [(SESSION, "limit_rate")]


def test_what_a_person_throttles_by_its_scope_lasts_as_long_as_they_say() -> None:
    found, scope = ledger(), CommandScope("acme", session="s9")
    reason = CommandReason("", "person", "throttled by a person", 0, 0, "0")
    (change,) = found.impose(scope, reason, NOW, NOW + 100)
    assert change.command
    assert (change.command.action, change.command.expires_at.timestamp()) == ("pause", NOW + 100)
    assert passed(found, 99) == []
    assert bound(passed(found, 100)) == [(scope.key(), "release")]
    (change,) = found.impose(CommandScope("acme"), reason, NOW + 200, NOW + 9e9)
    assert change.command and (change.command.expires_at - change.command.issued_at).days == 1
    (change,) = found.impose(scope, reason, NOW + 200, None, tool="search")
    assert change.command and change.command.params == {"tool": "search"}


WORD = CommandReason("", "person", "throttled by a person", 0, 0, "0")


def test_what_a_person_throttles_where_nothing_stands_lasts_as_long_as_a_command_does() -> None:
    found, scope = ledger(), CommandScope("acme", session="s9")
    (change,) = found.impose(scope, WORD, NOW, None)
    assert change.command
    end = change.command.expires_at.timestamp() - NOW
    assert end > 60  # the hold of what an alert led to
    assert passed(found, end - 1) == []
    assert bound(passed(found, end)) == [(scope.key(), "release")]


@pytest.mark.parametrize("by_scope", [True, False])
@pytest.mark.parametrize("mode", ["suggest", "enforce"])
@pytest.mark.parametrize("restarted", [False, True])
def test_what_a_person_gave_an_end_is_over_then_whatever_goes_on(by_scope: bool, mode: Mode, restarted: bool) -> None:
    found = ledger(msgspec.structs.replace(ESCALATING, mode=mode, escalate=0))
    told(found, 0)
    if by_scope:
        (change,) = found.impose(CommandScope("acme", session="s1"), WORD, NOW + 10, NOW + 1810)
    else:
        (change,) = found.enforce(alert(labels=LOOP), "incident-1", NOW + 10, NOW + 1810)
    assert change.command and change.command.mode == "enforce"
    assert change.command.expires_at.timestamp() == NOW + 1810
    if restarted:
        found, before = ledger(ESCALATING), found
        found.restore({key: state for key, state in before.changes() if state})
    for at in range(60, 1810, 50):
        assert told(found, at) == passed(found, at) == []
    assert found.due == NOW + 1810
    assert bound(passed(found, 1810)) == [(SESSION, "release")]
    assert told(found, 1811) == []
    found.submit(alert("a1", "closed", after=1812), "incident-1", NOW + 1812)
    assert bound(told(found, 1813, name="a2")) == [(SESSION, "limit_rate")]


def test_what_a_person_gave_an_end_grows_stronger_until_then() -> None:
    found = ledger(ESCALATING)
    told(found, 0)
    found.enforce(alert(labels=LOOP), "incident-1", NOW, NOW + 90)
    told(found, 40)
    (pause,) = passed(found, 60)
    assert pause.command and (pause.command.action, pause.command.expires_at.timestamp()) == ("pause", NOW + 90)
    assert bound(passed(found, 90)) == [(SESSION, "release")]


def test_a_later_word_without_an_end_takes_back_the_end() -> None:
    found, scope = ledger(ESCALATING), CommandScope("acme", session="s1")
    told(found, 0)
    found.impose(scope, WORD, NOW, NOW + 50)
    (change,) = found.impose(scope, WORD, NOW + 1, None)
    assert change.command and change.command.expires_at.timestamp() == NOW + 901
    assert passed(found, 51) == []
    found.impose(scope, WORD, NOW + 52, NOW + 100)
    found.enforce(alert(labels=LOOP), "incident-1", NOW + 53)
    assert bound(passed(found, 100)) == [(SESSION, "limit_rate")]


def test_what_a_person_throttles_again_lasts_for_its_whole_time_again() -> None:
    found, scope = ledger(), CommandScope("acme", session="s9")
    found.impose(scope, WORD, NOW, None)
    (change,) = found.impose(scope, WORD, NOW + 800, None)
    assert change.command and (change.command.action, change.command.generation) == ("pause", 2)
    assert change.command.expires_at.timestamp() == NOW + 1700
    assert passed(found, 1699) == []
    assert bound(passed(found, 1700)) == [(scope.key(), "release")]


def test_a_suggestion_that_a_person_takes_ends_with_what_it_is_about() -> None:
    found = ledger(Policy(kind="loop", scope="session", action="pause", mode="suggest"))
    (suggestion,) = told(found, 0)
    assert suggestion.command
    (change,) = found.impose(suggestion.command.scope, suggestion.command.reason, NOW + 5, None)
    assert change.command and (change.command.mode, change.command.generation) == ("enforce", 2)
    assert found.impose(suggestion.command.scope, suggestion.command.reason, NOW + 6, None) == []
    found.submit(alert("a1", "closed", after=10), "incident-1", NOW + 10)
    assert [len(passed(found, at)) for at in (64, 65)] == [0, 1]


@pytest.mark.parametrize(("most", "enabled", "why"), [(0, True, "too_many"), (1, False, "off")])
def test_the_guard_rails_bind_people_too(most: int, enabled: bool, why: str) -> None:
    found = Ledger([ESCALATING], most=most, enabled=enabled)
    assert found.enforce(alert(labels=LOOP), "incident-1", NOW) == []
    assert found.refused == {why: 1}


def burst(found: Ledger, state: AlertState, at: float) -> list[Change]:
    """An alert that pauses the whole agent."""
    return found.submit(alert("burst", state, after=at, labels={**TRIAGE, "kind": "burst"}), "incident-2", NOW + at)


PAUSE_AGENT = Policy(kind="burst", scope="agent", action="pause", mode="enforce", expires=900)


def test_who_joins_a_wider_command_still_holds_it_after_a_restart() -> None:
    found, again = ledger(ESCALATING, PAUSE_AGENT), ledger(ESCALATING, PAUSE_AGENT)
    assert bound(burst(found, "opened", 0)) == [(AGENT, "pause")]
    told(found, 0)
    told(found, 40)
    assert bound(passed(found, 60)) == [(SESSION, "pause")]
    told(found, 100)
    kept = dict(found.changes())
    assert passed(found, 120) == []
    again.restore({key: state for key, state in {**kept, **dict(found.changes())}.items() if state})
    for one in (found, again):
        burst(one, "closed", 121)
        assert passed(one, 200) == []
        one.submit(alert("a1", "closed", after=201), "incident-1", NOW + 201)
        assert sorted(bound(passed(one, 300))) == [(SESSION, "release"), (AGENT, "release")]


def test_a_scope_that_is_bound_again_in_the_moment_of_its_burial_stays_bound() -> None:
    found = Ledger((ESCALATING, PAUSE_AGENT), hold=0, tombstone=0)
    told(found, 0)
    told(found, 40)
    assert bound(passed(found, 60)) == [(SESSION, "pause")]
    burst(found, "opened", 61)
    burst(found, "closed", 118)
    assert bound(passed(found, 119)) == [(AGENT, "release")]
    told(found, 119.5)
    changes = passed(found, 120)
    assert [(change.key, change.command and change.command.generation) for change in changes] == [(AGENT, 3)]
    assert {command.scope.key() for command in found.live()} == {SESSION, AGENT}
