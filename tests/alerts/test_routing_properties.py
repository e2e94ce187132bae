"""Whatever the order of alerts, ticks, silences and words: what is silenced is not heard, and all that goes on is.

The model beside the dispatcher knows each alert's latest record, what is muted, and the routes as a list of conditions.
"""

from collections.abc import Mapping

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alerts.alert import RANK, Alert, AlertState, Label, Severity
from alerts.desk import AlertDesk
from alerts.dispatcher import Dispatcher
from alerts.hours import Hours
from alerts.incident import moment
from alerts.notification import Notification
from alerts.routes import Route, Step
from alerts.throttle.ledger import Ledger
from alerts.word import Word
from tests.alerts.build import NOW, alert

WAIT, INTERVAL, LINGER, PATIENCE = 2.0, 10.0, 30.0, 40.0
# NOW is ten o'clock.
SIESTA = Hours(name="siesta", start=10 * 60 + 1, end=10 * 60 + 3)
TIMES = {"group_wait": WAIT, "group_interval": INTERVAL, "repeat_interval": 100.0}
ROUTES = [
    Route(receiver="pager", match={"severity": "critical"}, go_on=True, **TIMES),
    Route(receiver="acme", match={"tenant": "acme"}, escalate=(Step(PATIENCE, "boss"),), **TIMES),
    Route(receiver="rest", quiet=(SIESTA,), **TIMES),
]
TENANTS, KINDS, LEVELS = ("acme", "globex"), ("burst", "loop"), ("tenant", "agent")
Scope = Mapping[Label, str]


def labels_of(name: str) -> dict[Label, str]:
    tenant, kind, level = name.split()
    return {"tenant": tenant, "kind": kind, **({"agent": "triage"} if level == "agent" else {})}


def desk() -> AlertDesk:
    return AlertDesk(Dispatcher(ROUTES, linger=LINGER), Ledger([]), mute=60.0)


def covers(scope: Scope, name: str) -> bool:
    known = labels_of(name)
    return all(known.get(label) == value for label, value in scope.items())


names = st.builds("{} {} {}".format, st.sampled_from(TENANTS), st.sampled_from(KINDS), st.sampled_from(LEVELS))
scopes = st.fixed_dictionaries({"tenant": st.sampled_from(TENANTS)}, optional={"agent": st.just("triage")})


