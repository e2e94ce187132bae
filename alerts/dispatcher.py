"""From alerts to notifications: finds the routes, groups into incidents, and says what is due to be sent."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from alerts.agenda import SOON, Agenda
from alerts.alert import Alert
from alerts.decide import BECAUSE, DONE, NOT_HELD, Because, Decision, Held, Reason, decide, escalation
from alerts.holds import Holds
from alerts.incident import Incident, Sent, incident_id
from alerts.incidents import Incidents
from alerts.inhibit import DEFAULTS, Inhibitor, InhibitRule
from alerts.owners import Owner, Owners
from alerts.routes import Leaf, Route, RouteTree, Step
from alerts.silences import Silence, Silences
from alerts.storm import StormRule, Storms


class Notification(msgspec.Struct, frozen=True):
    """One message that is due: what, to whom, and why. `previous` is the receiver's reference of the last one."""

    incident: Incident
    receiver: str
    because: Because
    previous: str | None
    owner: Owner | None = None


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
        self._holds = Holds(self.silences, self.inhibitor, self._incidents)
        self._storms = Storms(storm or StormRule(), self._incidents)
        self._agenda = Agenda()
        self._ready: dict[str, Because] = {}
        self._reasons: dict[str, Reason] = {}
        self._decided: Counter[Reason] = Counter()

    def submit(self, alert: Alert, now: float) -> Incident | None:
        """Take in an alert at `now` (epoch seconds); gives its first incident, None for the end of what is not known.

        It is told on each of its routes; where it comes to further ones, being more severe now, others learn of it too.
        """
        alert = self.owners.label(alert)
        found = self._incidents.holding(alert.id)
        if not found and alert.state == "closed":
            return None
        if alert.state != "closed" and not (found and found[0].latest(alert).state == "closed"):
            told = {incident.receiver for incident in found}
            for leaf in self.tree.leaves(alert.labels):
                if leaf.route.receiver not in told or not found:
                    found += [home for home in [self._home(leaf, alert, now)] if home not in found]
        for name in self.inhibitor.take(alert):
            self._agenda.put(name, SOON)
        for incident in list(found):
            found += [one for one in self._incidents.escalated(incident.id) if one not in found]
        for incident in found:
            self._take(incident, alert, now)
        return found[0]

    def note(self, incident: str, text: str) -> None:
        """Write a line into the history of an incident and its like, if it is still known."""
        for found in self._related(incident):
            found.note(text)
            self._touch(found)

    def answer(self, incident: str, text: str) -> None:
        """Write down what a person said of an incident and its like; they see at once that it was heard."""
        for found in self._related(incident):
            found.answer(text)
            self._touch(found)

    def acknowledge(self, incident: str, by: str, at: datetime, text: str) -> bool:
        """Note that somebody has seen an incident, and what tells others of the same; True if it is known.

        `text` is what was said of it, and how others are told.
        """
        found = self._related(incident)
        seen = set(found[0].members()) if found else set()
        for one in found:
            if one.state == "open" and seen.issuperset(one.members()):
                one.answer(text)
                one.acknowledge(by, at)
                self._touch(one)
        return bool(found)

    def silence(self, silence: Silence) -> None:
        """Let a silence hold."""
        self.silences.add(silence)
        for name, reason in self._reasons.items():
            if reason in ("silenced", "planned"):
                self._agenda.put(name, SOON)

    def throttled(self, incident: str, scope: str) -> None:
        """Note that a command of the incident is in force on `scope`."""
        for found in self._related(incident):
            if scope not in found.commands:
                found.commands.append(scope)
                self._incidents.bind(found, scope)
                self._touch(found)

    def released(self, scope: str, incident: str = "", saved: Decimal = Decimal(0)) -> None:
        """Note that the command on `scope` was released; `incident` is told how many dollars that `saved`."""
        for found in self._incidents.bound(scope):
            found.commands.remove(scope)
            self._touch(found)
        for found in self._related(incident) if saved else ():
            found.usd_saved += saved
            self._touch(found)
        self._incidents.unbind(scope)

    def pending(self, now: float, wanted: Callable[[Incident], bool] = lambda _: True) -> Iterator[Notification]:
        """Give what is due to be sent, the oldest incident first, of the incidents that are `wanted`."""
        self.tick(now)
        ready = [one for one in map(self._incidents.find, self._ready) if one is not None and wanted(one)]
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
            self._reasons.pop(incident.id, None)
            self._touch(incident)

    def tick(self, now: float) -> None:
        """Let time pass: escalate what nobody acknowledged, and drop what is long over and needs no further word."""
        while names := self._agenda.due(now):
            for incident in [self._incidents.find(name) for name in names]:
                if incident:
                    self._look_at(incident, now)

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
        found, self._decided = self._decided, Counter()
        return found

    def explain(self, incident: Incident, now: float) -> tuple[Decision, Held, Route]:
        """Say what is decided of an incident at `now` (epoch seconds), what holds it back, and its route."""
        held, route = self._holds.of(incident, now), self._route(incident)
        return decide(incident, route, now, held), held, route

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

    def _home(self, leaf: Leaf, alert: Alert, now: float) -> Incident:
        """Find the open incident that an alert belongs to on a route, or open one."""
        route, labels = leaf.route, alert.labels
        known = self._incidents.of_group(route.receiver, route.group(labels))
        if known is not None and not known.full:
            return known
        if storm := self._storms.host(route.receiver, labels, route.group_wait, now):
            self._touch(storm)
            return storm
        return self._open(leaf, alert, now, together=self._storms.overflows(route.receiver, now))

    def _open(self, leaf: Leaf, alert: Alert, now: float, *, together: bool) -> Incident:
        group = {} if together else leaf.route.group(alert.labels)
        incident = _new(leaf.route.receiver, group, alert, now)
        incident.route = leaf.path
        if not together:
            incident.owner, incident.kind = alert.labels.get("owner", ""), alert.labels.get("kind", "")
        incident.storm, incident.joined_at = together, now
        self._incidents.add(incident)
        return incident

    def _look_at(self, incident: Incident, now: float) -> None:
        decision = self._judge(incident, now)
        at = decision.again_at
        if decision.reason in DONE and incident.state == "resolved":
            gone = (incident.sent.at if incident.sent else incident.noted_at) + self._keep_resolved
            if now > gone:
                self._drop(incident)
                return
            at = max(gone, now) + 0.001
        self._agenda.put(incident.id, min(at, self._escalate(incident, decision, now)))

    def _judge(self, incident: Incident, now: float) -> Decision:
        """Decide, and keep the reason, so that each is counted once for as long as it lasts."""
        held = self._holds.of(incident, now)
        decision = decide(incident, self._route(incident), now, held)
        if self._reasons.get(incident.id) != decision.reason:
            self._reasons[incident.id] = decision.reason
            self._decided[decision.reason] += 1
        if decision.reason in BECAUSE:
            self._ready[incident.id] = decision.reason
        elif self._ready.pop(incident.id, None):
            self._agenda.put(incident.id, SOON)
        if decision.reason == "inhibited":
            self._holds.watch(incident)
        return decision

    def _escalate(self, incident: Incident, decision: Decision, now: float) -> float:
        """Tell the next ones, if it is time; gives when it is."""
        if decision.reason in ("silenced", "planned", "inhibited", "quiet_hours"):
            return float("inf")
        route = self._route(incident)
        step, at = escalation(incident, route, now)
        if step is None:
            return at
        incident.escalations += 1
        told = {one.receiver for one in self._related(incident.id) if one.state == "open"}
        if step.receiver not in told:
            self._tell_also(incident, step, now)
            incident.note(f"nobody acknowledged: told {step.receiver}")
        self._touch(incident)
        return SOON

    def _tell_also(self, incident: Incident, step: Step, now: float) -> None:
        further = incident.for_another(step.receiver, now)
        further.note(f"nobody acknowledged it at {incident.receiver}")
        self._incidents.add(further)
        self._touch(further)

    def _drop(self, incident: Incident) -> None:
        self._incidents.drop(incident)
        self._agenda.drop(incident.id)
        self._reasons.pop(incident.id, None)
        self._ready.pop(incident.id, None)
        for alert in incident.alerts:
            if not self._incidents.holding(alert):
                self.inhibitor.drop(alert)

    def _notification(self, incident: Incident, because: Because) -> Notification:
        previous = incident.sent.ref or None if incident.sent else None
        return Notification(incident.copy(), incident.receiver, because, previous, self.owners.find(incident.owner))

    def _route(self, incident: Incident) -> Route:
        """Give an incident's route; the configuration may be another than when it was opened."""
        route = self.tree.at(incident.route)
        if incident.escalated_from:
            route = route or self.tree.leaves(incident.main.labels)[0].route
            return msgspec.structs.replace(route, receiver=incident.receiver, escalate=())
        if route is not None and route.receiver == incident.receiver:
            return route
        leaves = self.tree.leaves({**incident.main.labels, **incident.group})
        return next((leaf.route for leaf in leaves if leaf.route.receiver == incident.receiver), leaves[0].route)

    def _related(self, incident: str) -> list[Incident]:
        found = self._incidents.find(incident)
        return self._incidents.related(found) if found else []

    def _touch(self, incident: Incident) -> None:
        self._incidents.touch(incident.id)
        self._agenda.put(incident.id, SOON)


def _new(receiver: str, group: Mapping[str, str], alert: Alert, now: float) -> Incident:
    return Incident(
        id=incident_id(receiver, group, alert),
        receiver=receiver,
        group=dict(group),
        opened_at=alert.opened_at,
        updated_at=alert.updated_at,
        noted_at=now,
    )
