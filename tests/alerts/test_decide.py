"""The decision to notify, reason by reason."""

from datetime import timedelta
from typing import Literal, get_args

import pytest

from alerts.course import Sent
from alerts.decide import BECAUSE, Because, Held, Reason, decide
from alerts.routes import Route
from alerts.silences import Silence
from tests.alerts.build import NOW, START, alert, incident

ROUTE = Route(receiver="finops", group_wait=2, group_interval=60, repeat_interval=3600)


def decided(
    at: float,
    *,
    told_revision: int | None,
    resolved: bool = False,
    told_resolved: bool = False,
    lasted: float = 10,
    in_force: bool = False,
) -> Reason:
    """Decide about an incident of revision 2, noted at 0 and told at 10; resolved after `lasted` (seconds)."""
    found = incident(alert(), alert("a2"))
    found.state = "resolved" if resolved else "open"
    found.resolved_at = found.opened_at + timedelta(seconds=lasted) if resolved else None
    found.commands = ["tenant=acme"] if in_force else []
    assert found.revision == 2
    if told_revision is not None:
        found.sent = Sent("ref", told_revision, NOW + 10, told_resolved)
    return decide(found, ROUTE, NOW + at).reason


@pytest.mark.parametrize(
    ("at", "reason"),
    [(0, "group_wait"), (1.9, "group_wait"), (2, "new"), (9999, "new")],
)
def test_a_new_incident_waits_for_company_and_is_told(at: float, reason: Reason) -> None:
    assert decided(at, told_revision=None) == reason


@pytest.mark.parametrize("at", [0, 2, 9999])
def test_an_incident_that_ended_within_its_group_wait_is_not_told(at: float) -> None:
    assert decided(at, told_revision=None, resolved=True, lasted=2) == "never_told"


def test_the_end_of_what_should_have_been_told_is_told_even_if_its_beginning_could_not_be() -> None:
    """Slack was away for the whole of it."""
    assert decided(9999, told_revision=None, resolved=True, lasted=3) == "resolved"


@pytest.mark.parametrize("told_revision", [None, 1, 2])
def test_an_incident_is_not_over_while_its_commands_are_in_force(told_revision: int | None) -> None:
    assert decided(9999, told_revision=told_revision, resolved=True, in_force=True) == "in_force"


@pytest.mark.parametrize(
    ("at", "reason"),
    [(11, "group_interval"), (69.9, "group_interval"), (70, "changed"), (9999, "changed")],
)
def test_a_change_is_told_once_an_interval(at: float, reason: Reason) -> None:
    assert decided(at, told_revision=1) == reason


@pytest.mark.parametrize(("at", "reason"), [(11, "nothing_new"), (3609, "nothing_new"), (3610, "repeat")])
def test_an_unchanged_incident_is_repeated_after_long(at: float, reason: Reason) -> None:
    assert decided(at, told_revision=2) == reason


@pytest.mark.parametrize("revision", [1, 2])
def test_the_end_is_told_at_once(revision: int) -> None:
    assert decided(10, told_revision=revision, resolved=True) == "resolved"


@pytest.mark.parametrize("revision", [1, 2])
def test_the_end_is_told_once(revision: int) -> None:
    assert decided(9999, told_revision=revision, resolved=True, told_resolved=True) == "told_resolved"


@pytest.mark.parametrize("kind", ["mute", "planned"])
@pytest.mark.parametrize("told_revision", [2, 3])
def test_a_word_is_shown_at_once_even_where_it_silences(kind: Literal["mute", "planned"], told_revision: int) -> None:
    """Who presses a button sees that it was heard; afterwards the silence holds."""
    found = incident(alert(), alert("a2"))
    found.answer("ann muted it")
    found.sent = Sent("ref", told_revision, NOW + 10, False)
    held = Held(silence=Silence(match={}, kind=kind, until=NOW + 60, at=START))
    heard = "silenced" if kind == "mute" else "planned"
    assert decide(found, ROUTE, NOW + 11, held).reason == ("answered" if told_revision == 2 else heard)


def test_every_reason_to_notify_is_in_the_list_of_reasons() -> None:
    assert set(BECAUSE) == set(get_args(Because))