class Routing(RuleBasedStateMachine):
    """Alerts of two tenants at two levels; an alert that is over comes again under another id."""

    def __init__(self) -> None:
        super().__init__()
        self.desk, self.now = desk(), NOW
        self.known: dict[str, Alert] = {}
        self.since: dict[str, float] = {}
        self.closed_at: dict[str, float] = {}
        self.muted: list[tuple[Scope, float]] = []
        self.planned: list[tuple[Scope, float]] = []
        self.words = self.alerts = 0
        self.acknowledged: set[str] = set()
        self.store: dict[str, dict[str, bytes]] = {"incident": {}, "silence": {}, "heard": {}}
        self.told: dict[str, list[str]] = {}

    @rule(name=names, severity=st.sampled_from(["info", "warning", "critical"]), usd=st.integers(0, 3))
    def hear(self, name: str, severity: Severity, usd: int) -> None:
        self._submit(name, "updated" if name in self.known else "opened", severity, usd)

    @rule(name=names)
    def end(self, name: str) -> None:
        if name in self.known:
            self._submit(name, "closed", self.known[name].severity, 9)
            self.closed_at[name] = self.now
            del self.known[name], self.since[name]

    def _submit(self, name: str, state: AlertState, severity: Severity, usd: int) -> None:
        if name not in self.known:
            self.alerts += 1
        ident = self.known[name].id if name in self.known else f"{name} {self.alerts}"
        record = alert(ident, state, after=self.now - NOW, labels=labels_of(name), severity=severity, usd=str(usd))
        self.desk.submit(record, self.now)
        before = self.known.get(name)
        if before is None or before.severity != severity:
            self.since[name] = self.now
        self.known[name] = record

    @rule(seconds=st.sampled_from([0.25, 1.0, WAIT, INTERVAL, LINGER, 100.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.desk.tick(self.now)

    @rule()
    def deliver(self) -> None:
        for notification in list(self.desk.dispatcher.pending(self.now)):
            self._check(notification)
            self.told.setdefault(notification.incident.id, []).append(notification.because)
            self.desk.dispatcher.delivered(notification, "ref", self.now)
        assert not [
            one for one in self.desk.dispatcher.pending(self.now) if one.because not in ("escalated", "changed")
        ]

    @rule(scope=scopes, seconds=st.sampled_from([5.0, 60.0]), twice=st.booleans())
    def mute(self, scope: Scope, seconds: float, twice: bool) -> None:
        self.muted = [(known, until) for known, until in self.muted if known != scope]
        self.muted.append((scope, self.now + seconds))
        self._say("mute", twice, scope=dict(scope), until=self.now + seconds)

    @rule(scope=scopes, seconds=st.sampled_from([5.0, 60.0]), twice=st.booleans())
    def plan(self, scope: Scope, seconds: float, twice: bool) -> None:
        self.planned = [(known, until) for known, until in self.planned if known != scope]
        self.planned.append((scope, self.now + seconds))
        self._say("planned", twice, scope=dict(scope), until=self.now + seconds)

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 99), verdict=st.sampled_from(["expected", "false_alarm"]), twice=st.booleans())
    def judge(self, pick: int, verdict: str, twice: bool) -> None:
        """Until the detectors end it, it goes on, and counts as seen."""
        about = self.known[sorted(self.known)[pick % len(self.known)]].id
        self._say(verdict, twice, anomaly=about, by="bob")
        for incident in self.desk.dispatcher.holding(about):
            assert incident.state != "open" or incident.acknowledged is not None

    @precondition(lambda self: self.desk.dispatcher.open_incidents())
    @rule(pick=st.integers(0, 99), twice=st.booleans())
    def acknowledge(self, pick: int, twice: bool) -> None:
        found = self.desk.dispatcher.open_incidents()
        incident = found[pick % len(found)]
        self._say("acknowledge", twice, incident=incident.id, by="ann")
        self.acknowledged.add(incident.id)
        assert incident.acknowledged is not None and incident.acknowledged.by == "ann"

    def _say(self, verdict: str, twice: bool, **fields: object) -> None:
        self.words += 1
        word = Word(id=f"w{self.words}", at=moment(self.now), verdict=verdict, **fields)  # type: ignore[arg-type]
        self.desk.hear(word, self.now)
        if twice:
            before = [(one.id, one.revision) for one in self.desk.dispatcher.open_incidents()]
            assert self.desk.hear(word, self.now) == "repeated"
            assert before == [(one.id, one.revision) for one in self.desk.dispatcher.open_incidents()]

    @rule()
    def restart(self) -> None:
        """What was written down is all there is."""
        before = self._pending()
        dispatcher = self.desk.dispatcher
        parts = {
            "incident": dispatcher.changes(),
            "silence": dispatcher.silences.changes(),
            "heard": self.desk.heard.changes(),
        }
        for section, changes in parts.items():
            for name, state in changes:
                if state is None:
                    self.store[section].pop(name, None)
                else:
                    self.store[section][name] = state
        self.desk = desk()
        self.desk.dispatcher.silences.restore(self.store["silence"])
        self.desk.dispatcher.restore(self.store["incident"])
        self.desk.heard.restore(self.store["heard"])
        assert self._pending() == before

    def _pending(self) -> dict[str, Notification]:
        return {found.incident.id: found for found in self.desk.dispatcher.pending(self.now)}

    def _is_muted(self, name: str) -> bool:
        return any(until > self.now and covers(scope, name) for scope, until in self.muted)

    def _is_held(self, name: str) -> bool:
        planned = any(until > self.now and covers(scope, name) for scope, until in self.planned)
        return planned or self._is_muted(name)

    def _is_free(self, name: str) -> bool:
        """Nothing in the model could hold this alert back."""
        tenant, kind, level = name.split()
        above = f"{tenant} {kind} tenant"
        alarmed = above in self.known or self.now - self.closed_at.get(above, 0.0) <= LINGER
        return not self._is_held(name) and (level == "tenant" or not alarmed)

    def _check(self, notification: Notification) -> None:
        incident = notification.incident
        open_names = [one.id.rpartition(" ")[0] for one in incident.alerts.values() if one.state != "closed"]
        all_names = [one.id.rpartition(" ")[0] for one in incident.alerts.values()]
        # While all of it is muted, nothing is told but the word that mutes it; what is over is not told as going on.
        # That what was planned is over is told.
        if notification.because != "answered" and open_names:
            assert not all(self._is_held(name) for name in open_names)
        elif notification.because != "answered":
            assert not all(self._is_muted(name) for name in all_names)
        assert bool(open_names) == (notification.because != "resolved")
        if (
            notification.because != "answered"
            and incident.receiver == "rest"
            and RANK[incident.severity] < RANK["critical"]
        ):
            assert not SIESTA.holds(self.now)
        before = self.told.get(incident.id, [])
        assert "resolved" not in before
        assert (notification.because in ("new", "escalated")) <= (before == [])
        if notification.because == "escalated":
            assert incident.acknowledged is None

    @invariant()
    def nothing_is_told_that_is_silenced_or_over(self) -> None:
        for notification in self.desk.dispatcher.pending(self.now):
            self._check(notification)

    @invariant()
    def what_goes_on_is_told_in_time_to_all_whom_it_concerns(self) -> None:
        pending = set(self._pending())
        for name, record in self.known.items():
            if self.now < self.since[name] + WAIT or not self._is_free(name):
                continue
            for receiver in expected(record, self.now):
                told = [one for one in self.desk.dispatcher.holding(record.id) if one.receiver == receiver]
                assert told, (name, receiver)
                assert any(one.sent is not None or one.id in pending for one in told), (name, receiver)

    @invariant()
    def each_open_group_of_a_receiver_is_one_incident(self) -> None:
        groups = [
            (one.receiver, *sorted(one.group.items()))
            for one in self.desk.dispatcher.open_incidents()
            if not one.escalated_from
        ]
        assert len(groups) == len(set(groups))


def expected(record: Alert, now: float) -> list[str]:
    """Who is to be told, as a person would read the routes."""
    found = ["pager"] if record.severity == "critical" else []
    if record.labels["tenant"] == "acme":
        return [*found, "acme"]
    quiet = SIESTA.holds(now) and record.severity != "critical"
    return found if quiet else [*found, "rest"]


TestRouting = Routing.TestCase
TestRouting.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
