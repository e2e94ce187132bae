"""Whatever the order of alerts, acknowledgements, expiries, restarts and people's words: the topic stays safe."""

from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alerts.alert import AlertState, Label
from alerts.desk import AlertDesk
from alerts.dispatcher import Dispatcher
from alerts.incident import moment
from alerts.routes import Route
from alerts.throttle.book import Change
from alerts.throttle.command import MOST_LIFE, Ack, Command, CommandScope
from alerts.throttle.gateway import GatewayState
from alerts.throttle.ledger import Ledger
from alerts.throttle.policy import Policy
from alerts.word import Word
from tests.alerts.build import NOW, START, alert

EXPIRES, MOST = 20.0, 3
POLICIES = [
    Policy(kind="loop", scope="session", action="limit_rate", mode="enforce", params={"requests_per_minute": 6}),
    Policy(kind="burst", scope="agent", action="pause", mode="suggest"),
    Policy(kind="budget", scope="tenant", action="pause", mode="enforce", widest="tenant"),
]
POLICIES = [msgspec.structs.replace(policy, expires=EXPIRES, escalate=10.0) for policy in POLICIES]
TENANTS = ("acme", "vital")
ALERTS: dict[str, dict[Label, str]] = {
    f"{tenant} {kind} {session}": {"tenant": tenant, "agent": "triage", "session": session, "kind": kind}
    for tenant in TENANTS
    for kind in ("loop", "burst", "budget")
    for session in (("s1", "s2") if kind == "loop" else ("s1",))
}
SCOPES = [CommandScope(tenant, agent=agent) for tenant in TENANTS for agent in ("", "triage")]
STATES: list[AlertState] = ["opened", "updated", "closed"]


def desk() -> AlertDesk:
    ledger = Ledger(POLICIES, hold=8.0, cool_down=30.0, tombstone=12.0, most=MOST, critical=("vital",))
    return AlertDesk(Dispatcher([Route(receiver="owner", group_by=("tenant",))], keep_resolved=60.0), ledger)


