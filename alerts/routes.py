"""Where an alert goes: a tree of routes, read as Alertmanager reads its own."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from alerts.alert import RANK, Label, Severity
from alerts.hours import Hours
from alerts.match import matches


class Step(msgspec.Struct, frozen=True):
    """Whom to tell, where nobody has acknowledged `after` seconds after people were told first."""

    after: float
    receiver: str


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route. Alerts with equal `group_by` labels share one incident; times are in seconds.

    `group_wait` is how long a new incident waits for company, `group_interval` the least time between two
    notices of change, `repeat_interval` the time after which an unchanged open incident is said again.
    `hours` are those in which it tells (none: always), `quiet` those in which it does not; what is `always` or worse is
    told at any time. The alerts that match go on to the first of the `routes` below that takes them, and, where that
    one is to `go_on` (`continue` in the configuration), to the next that does.
    """

    receiver: str
    match: dict[Label, str | tuple[str, ...]] = {}
    group_by: tuple[Label, ...] = ("tenant", "kind")
    group_wait: float = 2.0
    group_interval: float = 60.0
    repeat_interval: float = 14_400.0
    go_on: bool = False
    escalate: tuple[Step, ...] = ()
    hours: tuple[Hours, ...] = ()
    quiet: tuple[Hours, ...] = ()
    always: Severity = "critical"
    routes: tuple["Route", ...] = ()

    def takes(self, labels: Mapping[Label, str]) -> bool:
        """Tell whether all labels asked for are there with the asked value."""
        return matches(self.match, labels)

    def group(self, labels: Mapping[Label, str]) -> dict[Label, str]:
        """Give the labels that an incident of this route shares."""
        return {name: labels[name] for name in self.group_by if name in labels}

    def tells(self, severity: Severity, now: float) -> bool:
        """Tell whether it is a time (epoch seconds) to tell people of what is so severe."""
        if RANK[severity] >= RANK[self.always]:
            return True
        at_work = not self.hours or any(hours.holds(now) for hours in self.hours)
        return at_work and not any(hours.holds(now) for hours in self.quiet)

    def next_change(self, now: float) -> float:
        """Give when it may be another time than now: the next beginning or end of its hours (epoch seconds)."""
        return min((hours.next_change(now) for hours in (*self.hours, *self.quiet)), default=float("inf"))


class Leaf(msgspec.Struct, frozen=True):
    """A route that takes an alert, and its `path` through the tree, such as `0.2`: the third below the first."""

    path: str
    route: Route


class RouteTree:
    """All routes. The last one at the top takes whatever no other does, so that nothing is lost."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)
        self._at = dict(_walk(self._routes, ""))

    def leaves(self, labels: Mapping[Label, str]) -> list[Leaf]:
        """List the routes that take an alert with these labels, at least one; the first is its home."""
        last = len(self._routes) - 1
        return list(_leaves(self._routes, labels, "")) or [Leaf(str(last), self._routes[last])]

    @property
    def longest_wait(self) -> float:
        """The longest time (seconds) that something new waits for company."""
        return max(route.group_wait for route in self._at.values())

    def at(self, path: str) -> Route | None:
        """Give the route at a path, if there is one: the configuration may have changed since it was noted."""
        return self._at.get(path)

    def trail(self, path: str) -> list[Leaf]:
        """List the routes on the way to a path, the outermost first."""
        parts = path.split(".")
        names = [".".join(parts[: length + 1]) for length in range(len(parts))]
        return [Leaf(name, self._at[name]) for name in names]


def _leaves(routes: Sequence[Route], labels: Mapping[Label, str], above: str) -> Iterator[Leaf]:
    for index, route in enumerate(routes):
        if route.takes(labels):
            path = f"{above}{index}"
            below = list(_leaves(route.routes, labels, f"{path}."))
            yield from below or [Leaf(path, route)]
            if not route.go_on:
                return


def _walk(routes: Sequence[Route], above: str) -> Iterator[tuple[str, Route]]:
    for index, route in enumerate(routes):
        path = f"{above}{index}"
        yield path, route
        yield from _walk(route.routes, f"{path}.")
