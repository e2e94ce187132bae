"""Where an alert is told: the open incident of its group on a route, a storm, or a new incident."""

from collections.abc import Callable, Mapping

import msgspec

from alerts.alert import Alert
from alerts.incident import Incident, incident_id
from alerts.incidents import Incidents
from alerts.routes import Leaf, Route, RouteTree
from alerts.storm import Storms


class Homes:
    """Finds an alert's incident on each of its routes, and an incident's route. `touch` is told what changes."""

    def __init__(
        self, tree: RouteTree, incidents: Incidents, storms: Storms, touch: Callable[[Incident], None]
    ) -> None:
        self._tree, self._incidents, self._storms, self._touch = tree, incidents, storms, touch

    def of(self, leaf: Leaf, alert: Alert, now: float) -> Incident:
        """Find the open incident that an alert belongs to on a route at `now` (epoch seconds), or open one."""
        route, labels = leaf.route, alert.labels
        known = self._incidents.of_group(route.receiver, route.group(labels))
        if known is not None and not known.full:
            return known
        if storm := self._storms.host(route.receiver, labels, route.group_wait, now):
            self._touch(storm)
            return storm
        return self._open(leaf, alert, now, together=self._storms.overflows(route.receiver, now))

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

    def _open(self, leaf: Leaf, alert: Alert, now: float, *, together: bool) -> Incident:
        group = {} if together else leaf.route.group(alert.labels)
        incident = _new(leaf.route.receiver, group, alert, now)
        incident.route = leaf.path
        if not together:
            incident.owner, incident.kind = alert.labels.get("owner", ""), alert.labels.get("kind", "")
        incident.storm, incident.joined_at = together, now
        self._incidents.add(incident)
        return incident


def _new(receiver: str, group: Mapping[str, str], alert: Alert, now: float) -> Incident:
    return Incident(
        id=incident_id(receiver, group, alert),
        receiver=receiver,
        group=dict(group),
        opened_at=alert.opened_at,
        updated_at=alert.updated_at,
        noted_at=now,
    )
