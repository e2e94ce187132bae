"""Where an alert is told: the open incident of its group on a route, a storm, or a new incident."""

from collections.abc import Callable

import msgspec

from alerts.alert import Alert
from alerts.flood import Floods
from alerts.incident import Incident, incident_id
from alerts.incidents import Incidents, Whose
from alerts.routes import Leaf, Route, RouteTree
from alerts.storm import StormRule, Storms


class Homes:
    """Finds an alert's incident on each of its routes, and an incident's route.

    `default` is the owner of what is nobody's, and told of what begins beyond the `rule`; `touch` is told what changes.
    """

    def __init__(
        self,
        tree: RouteTree,
        incidents: Incidents,
        rule: StormRule,
        default: str,
        touch: Callable[[Incident], None],
    ) -> None:
        self._tree, self._incidents, self._touch = tree, incidents, touch
        self._last = tree.leaves({"owner": default} if default else {})[0]
        self._default: Whose = (self._last.route.receiver, default)
        self._storms = Storms(rule, incidents)
        self._floods = Floods(rule, incidents, self._storms, self._default, touch)

    def of(self, leaf: Leaf, alert: Alert, now: float) -> Incident:
        """Find the open incident that an alert belongs to on a route at `now` (epoch seconds), or open one."""
        route, labels = leaf.route, alert.labels
        known = self._incidents.of_group(route.receiver, route.group(labels))
        if known is not None and not known.full:
            return known
        if storm := self._storms.host(route.receiver, labels, route.group_wait, now):
            self._touch(storm)
            return storm
        if not self._floods.is_on(now):
            return self._opened(leaf, alert, now)
        if (route.receiver, labels.get("owner", "")) == self._default:
            return self._floods.stand_in(route.group_wait, now) or self._opened(leaf, alert, now)
        incident = self._opened(leaf, alert, now)
        self._floods.hold(incident, self._stand_in(alert, now), now)
        return incident

    def besides(self, incident: Incident) -> list[Incident]:
        """List who takes in, too, what comes to an incident: those that tell others, or tell of it for now."""
        return [*self._incidents.escalated(incident.id), *self._floods.telling(incident)]

    def route_of(self, incident: Incident) -> Route:
        """Give an incident's route; the configuration may be another than when it was opened."""
        route = self._tree.at(incident.route)
        if incident.escalated_from:
            route = route or self._tree.leaves(incident.main.labels)[0].route
            return msgspec.structs.replace(route, receiver=incident.receiver, escalate=())
        if route is not None and route.receiver == incident.receiver:
            return route
        leaves = self._tree.leaves({**incident.main.labels, **incident.group})
        return next((leaf.route for leaf in leaves if leaf.route.receiver == incident.receiver), leaves[0].route)

    def _stand_in(self, alert: Alert, now: float) -> Incident:
        if found := self._floods.stand_in(self._last.route.group_wait, now):
            return found
        receiver, owner = self._default
        incident = _new(receiver, {}, alert, now)
        incident.route, incident.owner, incident.storm, incident.joined_at = self._last.path, owner, True, now
        self._incidents.add(incident)
        return incident

    def _opened(self, leaf: Leaf, alert: Alert, now: float) -> Incident:
        incident = _new(leaf.route.receiver, leaf.route.group(alert.labels), alert, now)
        incident.route = leaf.path
        incident.owner, incident.kind = alert.labels.get("owner", ""), alert.labels.get("kind", "")
        self._incidents.add(incident)
        return incident


def _new(receiver: str, group: dict[str, str], alert: Alert, now: float) -> Incident:
    return Incident(
        id=incident_id(receiver, group, alert),
        receiver=receiver,
        group=group,
        opened_at=alert.opened_at,
        updated_at=alert.updated_at,
        noted_at=now,
    )
