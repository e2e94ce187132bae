"""Who is behind it: the parts of a window, ranked by their share of what is above normal."""

from collections.abc import Callable, Iterator, Mapping

from streamer.pricing.money import FEMTODOLLARS
from streamer.records import Cause, CauseLevel
from streamer.windows.entity import Entity
from streamer.windows.open import OpenWindow
from streamer.windows.totals import Metric, Totals

# Gives what an entity is expected to have of a metric in a window; 0 where nothing is known.
Expect = Callable[[Entity, Metric], float]
# A part with less of the whole explains nothing; no more than so many are named.
_LEAST_SHARE, _MOST = 0.2, 5
# A part with so much of the whole's excess is where the cause lies.
_CULPRIT = 0.6


class Parts:
    """The parts of one window, summed up; made where something is to be explained, for it takes its time."""

    def __init__(self, window: OpenWindow, expect: Expect) -> None:
        self._window, self._expect = window, expect
        self._totals: dict[Entity, Totals] = window.totals()

    def culprit(self, entity: Entity, metric: Metric) -> Entity:
        """Go down from an entity to the smallest part that is behind most of its excess."""
        excess = self._excess(entity, metric)
        for child in self._children(entity):
            if excess > 0 and self._excess(child, metric) >= _CULPRIT * excess:
                return self.culprit(child, metric)
        return entity

    def causes(self, entity: Entity, metric: Metric) -> tuple[Cause, ...]:
        """Rank what is below `entity` by its share of the excess.

        Of models, tools and sessions nothing usual is known: theirs is the share of all there was.
        """
        found = [*self._of_children(entity, metric), *self._of_shares(entity, metric)]
        named = [cause for cause in found if cause.share >= _LEAST_SHARE]
        return tuple(sorted(named, key=lambda cause: (-cause.share, cause.level, cause.name))[:_MOST])

    def _of_children(self, entity: Entity, metric: Metric) -> Iterator[Cause]:
        excess, below = self._excess(entity, metric), self._children(entity)
        while below and excess > 0:
            for child in below:
                share = min(1.0, self._excess(child, metric) / excess)
                level: CauseLevel = "agent" if child.agent else "use_case"
                yield Cause(level, child.agent or child.use_case, round(max(share, 0.0), 2))
            below = [grandchild for child in below for grandchild in self._children(child)]

    def _of_shares(self, entity: Entity, metric: Metric) -> Iterator[Cause]:
        for level, amounts in self._window.shares(entity, metric).items():
            whole = sum(amounts.values())
            yield from (Cause(level, name, round(amount / whole, 2)) for name, amount in amounts.items() if name)

    def _children(self, entity: Entity) -> list[Entity]:
        """Give the use cases of a tenant, or the agents of a use case (or of the tenant, where there is none)."""
        if entity.level == "tenant":
            return [e for e in self._totals if e.level == "use_case" or (e.level == "agent" and not e.use_case)]
        if entity.level == "use_case":
            return [e for e in self._totals if e.level == "agent" and e.use_case == entity.use_case]
        return []

    def _excess(self, entity: Entity, metric: Metric) -> float:
        return judged(self._totals, entity, metric) - self._expect(entity, metric)


def judged(totals: Mapping[Entity, Totals], entity: Entity, metric: Metric) -> float:
    """Give a metric of an entity as the models see it, 0 where the entity had nothing."""
    found = totals.get(entity)
    value = max(0, found.judged(metric)) if found else 0
    return value / FEMTODOLLARS if metric == "usd" else float(value)


def spelled(causes: tuple[Cause, ...]) -> str:
    """Say the causes in words, empty if there are none.

    >>> spelled((Cause("agent", "triage", 0.92), Cause("model", "gpt-4o", 0.4)))
    ' (92% agent triage, 40% model gpt-4o)'
    """
    parts = [f"{cause.share:.0%} {cause.level.replace('_', ' ')} {cause.name}" for cause in causes[:3]]
    return f" ({', '.join(parts)})" if parts else ""
