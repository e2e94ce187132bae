"""What holds an incident back: silences, alarms that make it superfluous, and in a storm the one that tells of it."""

from collections.abc import Callable, Sequence

from alerts.alert import Alert
from alerts.decide import NEVER, NOT_HELD, Held
from alerts.incident import Incident
from alerts.incidents import Incidents
from alerts.inhibit import Inhibitor, Source
from alerts.routes import Route
from alerts.silences import Silences


class Holds:
    """Looks up what holds back all of an incident: one alert that nothing holds back is told, the others beside it."""

    def __init__(
        self,
        silences: Silences,
        inhibitor: Inhibitor,
        incidents: Incidents,
        route_of: Callable[[Incident], Route],
    ) -> None:
        self._silences, self._inhibitor, self._incidents = silences, inhibitor, incidents
        self._route_of = route_of

    def of(self, incident: Incident, now: float) -> Held:
        """Give what holds an incident back at `now` (epoch seconds)."""
        alerts = _open_alerts(incident) or list(incident.alerts.values())
        if silenced := self._silenced(incident, alerts, now):
            return silenced
        inhibited = NOT_HELD if incident.rest else self._inhibited(alerts, now)
        return self._told_elsewhere(incident, now) if inhibited == NOT_HELD else inhibited

    def watch(self, incident: Incident) -> None:
        """Have the inhibitor give the incident's id when what makes it superfluous changes."""
        for alert in _open_alerts(incident):
            self._inhibitor.wait(incident.id, alert)

    def _silenced(self, incident: Incident, alerts: Sequence[Alert], now: float) -> Held | None:
        """Give a silence of all of it, or, where each alert has one, a mute before a plan, until one of them ends."""
        if silence := self._silences.covering(incident.group, now, incident.id):
            return Held(silence, until=silence.until)
        each = [] if incident.rest else [self._silences.covering(one.labels, now, incident.id) for one in alerts]
        found = [one for one in each if one is not None]
        if not found or len(found) < len(each):
            return None
        return Held(min(found, key=lambda one: (one.kind != "mute", one.until)), until=min(one.until for one in found))

    def _inhibited(self, alerts: Sequence[Alert], now: float) -> Held:
        by, until = "", NEVER
        for alert in alerts:
            heard = [(self._heard_until(one, now), one.alert.id) for one in self._inhibitor.sources(alert, now)]
            longest, name = max(heard, default=(now, ""))
            if longest <= now:
                return NOT_HELD
            by, until = name, min(until, longest)
        return Held(inhibited_by=by, until=until) if by else NOT_HELD

    def _told_elsewhere(self, incident: Incident, now: float) -> Held:
        """Give the incident that tells of all of this one, where nobody was told of it itself."""
        if not incident.told_by or incident.sent is not None or now >= incident.told_by_until:
            return NOT_HELD
        found = self._incidents.find(incident.told_by)
        tells = found is not None and found.state == "open" and all(name in found for name in incident.members())
        return Held(told_by=incident.told_by, until=incident.told_by_until) if tells else NOT_HELD

    def _heard_until(self, source: Source, now: float) -> float:
        """Give how long an alarm silences others, at least, since people hear of it; `now` if they do not.

        One that is silenced, waits for its receiver's hours, or ended before people were told, silences no other.
        """
        alert = source.alert
        told = [one for one in self._incidents.holding(alert.id) if one.sent or alert.state != "closed"]
        free = [one for one in told if self._silences.covering(alert.labels, now, one.id) is None]
        return max((min(source.until, self._tells_until(one, alert, now)) for one in free), default=now)

    def _tells_until(self, incident: Incident, alert: Alert, now: float) -> float:
        """Give until when people know of an alert of an incident, or are told as soon as it is due; `now` if neither.

        What was sent before the alert began did not tell of it.
        """
        if incident.sent is not None and alert.opened_at.timestamp() <= incident.sent.at:
            return NEVER
        route = self._route_of(incident)
        return route.next_change(now) if route.tells(incident.severity, now) else now


def _open_alerts(incident: Incident) -> list[Alert]:
    return [alert for alert in incident.alerts.values() if alert.state != "closed"]
