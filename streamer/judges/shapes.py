"""Judges bloat and mix: requests that grow, tokens that become dearer, caches that no longer hit, costly evaluation."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from streamer.config import RatioConfig
from streamer.judges.book import Book, Standing
from streamer.judges.cases import HOUR, Reading
from streamer.judges.causes import Parts, spelled
from streamer.judges.floor import Floor
from streamer.judges.models import Models, Registry
from streamer.judges.ratio_state import ONE_BY_ONE, RATIOS, RatioName
from streamer.judges.ratios import same
from streamer.judges.relation import scope_of
from streamer.judges.slice import DIMENSIONS, Slice
from streamer.pricing.money import ZERO
from streamer.records import AnomalyKind
from streamer.windows.entity import TENANT, Entity
from streamer.windows.open import OpenWindow
from streamer.windows.shape import Shape
from streamer.windows.totals import Metric, Totals

_KINDS: dict[RatioName, AnomalyKind] = {
    "size": "bloat",
    "output": "bloat",
    "overall": "bloat",
    "growth": "bloat",
    "price": "mix",
    "uncached": "mix",
    "evaluation": "mix",
}
# In which metric a ratio's parts are ranked.
_MUCH_EVALUATION = 0.3
_METRICS: dict[RatioName, Metric] = {
    "size": "tokens",
    "output": "tokens",
    "overall": "tokens",
    "growth": "tokens",
    "price": "usd",
    "uncached": "usd",
    "evaluation": "usd",
}


class ShapeJudge:
    """The ratios of one tenant's entities, judged where no smaller part is known: there nothing else can shift them."""

    def __init__(self, config: RatioConfig, size: float, floor: Floor, registry: Registry, book: Book) -> None:
        self._config, self._registry, self._book = config, registry, book
        self._size, self._minute, self._floor = size, max(1, round(60 / size)), floor
        self._parents: set[Entity] = set()

    def meet(self, entity: Entity) -> None:
        """Note that an entity exists, so that those above it are judged by their parts."""
        parent = Entity("use_case", entity.use_case) if entity.level == "agent" and entity.use_case else TENANT
        if entity.level in ("agent", "use_case") and self._registry.get(parent):
            self._parents.add(parent)

    def forget(self, entity: Entity) -> None:
        """Know no more that an entity has parts, for it is no longer followed."""
        self._parents.discard(entity)

    def on_close(self, models: Models, totals: Totals, shapes: list[Shape], number: int, window: OpenWindow) -> None:
        """Learn one closed window; judge where it fills a slice."""
        begin = models.ratios.judged
        if not models.ratios.learn(totals, shapes, number, self._minute):
            self._at_once(models, window)
            return
        seconds = max(1, number - begin) * self._size
        found = models.ratios.found
        for name in RATIOS:
            case = self._book.standing.get(self._book.series(models.entity, name)) if self._book else None
            if name in found:
                self._judge(case, models, name, seconds, window)
            elif case:
                self._book.close(case, window.end)
        self._combined(models, found, seconds, window)

    def snapshot(self) -> list[Entity]:
        """Give the entities that are judged by their parts."""
        return sorted(self._parents)

    def restore(self, parents: list[Entity]) -> None:
        """Take up what `snapshot` gave."""
        self._parents = set(parents)

    def _judge(
        self, case: Standing | None, models: Models, name: RatioName, seconds: float, window: OpenWindow
    ) -> None:
        baseline = models.ratios.baselines[name]
        if case is None:
            if baseline.abnormal and self._judges(models.entity) and _matters(models, name):
                self._open(models, name, seconds, window)
        elif baseline.calm:
            self._book.close(case, window.end)
            _settle(models, name)
        else:
            # The slice in which a case was opened has been counted with it, as far as it had come.
            again = name in ONE_BY_ONE and case.since > window.end - seconds
            before = ZERO if again else self._book.excess(case)
            self._book.update(case, window.end, self._reading(models, name, seconds, before))

    def _at_once(self, models: Models, window: OpenWindow) -> None:
        """Open a case for sessions that are larger, without waiting for the slice to be full."""
        for name in ONE_BY_ONE:
            baseline = models.ratios.baselines.get(name)
            if baseline is None or not baseline.abnormal or not self._judges(models.entity):
                continue
            if self._book.series(models.entity, name) not in self._book.standing:
                self._open(models, name, self._size, window)

    def _combined(self, models: Models, found: Mapping[RatioName, float], seconds: float, window: OpenWindow) -> None:
        """Judge all ratios at once: the combinations that none of them shows by itself."""
        usual, series = models.ratios.combination, self._book.series(models.entity, "combination")
        case = self._book.standing.get(series) if self._book else None
        if case and usual.calm:
            self._book.close(case, window.end)
        elif case or (usual.abnormal and self._judges(models.entity) and _none_shows(models, found)):
            reading = self._combination(models, found, seconds, self._book.excess(case) if case else ZERO)
            if case:
                self._book.update(case, window.end, reading)
            elif self._floor.passes(reading.usd_per_hour):
                scope = scope_of(models.entity)
                self._book.open(Standing(series, "mix", models.entity, "combination", scope, window.end), reading)

    def _combination(
        self, models: Models, found: Mapping[RatioName, float], seconds: float, before: Decimal
    ) -> Reading:
        usual, held = models.ratios.combination, models.ratios.last
        expected = models.ratios.usual("size") * models.ratios.usual("price") * held.requests
        above = Decimal(repr(max(0.0, held.llm - expected)))
        names = " and ".join(DIMENSIONS[place] for place in usual.largest()[:2])
        return Reading(
            observed=round(usual.evidence, 6),
            expected=0.0,
            score=usual.score,
            usd_excess=before + above,
            usd_per_hour=above * HOUR / Decimal(repr(seconds)),
            reason=f"an unusual combination, most of all of {names}: each is within its range, both together are not",
        )

    def _judges(self, entity: Entity) -> bool:
        # Parts are too unlike each other: what one of them has more of would look like growth of the whole.
        return self._config.enabled and entity not in self._parents

    def _open(self, models: Models, name: RatioName, seconds: float, window: OpenWindow) -> None:
        entity, slow = models.entity, models.ratios.baselines[name].slow
        kind: AnomalyKind = "drift" if slow and _KINDS[name] == "bloat" else _KINDS[name]
        reading = self._enlarged(models, name) if name in ONE_BY_ONE else self._reading(models, name, seconds, ZERO)
        if self._book.explains(kind, name, scope_of(entity), reading.observed):
            return
        if models.surge.usual_cost > 0 and not self._floor.passes(reading.usd_per_hour):
            return
        causes = Parts(window, _nothing).causes(entity, _METRICS[name])
        series = self._book.series(entity, name)
        standing = Standing(series, kind, entity, name, scope_of(entity), window.end)
        reading = msgspec.structs.replace(reading, reason=reading.reason + spelled(causes), causes=causes)
        self._book.open(standing, reading)

    def _enlarged(self, models: Models, name: RatioName) -> Reading:
        """Say how it stands with sessions of late, whose excess will be as many times the usual cost as they are."""
        held, observed, expected = models.ratios.current, models.ratios.of_late(name), models.ratios.expected(name)
        above = models.surge.usual_cost * _part(name, held) * max(0.0, observed / expected - 1)
        return Reading(
            observed=observed,
            expected=round(expected, 9),
            score=models.ratios.baselines[name].score,
            usd_excess=Decimal(repr(_usd_above(name, held, observed, expected))),
            usd_per_hour=Decimal(repr(above)) * HOUR / Decimal(repr(self._size)),
            reason=_reason(name, observed, expected),
        )

    def _reading(self, models: Models, name: RatioName, seconds: float, before: Decimal) -> Reading:
        observed, expected = models.ratios.found[name], models.ratios.expected(name)
        above = Decimal(repr(_usd_above(name, models.ratios.last, observed, expected)))
        return Reading(
            observed=observed,
            expected=round(expected, 9),
            score=models.ratios.baselines[name].score,
            usd_excess=before + above,
            usd_per_hour=above * HOUR / Decimal(repr(seconds)),
            reason=_reason(name, observed, expected),
        )


