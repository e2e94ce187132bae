"""The desk: incidents and commands stay in step."""

from alerts.decide import Because
from alerts.desk import AlertDesk
from alerts.dispatcher import Dispatcher
from alerts.kept import MOST_ALERTS
from alerts.routes import Route
from alerts.throttle.book import Change
from alerts.throttle.command import Command
from alerts.throttle.ledger import Ledger
from alerts.throttle.policy import Policy
from tests.alerts.build import NOW, TRIAGE, alert

PAUSE = Policy(kind="burst", scope="agent", action="pause", mode="enforce")


def desk(policy: Policy = PAUSE) -> AlertDesk:
    ledger = Ledger([policy], hold=10, tombstone=100)
    return AlertDesk(Dispatcher([Route(receiver="finops", group_by=("tenant",))]), ledger)


def commands(changes: list[Change]) -> list[Command]:
    return [change.command for change in changes if change.command]


def test_an_incident_is_said_to_be_over_only_when_its_command_is_released() -> None:
    """The closing notice tells of the release."""
    found = desk()
    (issued,) = commands(found.submit(alert(), NOW))
    (first,) = found.dispatcher.pending(NOW + 2)
    found.dispatcher.delivered(first, "ref", NOW + 2)
    found.submit(alert(state="closed"), NOW + 5)
    assert list(found.dispatcher.pending(NOW + 6)) == []
    (released,) = commands(found.tick(NOW + 10))
    assert (issued.action, released.action) == ("pause", "release")
    (last,) = found.dispatcher.pending(NOW + 10)
    assert last.because == "resolved"
    assert any("released" in note for note in last.incident.notes)


def test_a_record_written_again_after_a_crash_issues_no_second_command() -> None:
    found = desk()
    found.submit(alert(), NOW)
    found.submit(alert(state="closed"), NOW + 1)
    assert [command.action for command in commands(found.tick(NOW + 10))] == ["release"]
    assert commands(found.submit(alert(), NOW + 11)) == []


def test_the_end_of_an_alert_that_no_incident_holds_still_frees_its_command() -> None:
    """An incident keeps only so many alerts; commands wait for the end of all."""
    found = desk()
    names = [f"alert-{number}" for number in range(MOST_ALERTS + 1)]
    for name in names:
        found.submit(alert(name), NOW)
    for name in names:
        found.submit(alert(name, state="closed"), NOW + 1)
    assert [command.action for command in commands(found.tick(NOW + 10))] == ["release"]


def told(found: AlertDesk, after: float) -> list[tuple[str, Because, list[str]]]:
    """Deliver all that is due: to whom, why, and with which commands."""
    due = list(found.dispatcher.pending(NOW + after))
    for one in due:
        found.dispatcher.delivered(one, "ref", NOW + after)
    return [(one.receiver, one.because, one.incident.commands) for one in due]


def test_who_learns_of_an_alert_after_it_was_throttled_learns_of_the_command_and_of_the_end_at_its_release() -> None:
    routes = [Route(receiver="pager", match={"severity": "critical"}, go_on=True), Route(receiver="finops")]
    found = AlertDesk(Dispatcher(routes), Ledger([PAUSE], hold=60))
    (issued,) = found.submit(alert(), NOW)
    assert told(found, 2) == [("finops", "new", [issued.key])]
    found.submit(alert(state="updated", after=20, severity="critical"), NOW + 20)
    assert told(found, 22) == [("pager", "new", [issued.key])]
    found.submit(alert(state="closed", after=30, severity="critical"), NOW + 30)
    assert told(found, 31) == []
    assert [command.action for command in commands(found.tick(NOW + 60))] == ["release"]
    assert told(found, 60) == [("finops", "resolved", []), ("pager", "resolved", [])]


def test_who_is_told_of_an_alert_beside_an_incident_takes_over_no_command_of_its_other_alerts() -> None:
    """A command is of those who tell of its alert."""
    routes = [Route(receiver="finops", group_by=("tenant",), go_on=True), Route(receiver="audit")]
    found = AlertDesk(Dispatcher(routes), Ledger([PAUSE]))
    (issued,) = found.submit(alert("a1"), NOW)
    found.submit(alert("a2", labels={**TRIAGE, "kind": "loop"}), NOW)
    assert {one.receiver: one.commands for one in found.dispatcher.holding("a2")} == {
        "finops": [issued.key],
        "audit": [],
    }


def test_a_suggestion_keeps_no_incident_open() -> None:
    found = desk(Policy(kind="burst", scope="agent", action="pause", mode="suggest"))
    found.submit(alert(), NOW)
    (first,) = found.dispatcher.pending(NOW + 2)
    found.dispatcher.delivered(first, "ref", NOW + 2)
    found.submit(alert(state="closed"), NOW + 5)
    assert [notification.because for notification in found.dispatcher.pending(NOW + 6)] == ["resolved"]


def test_switched_off_the_ledger_releases_all_and_issues_none() -> None:
    """The global switch works over a restart."""
    before = desk()
    before.submit(alert(), NOW)
    states = dict(before.ledger.changes())
    after = Ledger([PAUSE], enabled=False)
    after.restore({key: state for key, state in states.items() if state})
    assert [command.action for command in commands(after.tick(NOW + 1))] == ["release"]
    assert after.submit(alert("another"), "incident", NOW + 2) == []
