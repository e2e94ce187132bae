"""A desk that is restarted now and then tells and writes what one that never was does."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts.desk import AlertDesk
from alerts.dispatcher import Dispatcher
from alerts.owners import OwnerRule, Owners
from alerts.routes import Route
from alerts.storm import StormRule
from alerts.throttle.ledger import Ledger
from alerts.throttle.policy import Policy
from tests.alerts.build import NOW, alert
from tests.alerts.test_due_properties import Act, Life, acts, desk


class Part(Protocol):
    """What is written down and taken up by itself."""

    def changes(self) -> Iterator[tuple[str, bytes | None]]: ...

    def restore(self, states: Mapping[str, bytes], /) -> None: ...


class Restarted(Life):
    """What was written down is all there is after each act that is followed by a restart."""

    def __init__(self, restarts: list[bool]) -> None:
        super().__init__(every_second=True)
        self._restarts = iter(restarts)
        self._stores: list[dict[str, bytes]] = [{}, {}, {}, {}]

    def _do(self, act: Act) -> None:
        super()._do(act)
        if next(self._restarts, False):
            self.desk = again(self.desk, desk(), self._stores)


def again(before: AlertDesk, after: AlertDesk, stores: list[dict[str, bytes]]) -> AlertDesk:
    for part, taken, store in zip(_parts(before), _parts(after), stores, strict=True):
        for name, state in part.changes():
            store.pop(name, None)
            if state is not None:
                store[name] = state
        taken.restore(store)
    return after


def _parts(of: AlertDesk) -> tuple[Part, ...]:
    return of.dispatcher.silences, of.dispatcher, of.heard, of.ledger


@settings(max_examples=60, deadline=None)
@given(st.lists(acts, max_size=25), st.lists(st.booleans(), min_size=25, max_size=25))
@example([Act(1, "alert", "vital burst s1", "opened", "critical", 2, "", 0)], [True])
def test_a_desk_that_is_restarted_says_the_same(script: list[Act], restarts: list[bool]) -> None:
    steady, restarted = Life(every_second=True), Restarted(restarts)
    steady.live(script)
    restarted.live(script)
    # The last is what was written down in the end: here since the last restart, there all of it.
    assert steady.said[:-1] == restarted.said[:-1]


@pytest.mark.parametrize("tenant", [f"t{number}" for number in range(8)])
def test_a_command_names_the_same_of_its_alerts_incidents_after_a_restart(tenant: str) -> None:
    """The first as the routes are written, whatever the incidents' ids."""

    def budgets() -> AlertDesk:
        routes = [Route(receiver="pager", match={"severity": "critical"}, go_on=True), Route(receiver="finops")]
        hard = Policy(kind="budget", line="hard", scope="tenant", action="pause", mode="enforce")
        return AlertDesk(Dispatcher(routes), Ledger([hard]))

    found = budgets()
    first = found.dispatcher.submit(
        alert(labels={"tenant": tenant, "kind": "budget", "line": "soft"}, severity="critical"), NOW
    )
    assert first is not None and first.receiver == "pager"
    found = again(found, budgets(), [{}, {}, {}, {}])
    raised = alert(state="updated", after=9, labels={"tenant": tenant, "kind": "budget", "line": "hard"})
    (change,) = found.submit(raised, NOW + 9)
    assert change.command is not None and change.command.reason.incident == first.id


def test_what_ended_while_another_told_of_it_is_not_told_after_a_restart_either() -> None:
    """In a storm that is told to the default owner; the last of what it told of ends with it."""

    def shared() -> AlertDesk:
        owners = Owners([OwnerRule(match={"tenant": f"t{n}"}, owner=f"team-{n}") for n in range(30)], "finops")
        routes = [Route(receiver="team", match={"owner": "team*"}), Route(receiver="finops")]
        return AlertDesk(Dispatcher(routes, owners=owners, storm=StormRule(tenants=50, incidents=1)), Ledger([]))

    def told(of: AlertDesk, after: float) -> list[str]:
        due = list(of.dispatcher.pending(NOW + after))
        for one in due:
            of.dispatcher.delivered(one, "ref", NOW + after)
        return [f"{one.incident.owner} {one.because}" for one in due]

    found = shared()
    for number in range(12):
        found.submit(alert(f"a{number}", labels={"tenant": f"t{number}", "kind": "burst"}), NOW)
    assert told(found, 2) == ["finops new", "team-0 new"]
    found = again(found, shared(), [{}, {}, {}, {}])
    for number in range(12):
        found.submit(alert(f"a{number}", "closed", after=9, labels={"tenant": f"t{number}", "kind": "burst"}), NOW + 9)
    assert sorted(told(found, 9)) == ["finops resolved", "team-0 resolved"]
