"""Killed between any two hops: no notification is lost, and of an incident at most the one in flight is repeated.

The inputs are a log that is read on from the last checkpoint, as Kafka's are; what receivers took is not undone.
"""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from alerts.alert import Alert, AlertState
from alerts.desk import AlertDesk
from alerts.dispatcher import Dispatcher
from alerts.incident import moment
from alerts.notification import Notification
from alerts.routes import Route, Step
from alerts.throttle.ledger import Ledger
from alerts.word import Word
from tests.alerts.build import NOW, TRIAGE, alert

TIMES = {"group_wait": 2.0, "group_interval": 5.0, "repeat_interval": 1e9}
ROUTES = [
    Route(receiver="pager", match={"severity": "critical"}, go_on=True, **TIMES),
    Route(receiver="team", escalate=(Step(30.0, "boss"),), **TIMES),
]
Parts = dict[str, dict[str, bytes]]


class Killed(RuleBasedStateMachine):
    """A worker that takes inputs in, delivers, writes checkpoints, and dies."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.log: list[Alert | Word] = []
        self.read = self.saved = 0
        self.parts: Parts = {"incident": {}, "silence": {}, "heard": {}}
        self.desk = self._made()
        self.flying: list[Notification] = []
        self.unsaved: dict[str, Notification] = {}
        self.taken: list[Notification] = []
        self.at_risk = 0
        self.states: dict[str, Alert] = {}

    def _made(self) -> AlertDesk:
        desk = AlertDesk(Dispatcher(ROUTES), Ledger([]))
        desk.dispatcher.silences.restore(self.parts["silence"])
        desk.dispatcher.restore(self.parts["incident"])
        desk.heard.restore(self.parts["heard"])
        return desk

    @rule(
        number=st.integers(0, 2),
        kind=st.sampled_from(["burst", "loop"]),
        state=st.sampled_from(["opened", "updated", "closed"]),
        severity=st.sampled_from(["warning", "critical"]),
    )
    def something_happens(self, number: int, kind: str, state: AlertState, severity: str) -> None:
        name = f"{kind} {number}"
        known = self.states.get(name)
        if (known is None and state == "closed") or (known is not None and known.state == "closed"):
            return
        record = alert(
            name,
            state,
            after=self.now - NOW,
            labels={**TRIAGE, "kind": kind},
            severity="critical" if severity == "critical" else "warning",
            usd=str(len(self.log)),
        )
        self.states[name] = record
        self.log.append(record)

    @precondition(lambda self: any(isinstance(one, Alert) for one in self.log))
    @rule(pick=st.integers(0, 99), verdict=st.sampled_from(["acknowledge", "mute"]))
    def somebody_speaks(self, pick: int, verdict: str) -> None:
        about = sorted(self.states)[pick % len(self.states)]
        until = self.now + 20 if verdict == "mute" else None
        word = Word(id=f"w{len(self.log)}", at=moment(self.now), verdict=verdict, anomaly=about, until=until)
        self.log.append(word)

    @rule(most=st.integers(1, 5))
    def read_on(self, most: int) -> None:
        for one in self.log[self.read : self.read + most]:
            if isinstance(one, Alert):
                self.desk.submit(one, self.now)
            else:
                self.desk.hear(one, self.now)
            self.read += 1

    @rule(seconds=st.sampled_from([0.25, 1.0, 3.0, 40.0]))
    def tick(self, seconds: float) -> None:
        self.now += seconds
        if self.read == len(self.log):
            self.desk.tick(self.now)

    @rule()
    def start_deliveries(self) -> None:
        """As the notifier does: one an incident, and none before the last one is written down."""
        self.unsaved = {name: one for name, one in self.unsaved.items() if not self.desk.dispatcher.saved(name)}
        busy = {*self.unsaved, *(one.incident.id for one in self.flying)}
        self.flying += self.desk.dispatcher.pending(self.now, lambda incident: incident.id not in busy)

    @rule(fails=st.booleans())
    def finish_a_delivery(self, fails: bool) -> None:
        if self.flying:
            notification = self.flying.pop(0)
            if not fails:
                self.taken.append(notification)
                self.desk.dispatcher.delivered(notification, "ref", self.now)
                assert notification.incident.id not in self.unsaved
                self.unsaved[notification.incident.id] = notification

    @rule()
    def checkpoint(self) -> None:
        dispatcher = self.desk.dispatcher
        changes = (dispatcher.changes(), dispatcher.silences.changes(), self.desk.heard.changes())
        for section, part in zip(self.parts, changes, strict=True):
            for name, state in part:
                if state is None:
                    self.parts[section].pop(name, None)
                else:
                    self.parts[section][name] = state
        self.saved, self.unsaved = self.read, {}

    @rule(taken=st.booleans())
    def kill(self, taken: bool) -> None:
        """What is in flight may have been taken all the same."""
        if taken:
            self.taken += self.flying
            self.at_risk += len(self.flying)
        self.at_risk += len(self.unsaved)
        self.flying, self.unsaved, self.read = [], {}, self.saved
        self.desk = self._made()

    def teardown(self) -> None:
        """In the end all is read and delivered; then everybody knows how it stands, and few heard a thing twice."""
        for _ in range(12):
            self.read_on(len(self.log))
            self.tick(40.0)
            self.start_deliveries()
            while self.flying:
                self.finish_a_delivery(False)
            self.checkpoint()
        self._nothing_is_lost()
        self._little_is_repeated()

    def _nothing_is_lost(self) -> None:
        last = {one.incident.id: one for one in self.taken}
        for name, record in self.states.items():
            for incident in self.desk.dispatcher.holding(name):
                if record.state != "closed":
                    assert last[incident.id].incident.alerts[name].state != "closed"
                elif incident.state == "resolved" and incident.sent is not None:
                    assert last[incident.id].because == "resolved"
            if record.state != "closed":
                assert self.desk.dispatcher.holding(name)

    def _little_is_repeated(self) -> None:
        once = Counter(
            (one.incident.id, one.because) for one in self.taken if one.because in ("new", "escalated", "resolved")
        )
        assert sum(times - 1 for times in once.values()) <= self.at_risk


TestKilled = Killed.TestCase
TestKilled.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