class People(RuleBasedStateMachine):
    """A desk that alerts, gateways and people speak to, beside the topic that it writes."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = desk()
        self.now = NOW
        self.records: list[tuple[str, bytes | None]] = []
        self.last: dict[str, Command | None] = {}
        self.by_people: set[str] = set()
        self.let_go: set[str] = set()
        self.store: dict[str, dict[str, bytes]] = {"desk": {}, "ledger": {}, "heard": {}}
        self.words = 0
        self.spoken: list[Word] = []

    @rule(name=st.sampled_from(sorted(ALERTS)), state=st.sampled_from(STATES), usd=st.integers(1, 9))
    def hear(self, name: str, state: AlertState, usd: int) -> None:
        told = alert(name, state, after=self.now - NOW, labels=ALERTS[name], usd=str(usd))
        before = self.causes()
        self._written(self.desk.submit(told, self.now))
        if state == "closed":
            self.let_go.discard(name)
        assert name not in self.let_go & (self.causes() - before)

    @precondition(lambda self: bool(self.let_go))
    @rule(data=st.data(), restarted=st.booleans())
    def hear_again(self, data: st.DataObject, restarted: bool) -> None:
        """What was let go goes on, which few alerts that are drawn from all would be; also after a restart."""
        if restarted:
            self.restart()
        self.hear(data.draw(st.sampled_from(sorted(self.let_go))), "updated", 1)

    @rule(seconds=st.integers(1, 30))
    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            self._written(self.desk.tick(self.now))

    @precondition(lambda self: bool(self.last))
    @rule(data=st.data(), state=st.sampled_from(["applied", "refused", "released"]))
    def acknowledge(self, data: st.DataObject, state: Any) -> None:
        told = [command.id for command in self.last.values() if command]
        name = data.draw(st.sampled_from([*told, "unknown"]))
        ack = Ack(command=name, gateway="edge-1", state=state, at=moment(self.now))
        assert self.desk.acknowledge(ack, self.now) == (name != "unknown")

    @rule(data=st.data(), verdict=st.sampled_from(["throttle", "release"]))
    def speak_of_an_alert(self, data: st.DataObject, verdict: Any) -> None:
        """Of one behind a command, if there are any: of others people seldom speak, and little comes of it."""
        name = data.draw(st.sampled_from(sorted(self.causes()) or sorted(ALERTS)))
        self._say(Word(id="", at=START, verdict=verdict, anomaly=name, by="ann"), {name})
        if verdict == "release":
            # It goes on as if nothing had been said, and must lead to nothing.
            self.hear(name, "updated", 1)

    @rule(
        scope=st.sampled_from(SCOPES), verdict=st.sampled_from(["throttle", "release"]), lasts=st.none() | st.just(15)
    )
    def speak_of_a_scope(self, scope: CommandScope, verdict: Any, lasts: int | None) -> None:
        until = self.now + lasts if lasts else None
        labels: Any = {name: value for name, value in msgspec.structs.asdict(scope).items() if value}
        self._say(Word(id="", at=START, verdict=verdict, scope=labels, until=until, by="ann"), set())

    @precondition(lambda self: bool(self.spoken))
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        outcome, changes = self.desk.heed(data.draw(st.sampled_from(self.spoken)), self.now)
        assert (outcome, changes) == ("repeated", [])

    @rule()
    def restart(self) -> None:
        for name, part in (("desk", self.desk.dispatcher), ("ledger", self.desk.ledger), ("heard", self.desk.heard)):
            for key, state in part.changes():
                self.store[name].pop(key, None)
                self.store[name] |= {key: state} if state is not None else {}
        self.desk = desk()
        self.desk.dispatcher.restore(self.store["desk"])
        self.desk.ledger.restore(self.store["ledger"])
        self.desk.heard.restore(self.store["heard"])

    def causes(self) -> set[str]:
        return self.desk.ledger.causes()

    def _say(self, word: Word, alerts: set[str]) -> None:
        self.words += 1
        word = msgspec.structs.replace(word, id=f"w{self.words}")
        before = self.causes()
        outcome, changes = self.desk.heed(word, self.now)
        if outcome == "applied":
            self.spoken.append(word)
            if word.verdict == "release":
                self.let_go |= alerts & before
            else:
                self.let_go -= alerts
        self.by_people |= {change.key for change in changes} if word.verdict == "throttle" else set()
        self._written(changes)

    def _written(self, changes: list[Change]) -> None:
        for change in changes:
            before, command = self.last.get(change.key), change.command
            if command is None:
                assert before is not None and before.action == "release"
            else:
                assert change.key == command.scope.key()
                assert command.generation == (before.generation + 1 if before else 1)
                assert 0 < (command.expires_at - command.issued_at).total_seconds() <= MOST_LIFE
                assert command.action != "release" or (before is not None and before.action != "release")
                self._guarded(change.key, command)
            self.last[change.key] = command
            self.records.append((change.key, msgspec.json.encode(command) if command else None))

    def _guarded(self, key: str, command: Command) -> None:
        if command.action == "release":
            self.by_people.discard(key)
        elif command.scope.tenant == "vital" and command.mode == "enforce":
            assert key in self.by_people

    @invariant()
    def the_topic_and_the_ledger_agree(self) -> None:
        live = self.desk.ledger.live()
        told = {key for key, command in self.last.items() if command and command.action != "release"}
        assert {command.scope.key() for command in live} == told
        assert len(told) == len(live) <= MOST

    @invariant()
    def whoever_starts_late_or_twice_ends_in_the_same_state(self) -> None:
        compacted = [(key, value) for place, (key, value) in enumerate(self.records) if self._is_last(place, key)]
        twice = [*self.records[: len(self.records) // 2], *self.records]
        found = [self._bound(records) for records in (self.records, compacted, twice)]
        assert found[0] == found[1] == found[2]

    @invariant()
    def what_is_over_holds_no_incident(self) -> None:
        held = {key for incident in self.desk.dispatcher._incidents for key in incident.commands}
        enforced = {command.scope.key() for command in self.desk.ledger.live() if command.mode == "enforce"}
        assert held <= enforced

    def _is_last(self, place: int, key: str) -> bool:
        return all(later != key for later, _ in self.records[place + 1 :])

    def _bound(self, records: list[tuple[str, bytes | None]]) -> list[str | None]:
        state = GatewayState()
        for key, value in records:
            state.apply(key, value, self.now)
        asked = [*SCOPES, *(CommandScope(tenant, agent="triage", session="s1") for tenant in TENANTS)]
        found = [state.command_for(request, self.now) for request in asked]
        return [command.id if command else None for command in found]


TestPeople = People.TestCase
TestPeople.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
