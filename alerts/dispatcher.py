"""From alerts to notifications: finds the routes, groups into incidents, and says what is due to be sent."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

from alerts.agenda import SOON, Agenda
from alerts.alert import Alert
from alerts.course import Sent
from alerts.decide import BECAUSE, DONE, NOT_HELD, Because, Decision, Held, Reason, decide
from alerts.escalation import Escalations
from alerts.holds import Holds
from alerts.homes import Homes
from alerts.incident import Incident
from alerts.incidents import Incidents, rank
from alerts.inhibit import DEFAULTS, Inhibitor, InhibitRule
from alerts.notification import Notification
from alerts.owners import Owners
from alerts.remarks import Remarks
from alerts.routes import Leaf, Route, RouteTree
from alerts.silences import Silence, Silences
from alerts.storm import StormRule
from alerts.verdicts import Verdicts


class Dispatcher:
    """All incidents of a deployment. Pure: it is told the time, and others send what it gives.

    What is `pending` stays so until `delivered` says that the receiver took it, so a crash loses nothing.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        keep_resolved: float = 3600.0,
        *,
        owners: Owners | None = None,
        inhibit: Sequence[InhibitRule] = DEFAULTS,
        linger: float = 60.0,
        storm: StormRule | None = None,
    ) -> None:
        self.tree, self.owners = RouteTree(routes), owners or Owners()
        self.silences, self.inhibitor = Silences(), Inhibitor(inhibit, linger)
        self._keep_resolved = keep_resolved
        self._incidents = Incidents()
        #: Where what is said of incidents is written down.
        self.remarks = Remarks(self._incidents, self._touch)
        self._homes = Homes(
            self.tree, self._incidents, storm or StormRule(), self.owners.labels_of({}).get("owner", ""), self._touch
        )
        self._holds = Holds(self.silences, self.inhibitor, self._incidents, self._homes.route_of)
        self._escalations = Escalations(self._incidents, self._reason_of, self._touch)
        self._agenda, self._verdicts = Agenda(), Verdicts()

    def submit(self, alert: Alert, now: float) -> Incident | None:
        """Take in an alert at `now` (epoch seconds); gives its first incident, None for the end of what is not known.

        It is told on each of its routes; where it comes to further ones, being more severe now, others learn of it too.
        """
        alert = self.owners.label(alert)
        found = self._tellers(alert, now)
        if not found:
            return None
        known = self._incidents.holding(alert.id)
        for incident in found:
            if alert.id not in incident:
                self.remarks.joined(incident, known)
            self._take(incident, alert, now)
            self._forget(incident.absorbed)
        # What is known by now: an old record that was written again must not bring an alarm back that is over.
        for name in self.inhibitor.take(found[0].latest(alert)):
            self._agenda.put(name, SOON)
        return found[0]

    def silence(self, silence: Silence) -> None:
        """Let a silence hold."""
        self.silences.add(silence)
        for name in self._verdicts.with_reason("silenced", "planned", "inhibited"):
            self._agenda.put(name, SOON)

    def pending(self, now: float, wanted: Callable[[Incident], bool] = lambda _: True) -> Iterator[Notification]:
        """Give what is due to be sent, the oldest incident first, of the incidents that are `wanted`."""
        self.tick(now)
        ready = [one for one in map(self._incidents.find, self._verdicts.ready()) if one is not None and wanted(one)]
        for incident in sorted(ready, key=lambda one: (one.noted_at, one.id)):
            decision = self._judge(incident, now)
            if decision.reason in BECAUSE:
                yield self._notification(incident, decision.reason)

    def delivered(self, notification: Notification, ref: str, now: float) -> None:
        """Note that the receiver took a notification, and under which reference."""
        told = notification.incident
        if incident := self._incidents.find(told.id):
            incident.sent = Sent(ref, told.revision, now, told.state == "resolved")
            incident.told_at = now if incident.told_at is None else incident.told_at
            self._verdicts.begin_anew(incident.id)
            self._touch(incident)

    def tick(self, now: float) -> None:
        """Let time pass: escalate what nobody acknowledged, and drop what is long over and needs no further word."""
        while names := self._agenda.due(now):
            for incident in [self._incidents.find(name) for name in names]:
                if incident:
                    self._look_at(incident, now)

    @property
    def due(self) -> float:
        """The moment (epoch seconds) before which time brings nothing: no decision changes, and nothing is pending."""
        return SOON if self._verdicts.ready() else self._agenda.next

    def find(self, incident: str) -> Incident | None:
        """Give an incident by its id, if it is still known."""
        return self._incidents.find(incident)

    def holding(self, alert: str) -> list[Incident]:
        """List the incidents that tell of an alert."""
        return self._incidents.holding(alert)

    def open_incidents(self) -> list[Incident]:
        """List the incidents that are not over."""
        return [incident for incident in self._incidents if incident.state == "open"]

    @property
    def open_count(self) -> int:
        """How many incidents are not over."""
        return self._incidents.open_count

    def decided(self) -> Counter[Reason]:
        """Give how often each reason was decided upon since the last call; one that goes on is counted once."""
        return self._verdicts.taken()

    def explain(self, incident: Incident, now: float) -> tuple[Decision, Held, Route]:
        """Say what is decided of an incident at `now` (epoch seconds), what holds it back, and its route."""
        held, route = self._holds.of(incident, now), self._homes.route_of(incident)
        return decide(incident, route, now, held), held, route

    def _reason_of(self, incident: Incident, now: float) -> Reason:
        return self.explain(incident, now)[0].reason

    def saved(self, incident: str) -> bool:
        """Tell whether all that is known of an incident was written down."""
        return self._incidents.saved(incident)

    def news(self) -> Iterator[tuple[str, Incident | None]]:
        """Give the incidents that changed since they were last given here, for publication; None for dropped ones."""
        return self._incidents.news()

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the incidents that changed since the last call, by id, written down; None for dropped ones."""
        return self._incidents.changes()

    def restore(self, incidents: Mapping[str, bytes]) -> None:
        """Take up the incidents that `changes` gave."""
        self._incidents.restore(incidents)
        for incident in self._incidents:
            self._agenda.put(incident.id, SOON)
            for alert in incident.alerts.values():
                self.inhibitor.take(alert)

    def _tellers(self, alert: Alert, now: float) -> list[Incident]:
        """List who is to tell of an alert: who does, who is to by the routes that take it now, and who tells beside."""
        known = self._incidents.holding(alert.id)
        over = alert.state == "closed" or any(one.latest(alert).state == "closed" for one in known[:1])
        homes = known if over else [*known, *self._further(alert, {one.receiver for one in known}, now)]
        # A home may have become a part of another's storm when the next one was found.
        found = [one for one in (self._incidents.find(home.id) for home in homes) if one]
        beside = [one for home in found for one in self._homes.besides(home)]
        return sorted({one.id: one for one in (*found, *beside)}.values(), key=rank)

    def _further(self, alert: Alert, told: Container[str], now: float) -> list[Incident]:
        """List an alert's homes on the first route of each receiver that is not `told` of it."""
        first: dict[str, Leaf] = {}
        for leaf in self.tree.leaves(alert.labels):
            first.setdefault(leaf.route.receiver, leaf)
        return [self._homes.of(leaf, alert, now) for receiver, leaf in first.items() if receiver not in told]

    def _take(self, incident: Incident, alert: Alert, now: float) -> None:
        before = incident.state
        incident.take(alert)
        if alert.id in incident:
            self._incidents.hold(incident, alert.id)
        if before == "open" and incident.state == "resolved":
            self._incidents.ended(incident)
            held = self._holds.of(incident, now)
            incident.unheard = incident.sent is None and held != NOT_HELD
        self._touch(incident)

    def _look_at(self, incident: Incident, now: float) -> None:
        decision = self._judge(incident, now)
        at = decision.again_at
        if decision.reason in DONE and incident.state == "resolved":
            gone = (incident.sent.at if incident.sent else incident.noted_at) + self._keep_resolved
            if now > gone:
                self._drop(incident)
                return
            at = max(gone, now) + 0.001
        route = self._homes.route_of(incident)
        self._agenda.put(incident.id, min(at, self._escalations.take_step(incident, route, decision.reason, now)))

    def _judge(self, incident: Incident, now: float) -> Decision:
        """Decide, and keep the reason, so that each is counted once for as long as it lasts."""
        held = self._holds.of(incident, now)
        decision = decide(incident, self._homes.route_of(incident), now, held)
        if self._verdicts.note(incident.id, decision):
            self._agenda.put(incident.id, SOON)
        if decision.reason == "inhibited":
            self._holds.watch(incident)
        return decision

    def _drop(self, incident: Incident) -> None:
        self._incidents.drop(incident)
        self._forget([incident.id])
        for alert in incident.alerts:
            if not self._incidents.holding(alert):
                self.inhibitor.drop(alert)

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self._agenda.drop(name)
            self._verdicts.drop(name)

    def _notification(self, incident: Incident, because: Because) -> Notification:
        previous = incident.sent.ref or None if incident.sent else None
        return Notification(incident.copy(), incident.receiver, because, previous, self.owners.find(incident.owner))

    def _touch(self, incident: Incident) -> None:
        self._incidents.touch(incident.id)
        self._agenda.put(incident.id, SOON)
