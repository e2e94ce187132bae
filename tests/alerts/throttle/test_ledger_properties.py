"""Whatever the order of alerts, time and restarts: what the throttle topic says is safe, and what gateways do is so."""

from itertools import takewhile

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alerts.alert import Label
from alerts.throttle.book import Change
from alerts.throttle.command import Command, CommandScope
from alerts.throttle.gateway import GatewayState
from alerts.throttle.ledger import Ledger
from alerts.throttle.policy import Policy
from tests.alerts.build import NOW, alert

SLOW: dict[str, int | str] = {"requests_per_minute": 6}
EXPIRES, HOLD, TOMBSTONE, MOST = 20.0, 8.0, 12.0, 3
POLICIES = [
    Policy(kind="burst", scope="tenant", action="limit_rate", mode="enforce", params=SLOW, expires=EXPIRES),
    Policy(kind="loop", scope="agent", action="pause", mode="enforce", expires=EXPIRES),
]
ALERTS: dict[str, dict[Label, str]] = {
    f"{kind} {agent} {number}": {"tenant": "acme", "agent": agent, "kind": kind}
    for kind in ("burst", "loop")
    for agent in ("triage", "writer", "judge")
    for number in range(2)
}


def empty() -> Ledger:
    return Ledger(POLICIES, hold=HOLD, tombstone=TOMBSTONE, most=MOST)


class Throttling(RuleBasedStateMachine):
    """A ledger, ticked each second as the worker does, beside what its topic says and who is the cause of what."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = empty()
        self.gateway = GatewayState()
        self.now = NOW
        self.topic: dict[str, list[Command | None]] = {}
        self.causes: dict[str, set[str]] = {}
        self.store: dict[str, bytes] = {}

    @rule(name=st.sampled_from(sorted(ALERTS)))
    def hear(self, name: str) -> None:
        labels = ALERTS[name]
        full = len(self.ledger.live()) >= MOST
        before = self.ledger.refused.total()
        changes = self.ledger.submit(alert(name, labels=labels), "incident", self.now)
        key = "tenant=acme" if labels["kind"] == "burst" else f"tenant=acme/agent={labels['agent']}"
        live = self._in_force(key)
        assert (self.ledger.refused.total() > before) == (full and not live)
        assert len(changes) == (not live and not full)
        if live or changes:
            self.causes.setdefault(key, set()).add(name)
        self._written(changes)

    @precondition(lambda self: any(self.causes.values()))
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """Of those that hold something, or the last would seldom end and a command seldom be let go."""
        name = data.draw(st.sampled_from(sorted(set().union(*self.causes.values()))))
        assert self.ledger.submit(alert(name, "closed", after=1), "incident", self.now) == []
        for causes in self.causes.values():
            causes.discard(name)

    @rule(seconds=st.integers(1, 25))
    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            self._written(self.ledger.tick(self.now))
            self._gateways_obey()

    @rule()
    def restart(self) -> None:
        for key, state in self.ledger.changes():
            if state is None:
                self.store.pop(key, None)
            else:
                self.store[key] = state
        self.ledger = empty()
        self.ledger.restore(self.store)

    def _in_force(self, key: str) -> bool:
        latest = self.topic.get(key, [None])[-1]
        return latest is not None and latest.action != "release"

    def _first_issued(self, key: str) -> float:
        """When the command in force was issued, before its renewals."""
        unreleased = takewhile(lambda command: command and command.action != "release", reversed(self.topic[key]))
        return min(command.issued_at.timestamp() for command in unreleased if command)

    def _written(self, changes: list[Change]) -> None:
        for change in changes:
            self._check(change.key, self.topic.get(change.key, [None])[-1], change.command)
            self.topic.setdefault(change.key, []).append(change.command)
            value = msgspec.json.encode(change.command) if change.command else None
            self.gateway.apply(change.key, value, self.now)

    def _check(self, key: str, before: Command | None, command: Command | None) -> None:
        if command is None:
            assert before is not None and before.action == "release"
            assert self.now >= before.issued_at.timestamp() + TOMBSTONE
            return
        assert command.scope.key() == key
        assert command.issued_at.timestamp() == self.now < command.expires_at.timestamp()
        assert command.generation == (before.generation + 1 if before else 1)
        if command.action == "release":
            assert before is not None and before.action != "release"
            assert not self.causes[key]

    def _gateways_obey(self) -> None:
        """After each tick, whoever has a cause is bound without a gap, and nobody else is beyond the hold."""
        for key, causes in self.causes.items():
            if causes:
                assert self._in_force(key)
            elif self._in_force(key):
                assert self.now < self._first_issued(key) + HOLD
        for agent in ("triage", "writer", "judge"):
            narrow = self._in_force(f"tenant=acme/agent={agent}")
            found = self.gateway.command_for(CommandScope("acme", agent=agent), self.now)
            bound = found.scope.key() if found else None
            wide = "tenant=acme" if self._in_force("tenant=acme") else None
            assert bound == (f"tenant=acme/agent={agent}" if narrow else wide)

    @invariant()
    def live_commands_expire_and_are_one_a_scope(self) -> None:
        live = self.ledger.live()
        assert all(command.expires_at.timestamp() > self.now for command in live)
        assert len({command.scope for command in live}) == len(live) <= MOST
        assert {command.scope.key() for command in live} == {key for key in self.topic if self._in_force(key)}


TestThrottling = Throttling.TestCase
TestThrottling.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
