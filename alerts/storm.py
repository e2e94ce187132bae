"""One cause that shows in many places at once is one message: when a group joins another's incident."""

import msgspec

from alerts.alert import Label
from alerts.incident import Incident
from alerts.incidents import Cause, Incidents, cause_of

TENANT: Label = "tenant"


class StormRule(msgspec.Struct, frozen=True, kw_only=True):
    """What is a storm: within `window` seconds so many `tenants` of one owner show the same kind.

    And, whatever they show, more than so many `incidents` begin for one receiver.
    """

    tenants: int = 3
    incidents: int = 8
    window: float = 60.0


class Storms:
    """Finds the incident that a group is to join when it begins; None where it is to be told by itself."""

    def __init__(self, rule: StormRule, incidents: Incidents) -> None:
        self._rule, self._incidents = rule, incidents

    def host(self, receiver: str, labels: dict[Label, str], wait: float, now: float) -> Incident | None:
        """Give the storm that labels belong to at `now` (epoch seconds), made of what began with them if need be.

        What waits for company, for `wait` seconds, and nobody can have been told of becomes a part of it.
        """
        cause, tenant = cause_of(receiver, labels), labels.get(TENANT, "")
        for known in (cause, _any_cause(receiver)):
            if found := self._going_on(known, tenant, now):
                found.joined_at = now
                return found
        return self._begun(cause, tenant, wait, now)

    def overflows(self, receiver: str, now: float) -> bool:
        """Tell whether so much began for a receiver of late that what begins now is told together."""
        begun = 0
        for incident in self._incidents.of_receiver(receiver):
            if now - incident.noted_at > self._rule.window or begun >= self._rule.incidents:
                break
            begun += not incident.escalated_from
        return begun >= self._rule.incidents

    def _going_on(self, cause: Cause, tenant: str, now: float) -> Incident | None:
        for storm in self._incidents.storms(cause):
            if not storm.full and (now - storm.joined_at <= self._rule.window or storm.concerns(tenant)):
                return storm
        return None

    def _begun(self, cause: Cause, tenant: str, wait: float, now: float) -> Incident | None:
        recent = []
        for incident in self._incidents.of_cause(cause):
            if now - incident.noted_at > self._rule.window:
                break
            if not incident.escalated_from:
                recent.append(incident)
        tenants = {tenant, *(incident.main.labels.get(TENANT, "") for incident in recent)}
        if len(tenants) < self._rule.tenants:
            return None
        return self._made(recent, wait, now)

    def _made(self, recent: list[Incident], wait: float, now: float) -> Incident:
        """Make the first of them the storm, and the others that nobody was told of its parts."""
        host = recent[-1]
        self._incidents.make_storm(host)
        host.joined_at = now
        for other in recent[:-1]:
            if other.sent is None and now < other.noted_at + wait:
                self._incidents.absorb(host, other, now)
        return host


def _any_cause(receiver: str) -> Cause:
    return receiver, "", ""
