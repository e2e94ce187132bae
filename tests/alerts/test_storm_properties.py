"""In storms of many owners, whatever the order: all that goes on is told in time, and nothing that is over as going on.

The model beside the dispatcher knows only whose each tenant is, and since when each of its alerts goes on.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alerts.alert import Alert, AlertState
from alerts.dispatcher import Dispatcher, Notification
from alerts.owners import OwnerRule, Owners
from alerts.routes import Route
from alerts.storm import StormRule
from tests.alerts.build import NOW, TRIAGE, alert

WAIT, INTERVAL, TENANTS, OWNERS = 2.0, 10.0, 12, 6
RULE = StormRule(tenants=3, incidents=3, window=60.0, patience=120.0)
# Each owner is held back once in a round of three, and begins at most twice before it is released.
ROUNDS = 4
NAMES = ["finops", *(f"team-{number}" for number in range(1, OWNERS))]


def dispatcher() -> Dispatcher:
    times = {"group_wait": WAIT, "group_interval": INTERVAL, "group_by": ("owner", "tenant", "kind")}
    routes = [Route(receiver=name, match={"owner": name}, **times) for name in NAMES[1:]]  # type: ignore[arg-type]
    rules = [OwnerRule(match={"tenant": f"t{number}"}, owner=NAMES[number % OWNERS]) for number in range(TENANTS)]
    last = Route(receiver="finops", **times)  # type: ignore[arg-type]
    return Dispatcher([*routes, last], owners=Owners(rules, "finops"), storm=RULE)


class Stormy(RuleBasedStateMachine):
    """Alerts of twelve tenants and two kinds; one that is over comes again under another id."""

    def __init__(self) -> None:
        super().__init__()
        self.dispatcher, self.now, self.alerts = dispatcher(), NOW, 0
        self.known: dict[tuple[int, str], tuple[Alert, float]] = {}
        self.ended: set[str] = set()
        self.store: dict[str, bytes] = {}
        self.new: list[tuple[float, str]] = []

    @rule(first=st.integers(0, TENANTS - 1), many=st.integers(1, TENANTS), kind=st.sampled_from(["burst", "loop"]))
    def strike(self, first: int, many: int, kind: str) -> None:
        """One cause shows in several tenants at once, or goes on."""
        for tenant in range(first, min(first + many, TENANTS)):
            place = tenant, kind
            if place not in self.known:
                self.alerts += 1
            name = self.known[place][0].id if place in self.known else f"{tenant} {kind} {self.alerts}"
            since = self.known[place][1] if place in self.known else self.now
            self.known[place] = self._submit(name, place, "updated"), since

    @rule(tenant=st.integers(0, TENANTS - 1), kind=st.sampled_from(["burst", "loop"]))
    def end(self, tenant: int, kind: str) -> None:
        if (tenant, kind) in self.known:
            known, _ = self.known.pop((tenant, kind))
            self._submit(known.id, (tenant, kind), "closed")
            self.ended.add(known.id)

    def _submit(self, name: str, place: tuple[int, str], state: AlertState) -> Alert:
        labels = {**TRIAGE, "tenant": f"t{place[0]}", "kind": place[1]}
        record = alert(name, state, after=self.now - NOW, labels=labels)
        self.dispatcher.submit(record, self.now)
        return record

    @rule(seconds=st.sampled_from([0.25, 1.0, WAIT, INTERVAL, 60.0, 130.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.dispatcher.tick(self.now)

    @rule()
    def deliver(self) -> None:
        for notification in list(self.dispatcher.pending(self.now)):
            self._check(notification)
            if notification.previous is None:
                self.new.append((notification.incident.noted_at, notification.incident.id))
            self.dispatcher.delivered(notification, "ref", self.now)

    @rule()
    def restart(self) -> None:
        before = {one.incident.id: one for one in self.dispatcher.pending(self.now)}
        for name, state in self.dispatcher.changes():
            self.store.pop(name, None)
            if state is not None:
                self.store[name] = state
        self.dispatcher = dispatcher()
        self.dispatcher.restore(self.store)
        assert {one.incident.id: one for one in self.dispatcher.pending(self.now)} == before

    def _check(self, notification: Notification) -> None:
        incident = notification.incident
        open_ = [name for name in incident.alerts if name not in self.ended]
        assert bool(open_) == (notification.because != "resolved")
        assert (notification.previous is None) == (incident.id not in {name for _, name in self.new})

    @invariant()
    def all_that_goes_on_is_told_in_time_to_somebody_and_later_to_its_owner(self) -> None:
        pending = {one.incident.id for one in self.dispatcher.pending(self.now)}
        for (tenant, kind), (record, since) in self.known.items():
            told = [
                one.receiver for one in self.dispatcher.holding(record.id) if one.sent is not None or one.id in pending
            ]
            if self.now >= since + WAIT:
                assert told, (tenant, kind)
            if self.now >= since + WAIT + RULE.patience + ROUNDS * RULE.window:
                assert NAMES[tenant % OWNERS] in told, (tenant, kind)

    @invariant()
    def nothing_over_is_told_as_going_on(self) -> None:
        for notification in self.dispatcher.pending(self.now):
            self._check(notification)

    @invariant()
    def few_begin_in_a_window(self) -> None:
        """What was held back and is released later is not counted: it was told of before."""
        begun = [at for at, name in self.new if not self._was_held(name)]
        for at in begun:
            assert sum(at - RULE.window <= other <= at for other in begun) <= RULE.incidents + 1

    def _was_held(self, name: str) -> bool:
        found = self.dispatcher.find(name)
        return found is None or bool(found.told_by)


TestStormy = Stormy.TestCase
TestStormy.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
