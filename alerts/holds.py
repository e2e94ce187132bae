"""What holds an incident back: silences, alarms that make it superfluous, and in a storm the one that tells of it."""

from collections.abc import Sequence

from alerts.alert import Alert
from alerts.decide import NOT_HELD, Held
from alerts.incident import Incident
from alerts.incidents import Incidents
from alerts.inhibit import Inhibitor
from alerts.silences import Silence, Silences


class Holds:
    """Looks up what holds back all of an incident: one alert that nothing holds back is told, the others beside it."""

    def __init__(self, silences: Silences, inhibitor: Inhibitor, incidents: Incidents) -> None:
        self._silences, self._inhibitor, self._incidents = silences, inhibitor, incidents

    def of(self, incident: Incident, now: float) -> Held:
        """Give what holds an incident back at `now` (epoch seconds)."""
        alerts = _open_alerts(incident) or list(incident.alerts.values())
        silence = self._silences.covering(incident.group, now, incident.id)
        if silence is None and not incident.rest:
            silence = self._of_each(incident, alerts, now)
        if silence is not None:
            return Held(silence)
        inhibited = NOT_HELD if incident.rest else self._inhibited(alerts, now)
        return self._told_elsewhere(incident, now) if inhibited == NOT_HELD else inhibited

    def watch(self, incident: Incident) -> None:
        """Have the inhibitor give the incident's id when what makes it superfluous changes."""
        for alert in _open_alerts(incident):
            self._inhibitor.wait(incident.id, alert)

    def _of_each(self, incident: Incident, alerts: Sequence[Alert], now: float) -> Silence | None:
        """Give the silence that ends first, where each alert has one."""
        each = [self._silences.covering(alert.labels, now, incident.id) for alert in alerts]
        found = [one for one in each if one is not None]
        if len(found) < len(each):
            return None
        return min(found, key=lambda one: (one.kind != "mute", one.until), default=None)

    def _inhibited(self, alerts: Sequence[Alert], now: float) -> Held:
        by, until = "", float("inf")
        for alert in alerts:
            sources = [one for one in self._inhibitor.sources(alert, now) if self._is_heard(one.alert, now)]
            if not sources:
                return NOT_HELD
            longest = max(sources, key=lambda one: one.until)
            by, until = longest.alert.id, min(until, longest.until)
        return Held(inhibited_by=by, until=until) if by else NOT_HELD

    def _told_elsewhere(self, incident: Incident, now: float) -> Held:
        """Give the incident that tells of all of this one, where nobody was told of it itself."""
        if not incident.told_by or incident.sent is not None or now >= incident.told_by_until:
            return NOT_HELD
        found = self._incidents.find(incident.told_by)
        tells = found is not None and found.state == "open" and all(name in found for name in incident.members())
        return Held(told_by=incident.told_by, until=incident.told_by_until) if tells else NOT_HELD

    def _is_heard(self, alert: Alert, now: float) -> bool:
        """Tell whether people hear of an alarm: one that is silenced, or ended before they did, silences no other."""
        told = self._incidents.holding(alert.id)
        if alert.state == "closed" and not any(one.sent for one in told):
            return False
        return any(self._silences.covering(alert.labels, now, one.id) is None for one in told)


def _open_alerts(incident: Incident) -> list[Alert]:
    return [alert for alert in incident.alerts.values() if alert.state != "closed"]
