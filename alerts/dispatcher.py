"""From alerts to notifications: finds the route, groups into incidents, and says what is due to be sent."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from alerts.alert import Alert
from alerts.decide import BECAUSE, DONE, Because, decide
from alerts.incident import Incident, Sent, incident_id
from alerts.routes import Route, route_for


class Notification(msgspec.Struct, frozen=True):
    """One message that is due: what, to whom, and why. `previous` is the receiver's reference of the last one."""

    incident: Incident
    receiver: str
    because: Because
    previous: str | None


class Dispatcher:
    """All incidents of a deployment. Pure: it is told the time, and others send what it gives.

    What is `pending` stays so until `delivered` says that the receiver took it, so a crash loses nothing.
    """

    def __init__(self, routes: Sequence[Route], keep_resolved: float = 3600.0) -> None:
        self._routes = routes
        self._keep_resolved = keep_resolved
        self._incidents: dict[str, Incident] = {}
        self._dirty: set[str] = set()
        self._news: set[str] = set()

    def submit(self, alert: Alert, now: float) -> Incident | None:
        """Take in an alert at `now` (epoch seconds); gives its incident, None for the end of what is not known."""
        route = route_for(self._routes, alert.labels)
        incident = self._find(route, alert)
        if incident is None and alert.state == "closed":
            return None
        incident = incident or self._open(route, alert, now)
        incident.take(alert)
        self._touch(incident.id)
        return incident

    def note(self, incident: str, text: str) -> None:
        """Write a line into an incident's history, if it is still known."""
        if found := self._incidents.get(incident):
            found.note(text)
            self._touch(incident)

    def throttled(self, incident: str, scope: str) -> None:
        """Note that a command of the incident is in force on `scope`, in place of any other incident's."""
        for other in [one.id for one in self._incidents.values() if one.id != incident and scope in one.commands]:
            self.released(other, scope)
        found = self._incidents.get(incident)
        if found and scope not in found.commands:
            found.commands.append(scope)
            self._touch(incident)

    def released(self, incident: str, scope: str, saved: Decimal = Decimal(0)) -> None:
        """Note that the incident's command on `scope` was released, which has saved an estimated `saved` dollars."""
        found = self._incidents.get(incident)
        if found and scope in found.commands:
            found.commands.remove(scope)
            found.usd_saved += saved
            self._touch(incident)

    def pending(self, now: float) -> Iterator[Notification]:
        """Give what is due to be sent, the oldest incident first."""
        for incident in self._incidents.values():
            because = decide(incident, self._route(incident), now)
            if because in BECAUSE:
                previous = incident.sent.ref or None if incident.sent else None
                yield Notification(_copy(incident), incident.receiver, because, previous)

    def delivered(self, notification: Notification, ref: str, now: float) -> None:
        """Note that the receiver took a notification, and under which reference."""
        told = notification.incident
        if incident := self._incidents.get(told.id):
            incident.sent = Sent(ref, told.revision, now, told.state == "resolved")
            self._touch(told.id)

    def forget(self, now: float) -> None:
        """Drop incidents that were resolved long ago and need no further word."""
        for incident in list(self._incidents.values()):
            told = incident.sent.at if incident.sent else incident.noted_at
            if now - told > self._keep_resolved and decide(incident, self._route(incident), now) in DONE:
                del self._incidents[incident.id]
                self._touch(incident.id)

    def find(self, incident: str) -> Incident | None:
        """Give an incident by its id, if it is still known."""
        return self._incidents.get(incident)

    def open_incidents(self) -> list[Incident]:
        """List the incidents that are not over."""
        return [incident for incident in self._incidents.values() if incident.state == "open"]

    def news(self) -> Iterator[tuple[str, Incident | None]]:
        """Give the incidents that changed since they were last given here, for publication; None for dropped ones."""
        for name in sorted(self._news):
            yield name, self._incidents.get(name)
        self._news.clear()

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the incidents that changed since the last call, by id, written down; None for dropped ones."""
        for name in sorted(self._dirty):
            incident = self._incidents.get(name)
            yield name, msgspec.msgpack.encode(incident) if incident else None
        self._dirty.clear()

    def restore(self, incidents: Mapping[str, bytes]) -> None:
        """Take up the incidents that `changes` gave."""
        found = [msgspec.msgpack.decode(state, type=Incident) for state in incidents.values()]
        for incident in sorted(found, key=lambda incident: (incident.noted_at, incident.id)):
            self._incidents[incident.id] = incident

    def _touch(self, incident: str) -> None:
        self._dirty.add(incident)
        self._news.add(incident)

    def _find(self, route: Route, alert: Alert) -> Incident | None:
        """The incident that knows the alert already, else the open one of its group."""
        group = route.group(alert.labels)
        same = None
        for incident in self._incidents.values():
            if alert.id in incident.alerts:
                return incident
            if incident.state == "open" and incident.receiver == route.receiver and incident.group == group:
                same = incident
        return same

    def _open(self, route: Route, alert: Alert, now: float) -> Incident:
        group = route.group(alert.labels)
        incident = Incident(
            id=incident_id(route.receiver, group, alert),
            receiver=route.receiver,
            group=group,
            opened_at=alert.opened_at,
            updated_at=alert.updated_at,
            noted_at=now,
        )
        self._incidents[incident.id] = incident
        return incident

    def _route(self, incident: Incident) -> Route:
        return route_for(self._routes, {**incident.main.labels, **incident.group})


def _copy(incident: Incident) -> Incident:
    return msgspec.structs.replace(incident, alerts=dict(incident.alerts), notes=list(incident.notes))
