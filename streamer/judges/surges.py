"""Judges surges: sessions that begin more often than usual, the earliest and surest sign of a burst."""

from decimal import Decimal
from typing import NamedTuple

import msgspec

from streamer.config import BurstConfig
from streamer.judges.begun import Begun
from streamer.judges.book import Book, Standing
from streamer.judges.cases import HOUR, Reading
from streamer.judges.causes import Parts, spelled
from streamer.judges.floor import Floor
from streamer.judges.horizons import attention
from streamer.judges.models import SESSIONS, Models, Registry
from streamer.judges.relation import contains, scope_of
from streamer.pricing.money import FEMTODOLLARS
from streamer.records import Cause
from streamer.windows.entity import Entity
from streamer.windows.open import OpenWindow
from streamer.windows.shape import Shape
from streamer.windows.totals import Totals

# A session that was not heard of for so long begins anew; seconds.
_MEMORY = 300.0
# A part with so much of the whole's excess is where the cause lies.
_CULPRIT = 0.6
# At this share of what suffices a part may be behind a surge, and a case is over below it.
_HALF = 0.5
# How far back the season says whether the usual rate lags behind, seconds; and how much a morning may lift it.
_LAG, _STEEPEST = 3600.0, 20.0


class _Risen(NamedTuple):
    """An entity with evidence, whether a proof of it still grows unexplained, and what its window is made of."""

    models: Models
    causes: tuple[Cause, ...]
    new: bool


class SurgeJudge:
    """Sessions that begin, and requests that name none, in one tenant's entities; `size` is a window's length."""

    def __init__(self, config: BurstConfig, size: float, floor: Floor, registry: Registry, book: Book) -> None:
        self._config, self._size, self._floor = config, size, floor
        self._registry, self._book = registry, book
        self._begun = Begun(round(_MEMORY / size))
        # What has evidence in the window that closes, the whole before its parts.
        self._risen: list[_Risen] = []

    def on_close(self, models: Models, totals: Totals, shapes: list[Shape], number: int, window: OpenWindow) -> None:
        """Learn one closed window of an entity, and the gap before it."""
        surge = models.surge
        surge.pass_over(min(number - models.horizons.last - 1, attention(surge.expected)))
        before = surge.evidence
        surge.learn_one(self._begun.count(shapes, number), max(0, totals.judged("usd")) / FEMTODOLLARS)
        if surge.evidence >= _HALF * surge.params.evidence:
            new = surge.abnormal and surge.evidence >= before and not self._explained(models)
            # Of a part that is proven, for it may be what is behind a whole that grows.
            causes = Parts(window, self._expected).causes(models.entity, "requests") if surge.abnormal else ()
            self._risen.append(_Risen(models, causes, new))

    def on_time(self, number: int, end: float) -> None:
        """Open cases for what has risen in window `number`, which all entities have closed; follow those that stand."""
        self._go_on(number, end)
        for risen in self._risen:
            if risen.new and self._config.enabled:
                self._open(risen, end)
        self._risen.clear()

    def _go_on(self, number: int, end: float) -> None:
        for case in [case for case in self._book.standing.values() if case.name == SESSIONS]:
            models = self._registry.get(case.entity)
            # A window that ended before the case was opened says nothing of it.
            if models is None or end <= case.since:
                continue
            if models.surge.after(max(0, number - models.horizons.last)) < _HALF * models.surge.params.evidence:
                self._book.close(case, end)
            elif models.horizons.last == number:
                self._book.update(case, end, self._reading(models, case))

    def snapshot(self) -> list[tuple[str, int]]:
        """Give which sessions are known, between windows."""
        return self._begun.snapshot()

    def restore(self, known: list[tuple[str, int]]) -> None:
        """Take up what `snapshot` gave."""
        self._begun.restore(known)

    def _open(self, risen: _Risen, end: float) -> None:
        culprit = self._culprit(risen)
        scope = scope_of(culprit.models.entity)
        # What is told is the culprit's own, as soon as it is proven by itself: beside its parts a whole shows little.
        models, causes, _ = culprit if culprit.models.surge.abnormal else risen
        if self._book.explains("burst", SESSIONS, scope) or self._in_season(models, end):
            return
        if any(one.models.is_habit(end - self._size, 0.0) for one in (risen, culprit)):
            return
        entity = models.entity
        series = self._book.series(entity, SESSIONS)
        standing = Standing(series, "burst", entity, SESSIONS, scope, end, usual_usd=models.surge.usual_cost)
        reading = self._reading(models, standing)
        if models.surge.run.cost > 0 and not self._floor.passes(reading.usd_per_hour):
            return
        reading = msgspec.structs.replace(reading, reason=reading.reason + spelled(causes), causes=causes)
        self._book.open(standing, reading)

    def _culprit(self, whole: _Risen) -> _Risen:
        """Give the smallest part that has most of the excess, or the whole itself."""
        parts = [part for part in self._parts(whole) if _excess(part.models) >= _CULPRIT * _excess(whole.models)]
        return max(parts, key=_depth, default=whole)

    def _parts(self, whole: _Risen) -> list[_Risen]:
        scope = scope_of(whole.models.entity)
        return [part for part in self._risen if part is not whole and contains(scope, scope_of(part.models.entity))]

    def _explained(self, models: Models) -> bool:
        return self._book.explains("burst", SESSIONS, scope_of(models.entity))

    def _in_season(self, models: Models, at: float) -> bool:
        """Tell whether the hour itself explains it: of a steep morning the usual rate knows too late."""
        season, run = models.season, models.surge.run
        now = season.expected(at) if season else None
        before = season.expected(at - _LAG) if season else None
        if now is None or before is None:
            return False
        lift = min(now / max(before, 1.0), _STEEPEST)
        return run.observed < models.surge.ratio * run.expected * lift

    def _expected(self, entity: Entity, _: str) -> float:
        models = self._registry.get(entity)
        return models.horizons.expected("requests") if models else 0.0

    def _reading(self, models: Models, case: Standing) -> Reading:
        run, seconds = models.surge.run, models.surge.run.windows * self._size
        usual = models.surge.usual_cost
        spent = case.usd_above(run.cost, usual, run.windows)
        # What has begun is not paid for yet: at the usual cost of a session it will come to so much.
        coming = max(0.0, run.observed / max(run.expected, _LEAST) - 1) * usual * run.windows
        return Reading(
            observed=run.observed,
            expected=round(run.expected, 6),
            score=models.surge.score,
            usd_excess=Decimal(repr(spent)),
            usd_per_hour=Decimal(repr(max(spent, coming))) * HOUR / Decimal(repr(max(seconds, self._size))),
            reason=_reason(run.observed, run.expected, seconds),
            seconds=seconds,
        )


# Expected arrivals, for no division by zero.
_LEAST = 1e-9


def _excess(models: Models) -> float:
    return models.surge.run.observed - models.surge.run.expected


def _depth(risen: _Risen) -> int:
    entity = risen.models.entity
    return (entity.use_case != "") + (entity.agent != "") + (entity.model != "")


def _reason(observed: float, expected: float, seconds: float) -> str:
    found = f"{observed:,.0f} sessions or single requests began in {seconds:,.0f} s"
    return f"{found}, {observed / max(expected, _LEAST):.1f} times the usual {expected:,.1f}"
