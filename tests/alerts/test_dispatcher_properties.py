"""Whatever the order of alerts, ticks, deliveries and restarts: nothing over is told as going on, nothing is missed."""

from collections import defaultdict
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alerts.alert import Alert, AlertState, Label
from alerts.dispatcher import Dispatcher
from alerts.notification import Notification
from alerts.routes import Route
from tests.alerts.build import NOW, alert

WAIT, INTERVAL, REPEAT = 2.0, 10.0, 50.0
LOUD = Route(receiver="loud", match={"kind": "loop"}, group_wait=WAIT, group_interval=INTERVAL, repeat_interval=REPEAT)
REST = Route(receiver="rest", group_wait=WAIT, group_interval=INTERVAL, repeat_interval=REPEAT)
NAMES = [
    f"{tenant} {kind} {level}"
    for tenant in ("acme", "globex")
    for kind in ("burst", "loop")
    for level in ("tenant", "agent")
]


@dataclass
class Known:
    """What was last heard of an alert, and when it was first heard of."""

    record: Alert
    since: float


def record_of(name: str, state: AlertState, after: int, usd: int) -> Alert:
    tenant, kind, level = name.split()
    labels: dict[Label, str] = {"tenant": tenant, "kind": kind}
    if level == "agent":
        labels["agent"] = "triage"
    return alert(name, state, after=after, labels=labels, usd=str(usd))


class Deliveries(RuleBasedStateMachine):
    """A dispatcher beside a model that knows only what was last heard of each alert.

    An alert that is over is not heard of again but by repetition: its next happening has a new id.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dispatcher = Dispatcher([LOUD, REST], inhibit=())
        self.now = NOW
        self.known: dict[str, Known] = {}
        self.store: dict[str, bytes] = {}
        self.in_flight: list[Notification] = []
        self.told: dict[str, list[tuple[str, float]]] = defaultdict(list)

    @rule(
        name=st.sampled_from(NAMES),
        state=st.sampled_from(["opened", "updated", "closed"]),
        after=st.integers(0, 9),
        usd=st.integers(0, 3),
    )
    def hear(self, name: str, state: AlertState, after: int, usd: int) -> None:
        record = record_of(name, state, after, usd)
        incident = self.dispatcher.submit(record, self.now)
        known = self.known.get(name)
        if known is None:
            # An end is taken in only beside what goes on in its group.
            assert incident is not None or state == "closed"
            if incident is not None:
                self.known[name] = Known(record, self.now)
        elif known.record.state != "closed" and record.updated_at >= known.record.updated_at:
            known.record = record

    @rule(seconds=st.sampled_from([0.5, WAIT, INTERVAL, REPEAT]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def deliver_all(self) -> None:
        for notification in list(self.dispatcher.pending(self.now)):
            self._delivered(notification)
        self.in_flight.clear()
        assert list(self.dispatcher.pending(self.now)) == []

    @rule()
    def start_deliveries(self) -> None:
        busy = {notification.incident.id for notification in self.in_flight}
        self.in_flight += [found for found in self.dispatcher.pending(self.now) if found.incident.id not in busy]

    @rule()
    def finish_a_delivery(self) -> None:
        if self.in_flight:
            self._delivered(self.in_flight.pop(0))

    @rule()
    def restart(self) -> None:
        """All that was in flight fails; all that was written down comes back."""
        before = list(self.dispatcher.pending(self.now))
        self.in_flight.clear()
        for name, state in self.dispatcher.changes():
            if state is None:
                self.store.pop(name, None)
            else:
                self.store[name] = state
        self.dispatcher = Dispatcher([LOUD, REST], inhibit=())
        self.dispatcher.restore(self.store)
        after = list(self.dispatcher.pending(self.now))
        assert {found.incident.id: found for found in after} == {found.incident.id: found for found in before}

    def _delivered(self, notification: Notification) -> None:
        told = self.told[notification.incident.id]
        last = told[-1][1] if told else None
        if notification.because == "changed":
            assert last is not None and self.now >= last + INTERVAL
        assert notification.because in (("new", "resolved") if not told else ("changed", "resolved", "repeat"))
        assert (notification.previous is None) == (not told)
        assert "resolved" not in [because for because, _ in told]
        told.append((notification.because, self.now))
        self.dispatcher.delivered(notification, f"ref {len(told)}", self.now)

    @invariant()
    def nothing_over_is_told_as_going_on(self) -> None:
        for notification in self.dispatcher.pending(self.now):
            going_on = [self.known[name].record.state != "closed" for name in notification.incident.alerts]
            assert any(going_on) == (notification.because != "resolved")

    @invariant()
    def what_goes_on_is_told_by_the_end_of_its_wait(self) -> None:
        pending = {found.incident.id for found in self.dispatcher.pending(self.now)}
        for name, known in self.known.items():
            if known.record.state == "closed" or self.now < known.since + WAIT:
                continue
            (incident,) = [found for found in self.dispatcher.open_incidents() if name in found.alerts]
            assert incident.id in pending or self.told[incident.id]

    @invariant()
    def a_group_has_one_open_incident(self) -> None:
        groups = [(found.receiver, *sorted(found.group.items())) for found in self.dispatcher.open_incidents()]
        assert len(groups) == len(set(groups))


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
