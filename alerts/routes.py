"""Where an alert goes: the first route whose labels all match."""

from collections.abc import Mapping, Sequence

import msgspec

from alerts.alert import Label


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route. Alerts with equal `group_by` labels share one incident; times are in seconds.

    `group_wait` is how long a new incident waits for company, `group_interval` the least time between two
    notices of change, `repeat_interval` the time after which an unchanged open incident is said again.
    """

    receiver: str
    match: dict[Label, str] = {}
    group_by: tuple[Label, ...] = ("tenant", "kind")
    group_wait: float = 2.0
    group_interval: float = 60.0
    repeat_interval: float = 14_400.0

    def takes(self, labels: Mapping[Label, str]) -> bool:
        """Tell whether all labels asked for are there with the asked value."""
        return all(labels.get(name) == value for name, value in self.match.items())

    def group(self, labels: Mapping[Label, str]) -> dict[Label, str]:
        """Give the labels that an incident of this route shares."""
        return {name: labels[name] for name in self.group_by if name in labels}


def route_for(routes: Sequence[Route], labels: Mapping[Label, str]) -> Route:
    """Find the route of an alert; the last route matches everything, so that nothing is lost."""
    return next((route for route in routes if route.takes(labels)), routes[-1])
