"""One open window of a tenant: totals by path, gauges of what is watched, and the roll-up when it closes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from mypy_extensions import mypyc_attr

from streamer.events.usage import UsageEvent
from streamer.pricing.book import Cost
from streamer.windows.entity import OTHER, Entity, entities_of
from streamer.windows.gauge import Ceilings, Gauge
from streamer.windows.shape import Shape, shapes_of
from streamer.windows.totals import Metric, Totals, Written

Watch = Callable[[Entity], Ceilings | None]
# By level and name, how much of a metric.
Shares = Mapping[Literal["model", "tool", "session"], Mapping[str, int]]
# Use case, agent and model: what sessions are told apart below.
Head = tuple[str, str, str]
# By head: the sessions and what was counted of them, and the calls of tools.
WrittenBranch = tuple[Head, list[tuple[str, Written]], dict[str, int]]
# Start, end, branches.
WrittenWindow = tuple[float, float, list[WrittenBranch]]
_OTHERS: Head = (OTHER, OTHER, OTHER)
# Tools that are told apart in a branch; more are counted as `other`.
_MOST_TOOLS = 64


@mypyc_attr(acyclic=True)
class _Branch:
    """The sessions of one head, the calls of its tools, and the gauges above them."""

    __slots__ = ("gauges", "sessions", "tools")

    def __init__(self, gauges: tuple[Gauge, ...]) -> None:
        self.gauges = gauges
        self.sessions: dict[str, Totals] = {}
        self.tools: dict[str, int] = {}

    def called(self, tool: str) -> None:
        tools = self.tools
        name = tool if tool in tools or len(tools) < _MOST_TOOLS else OTHER
        tools[name] = tools.get(name, 0) + 1

    def total(self) -> Totals:
        total = Totals()
        for totals in self.sessions.values():
            total.merge(totals)
        return total


class OpenWindow:
    """Totals of the events from `start` to before `end` (epoch seconds).

    Each event is added to the totals of its head and session and to the gauges above them; what else is wanted of the
    window is summed up when it closes. Past `most` totals new sessions are counted together as `other`, and past twice
    as many new heads are. `watch` gives the ceilings of an entity, None for one that is not judged.
    """

    def __init__(self, start: float, end: float, most: int, watch: Watch) -> None:
        self.start, self.end = start, end
        self.folded = self._size = 0
        self._most, self._watch = most, watch
        self._branches: dict[Head, _Branch] = {}
        self._gauges: dict[Entity, Gauge] = {}

    def add(self, event: UsageEvent, cost: Cost) -> list[Gauge] | None:
        """Count one event in; gives the gauges that stand above a ceiling."""
        head, session = (event.use_case, event.agent, event.model), event.session
        branch = self._branches.get(head)
        totals = branch.sessions.get(session) if branch else None
        if totals is None:
            branch, totals = self._find(head, session)
        if event.tool and branch:
            branch.called(event.tool)
        return totals.add(event, cost)

    def aim(self) -> None:
        """Take over the ceilings as they are now."""
        for entity, gauge in self._gauges.items():
            gauge.ceilings = self._watch(entity) or gauge.ceilings

    def totals(self) -> dict[Entity, Totals]:
        """Sum up all entities but the sessions, the tenant's first."""
        found: dict[Entity, Totals] = {}
        for head, branch in self._branches.items():
            total = branch.total()
            for entity in entities_of(head):
                found.setdefault(entity, Totals()).merge(total)
        return found

    def sessions(self) -> Iterator[tuple[Entity, dict[str, Totals]]]:
        """Give each agent's sessions by name; what names no agent is its use case's or the tenant's.

        The window is used up by this: a session that used several models is summed up in place.
        """
        owners: dict[Entity, dict[str, Totals]] = {}
        for (use_case, agent, _), branch in self._branches.items():
            owner = Entity("agent", use_case, agent)
            known = owners.setdefault(owner, branch.sessions)
            if known is not branch.sessions:
                _merge(known, branch.sessions)
        for owner, sessions in owners.items():
            sessions.pop("", None)
            yield owner, sessions

    def written(self, as_text: bool) -> WrittenWindow:
        """Write the window down."""
        branches = [
            (head, [(session, totals.written(as_text)) for session, totals in branch.sessions.items()], branch.tools)
            for head, branch in self._branches.items()
        ]
        return self.start, self.end, branches

    def read(self, branches: Iterable[WrittenBranch]) -> None:
        """Take up the branches that `written` gave."""
        for head, sessions, tools in branches:
            branch = self._branch(head)
            branch.tools = tools
            for session, written in sessions:
                self._enter(branch, session).read(written)

    def shapes(self) -> dict[Entity, list[Shape]]:
        """Tell what the sessions of each entity are like."""
        found: dict[Entity, list[Shape]] = {}
        for head, branch in self._branches.items():
            shapes = list(shapes_of(branch.sessions))
            for entity in entities_of(head) if shapes else ():
                found.setdefault(entity, []).extend(shapes)
        return found

    def gauge(self, entity: Entity) -> Gauge | None:
        """Give the gauge of an entity, None for one that is not watched or had nothing."""
        return self._gauges.get(entity)

    def shares(self, entity: Entity, metric: Metric) -> Shares:
        """Give, for the models, tools and sessions of an entity, how much of a metric each had."""
        models: dict[str, int] = {}
        tools: dict[str, int] = {}
        sessions: dict[str, int] = {}
        for head, branch in self._branches.items():
            if entity in entities_of(head):
                for session, totals in branch.sessions.items():
                    amount = totals.judged(metric)
                    _count(models, head[2], amount)
                    _count(sessions, session, amount)
                for tool, calls in branch.tools.items():
                    _count(tools, tool, calls)
        return {"model": models, "tool": tools, "session": sessions}

    def _find(self, head: Head, session: str) -> tuple[_Branch, Totals]:
        """Find the branch and totals of a head and session that have none of their own yet."""
        if self._size >= self._most:
            head, session = self._fold(head, session)
        branch = self._branches.get(head) or self._branch(head)
        return branch, branch.sessions.get(session) or self._enter(branch, session)

    def _fold(self, head: Head, session: str) -> tuple[Head, str]:
        """Find another name for what is beyond the cap."""
        whole = head not in self._branches and self._size >= 2 * self._most
        found = _OTHERS if whole else head, OTHER if session else ""
        self.folded += found != (head, session)
        return found

    def _branch(self, head: Head) -> _Branch:
        watched = [(entity, self._watch(entity)) for entity in entities_of(head)]
        gauges = tuple(self._gauge(entity, most) for entity, most in watched if most)
        branch = self._branches[head] = _Branch(gauges)
        return branch

    def _enter(self, branch: _Branch, session: str) -> Totals:
        self._size += 1
        totals = branch.sessions[session] = Totals(branch.gauges)
        return totals

    def _gauge(self, entity: Entity, ceilings: Ceilings) -> Gauge:
        gauge = self._gauges.get(entity)
        if gauge is None:
            gauge = self._gauges[entity] = Gauge(entity, ceilings)
        return gauge


def _count(amounts: dict[str, int], name: str, amount: int) -> None:
    if amount > 0:
        amounts[name] = amounts.get(name, 0) + amount


def _merge(into: dict[str, Totals], more: dict[str, Totals]) -> None:
    for session, totals in more.items():
        known = into.setdefault(session, totals)
        if known is not totals:
            known.merge(totals)
