"""All incidents, found by what is asked for: an alert, an open group, an owner, a scope. None goes through all."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from alerts.alert import Label
from alerts.incident import Incident

Group = tuple[str, tuple[tuple[Label, str], ...]]
Key = TypeVar("Key")
#: Who is told, and whose it is.
Whose = tuple[str, str]


class Incidents:
    """The incidents with their indexes, and what of them is not written down or published yet."""

    def __init__(self) -> None:
        self._all: dict[str, Incident] = {}
        self._of_alert: dict[str, dict[str, None]] = {}
        self._open_group: dict[Group, str] = {}
        self._open_of: dict[Whose, dict[str, None]] = {}
        self._of_kind: dict[str, dict[str, None]] = {}
        self._storms: dict[str, None] = {}
        self._escalated: dict[str, dict[str, None]] = {}
        self._bound: dict[str, dict[str, None]] = {}
        self._alias: dict[str, str] = {}
        self._open = 0
        self._dirty: set[str] = set()
        self._news: set[str] = set()

    def find(self, name: str) -> Incident | None:
        """Give an incident by its id, or by that of one that became a part of it."""
        return self._all.get(self._alias.get(name, name))

    def add(self, incident: Incident) -> None:
        """Take up an incident."""
        self._all[incident.id] = incident
        if incident.escalated_from:
            self._escalated.setdefault(incident.escalated_from, {})[incident.id] = None
        for alert in incident.members():
            self._of_alert.setdefault(alert, {})[incident.id] = None
        for scope in incident.commands:
            self.bind(incident, scope)
        for name in incident.absorbed:
            self._alias[name] = incident.id
        if incident.state == "open":
            self._open += 1
            if not incident.escalated_from:
                self._open_of.setdefault(_whose(incident), {})[incident.id] = None
                self._of_kind.setdefault(incident.kind, {})[incident.id] = None
            if incident.storm:
                self._storms[incident.id] = None
            if not incident.escalated_from and not incident.storm:
                self._open_group[group_of(incident.receiver, incident.group)] = incident.id

    def hold(self, incident: Incident, alert: str) -> None:
        """Note that an incident holds an alert."""
        self._of_alert.setdefault(alert, {})[incident.id] = None

    def bind(self, incident: Incident, scope: str) -> None:
        """Note that a command of an incident is in force on a scope."""
        self._bound.setdefault(scope, {})[incident.id] = None

    def ended(self, incident: Incident) -> None:
        """Note that an incident is over: what comes of its groups opens another."""
        self._open -= 1
        _remove(self._open_of, _whose(incident), incident.id)
        _remove(self._of_kind, incident.kind, incident.id)
        self._storms.pop(incident.id, None)
        self._close_group(incident)

    def drop(self, incident: Incident) -> None:
        """Forget an incident."""
        if incident.state == "open":
            self.ended(incident)
        del self._all[incident.id]
        for alert in incident.members():
            _remove(self._of_alert, alert, incident.id)
        _remove(self._escalated, incident.escalated_from, incident.id)
        for scope in incident.commands:
            _remove(self._bound, scope, incident.id)
        for name in incident.absorbed:
            self._alias.pop(name, None)
        self.touch(incident.id)

    def absorb(self, host: Incident, other: Incident, now: float) -> None:
        """Make an incident that nobody was told of a part of another."""
        self.drop(other)
        host.absorb(other, now)
        for alert in other.members():
            self.hold(host, alert)
        for scope in other.commands:
            self.bind(host, scope)
        for name in (other.id, *other.absorbed):
            self._alias[name] = host.id
        self.touch(host.id)

    def make_storm(self, incident: Incident) -> None:
        """Let an incident stand for all of its owner that begins together with it, of whichever group."""
        self._close_group(incident)
        incident.storm = True
        incident.group = {name: value for name, value in incident.group.items() if name == "owner"}
        self._storms[incident.id] = None
        self.touch(incident.id)

    def holding(self, alert: str) -> list[Incident]:
        """List the incidents that hold an alert, in their `rank`."""
        return sorted((self._all[name] for name in self._of_alert.get(alert, ())), key=rank)

    def related(self, incident: Incident) -> list[Incident]:
        """List an incident and those that tell others of the same alerts."""
        names = {name: None for alert in incident.members() for name in self._of_alert.get(alert, ())}
        return [incident, *(self._all[name] for name in names if name != incident.id)]

    def escalated(self, incident: str) -> list[Incident]:
        """List the incidents that came of an incident which nobody acknowledged."""
        return [self._all[name] for name in self._escalated.get(incident, ())]

    def bound(self, scope: str) -> list[Incident]:
        """List the incidents that have a command in force on a scope."""
        return [self._all[name] for name in self._bound.get(scope, ())]

    def unbind(self, scope: str) -> None:
        """Note that no command is in force on a scope."""
        self._bound.pop(scope, None)

    def of_group(self, receiver: str, group: Mapping[Label, str]) -> Incident | None:
        """Find the open incident of a group."""
        name = self._open_group.get(group_of(receiver, group))
        return self._all[name] if name else None

    def storms(self) -> Iterator[Incident]:
        """Give the open storms."""
        return (self._all[name] for name in self._storms)

    def open_of(self, whose: Whose) -> Iterator[Incident]:
        """Give the open incidents of an owner at a receiver, the latest first, without those of escalations."""
        return (self._all[name] for name in reversed(self._open_of.get(whose, {})))

    def of_kind(self, kind: str) -> Iterator[Incident]:
        """Give the open incidents that began with a kind of anomaly, as `open_of` does."""
        return (self._all[name] for name in reversed(self._of_kind.get(kind, {})))

    def latest(self) -> Iterator[Incident]:
        """Give all incidents, the latest first."""
        return (self._all[name] for name in reversed(self._all))

    def __iter__(self) -> Iterator[Incident]:
        return iter(self._all.values())

    @property
    def open_count(self) -> int:
        """How many are not over."""
        return self._open

    def touch(self, incident: str) -> None:
        """Note that an incident changed."""
        self._dirty.add(incident)
        self._news.add(incident)

    def saved(self, incident: str) -> bool:
        """Tell whether all that is known of an incident was given by `changes`."""
        return incident not in self._dirty

    def news(self) -> Iterator[tuple[str, Incident | None]]:
        """Give the incidents that changed since they were last given here, for publication; None for dropped ones."""
        for name in sorted(self._news):
            found = self._all.get(name)
            yield name, found.copy() if found else None
        self._news.clear()

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the incidents that changed since the last call, by id, written down; None for dropped ones."""
        for name in sorted(self._dirty):
            found = self._all.get(name)
            yield name, msgspec.msgpack.encode(found) if found else None
        self._dirty.clear()

    def restore(self, incidents: Mapping[str, bytes]) -> None:
        """Take up the incidents that `changes` gave: all are news, for it is not known what was given last."""
        found = [msgspec.msgpack.decode(state, type=Incident) for state in incidents.values()]
        for incident in sorted(found, key=age):
            self.add(incident)
            self._news.add(incident.id)

    def _close_group(self, incident: Incident) -> None:
        key = group_of(incident.receiver, incident.group)
        if self._open_group.get(key) == incident.id:
            del self._open_group[key]


def age(incident: Incident) -> tuple[float, tuple[int, ...], str]:
    """Order incidents by when they began, and then as the routes are written: the same before and after a restart."""
    return incident.noted_at, tuple(int(part) for part in incident.route.split(".") if part), incident.id


def rank(incident: Incident) -> tuple[bool, float, tuple[int, ...], str]:
    """Order the incidents of an alert by `age`, but one that stands in for others comes after these."""
    return bool(incident.stands_in), *age(incident)


def group_of(receiver: str, group: Mapping[Label, str]) -> Group:
    """Give what an open group is known by."""
    return receiver, tuple(sorted(group.items()))


def _whose(incident: Incident) -> Whose:
    return incident.receiver, incident.owner


def _remove(index: dict[Key, dict[str, None]], key: Key, name: str) -> None:
    names = index.get(key, {})
    names.pop(name, None)
    if not names:
        index.pop(key, None)
