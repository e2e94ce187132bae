"""One cause that shows in many places at once is one message an owner: when a group joins another's incident."""

from collections.abc import Iterable, Iterator
from itertools import takewhile

import msgspec

from alerts.alert import Label
from alerts.incident import Incident
from alerts.incidents import Incidents, Whose, age

TENANT: Label = "tenant"


class StormRule(msgspec.Struct, frozen=True, kw_only=True):
    """What is a storm: within `window` seconds so many `tenants` show the same kind, or one of them so many kinds.

    And, whatever it is, more than so many `incidents` begin: of these owners learn after `patience` seconds, if it
    goes on, and the default owner at once.
    """

    tenants: int = 3
    incidents: int = 9
    window: float = 60.0
    patience: float = 900.0


class Storms:
    """Finds the incident that a group is to join when it begins; None where it is to be told by itself."""

    def __init__(self, rule: StormRule, incidents: Incidents) -> None:
        self._rule, self._incidents = rule, incidents

    def host(self, receiver: str, labels: dict[Label, str], wait: float, now: float) -> Incident | None:
        """Give the incident of its owner that a group joins at `now` (epoch seconds), made of what began with it.

        What waits for company, for `wait` seconds, and nobody can have been told of becomes a part of it.
        """
        whose, tenant, kind = (receiver, labels.get("owner", "")), labels.get(TENANT, ""), labels.get("kind", "")
        for incident in self._incidents.open_of(whose):
            if incident.storm and self._takes(incident, tenant, kind, now):
                if not incident.concerns(tenant):
                    incident.joined_at = now
                return incident
        joins = self._gathers(kind, tenant, now) or self._has_many_kinds(whose, kind, tenant, now)
        return self.together(whose, wait, now) if joins else None

    def together(self, whose: Whose, wait: float, now: float) -> Incident | None:
        """Make one of what began for an owner of late: the first is the storm, what nobody was told of its parts."""
        recent = [one for one in self._recent(self._incidents.open_of(whose), now) if not one.full]
        if not recent:
            return None
        host, *others = sorted(recent, key=age)
        self._incidents.make_storm(host)
        host.joined_at = now
        for other in others:
            if other.sent is None and now < other.noted_at + wait and not other.stands_in:
                self._incidents.absorb(host, other, now)
        return host

    def _takes(self, storm: Incident, tenant: str, kind: str, now: float) -> bool:
        """Tell whether a storm is still gathering, or knows the like of what begins."""
        if storm.full:
            return False
        return self._is_gathering(storm, now) or (storm.kind == kind and storm.concerns(tenant))

    def _gathers(self, kind: str, tenant: str, now: float) -> bool:
        """Tell whether there is a storm, whoever's: one that gathers, or enough tenants with the same kind."""
        wide = (one for one in self._incidents.storms() if one.tenant_count >= self._rule.tenants)
        if any(self._is_gathering(storm, now) for storm in wide):
            return True
        alike = self._recent(self._incidents.of_kind(kind), now)
        return self._are_enough(tenant, (_tenant_of(incident, tenant) for incident in alike))

    def _has_many_kinds(self, whose: Whose, kind: str, tenant: str, now: float) -> bool:
        """Tell whether one tenant shows so many kinds that they are one matter for their owner."""
        begun = self._recent(self._incidents.open_of(whose), now)
        return self._are_enough(kind, (one.kind for one in begun if _tenant_of(one, tenant) == tenant))

    def _are_enough(self, name: str, others: Iterable[str]) -> bool:
        names = {name}
        for other in others:
            names.add(other)
            if len(names) >= self._rule.tenants:
                return True
        return False

    def _recent(self, latest_first: Iterator[Incident], now: float) -> Iterator[Incident]:
        return takewhile(lambda incident: now - incident.noted_at <= self._rule.window, latest_first)

    def _is_gathering(self, storm: Incident, now: float) -> bool:
        return now - storm.joined_at <= self._rule.window


def _tenant_of(incident: Incident, beginning: str) -> str:
    """Give the tenant that an incident is about first; one that holds nothing yet is that of the one `beginning`."""
    return incident.main.labels.get(TENANT, "") if incident.alerts else beginning