def _settle(models: Models, name: RatioName) -> None:
    # What is left of the same rise in the patient twin, or the other way round, is no second one.
    for ratio, baseline in models.ratios.baselines.items():
        if same(ratio, name):
            baseline.settle()


def _none_shows(models: Models, found: Iterable[RatioName]) -> bool:
    # What a ratio shows by itself is its own to tell, as soon as it is proven.
    return all(models.ratios.baselines[name].calm for name in found if name != "growth")


def _matters(models: Models, name: RatioName) -> bool:
    # Evaluation that costs little is what it should be, however much less it was before.
    held = models.ratios.last
    return name != "evaluation" or held.evaluation >= _MUCH_EVALUATION * held.rest


def _usd_above(name: RatioName, held: Slice, observed: float, expected: float) -> float:
    """Estimate what the change cost in a slice; of lost cache hits only that the price shows it."""
    if name == "evaluation":
        return max(0.0, held.evaluation - expected * held.rest)
    if name == "uncached":
        # A cached token costs about a tenth of one that is not.
        return max(0.0, held.llm * (1 - (0.1 + 0.9 * expected) / (0.1 + 0.9 * observed)))
    return max(0.0, held.llm * _part(name, held) * (1 - expected / observed))


def _part(name: RatioName, held: Slice) -> float:
    """Estimate which part of what a slice cost grows with a ratio."""
    # A token that comes out costs about four times what one costs that goes in.
    out = 4 * held.output_tokens
    return out / max(1, out + held.input_tokens) if name == "output" else 1.0


def _nothing(_: Entity, __: Metric) -> float:
    return 0.0


def _reason(name: RatioName, observed: float, expected: float) -> str:
    times = f"{observed / expected:.1f} times the usual"
    if _KINDS[name] == "bloat":
        tokens = "tokens of output" if name == "output" else "tokens"
        return f"{observed:,.0f} {tokens} a request, {times} {expected:,.0f}"
    if name == "price":
        return f"${observed * 1e6:,.2f} for a million tokens, {times} ${expected * 1e6:,.2f}"
    if name == "uncached":
        return f"only {1 - observed:.0%} of the input came from the cache, usual are {1 - expected:.0%}"
    return f"evaluation costs {observed:.0%} of what it evaluates, usual are {expected:.0%}"
