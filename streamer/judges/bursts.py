"""Judges bursts: what stands above its ceiling, in an open window or over a longer horizon."""

import math
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from detectors import RateBaseline
from streamer.config import BurstConfig
from streamer.judges.book import Book, Standing
from streamer.judges.cases import HOUR, Reading
from streamer.judges.causes import Parts, spelled
from streamer.judges.floor import Floor
from streamer.judges.horizons import Excess
from streamer.judges.models import SESSIONS, Models, Registry
from streamer.judges.relation import scope_of
from streamer.judges.slots import Values
from streamer.pricing.money import ZERO
from streamer.records import Cause
from streamer.windows.entity import Entity
from streamer.windows.gauge import Gauge
from streamer.windows.open import OpenWindow
from streamer.windows.totals import METRICS, Metric, value_of

_UNITS: dict[Metric, str] = {
    "tokens": "tokens",
    "steps": "agent steps",
    "tool_calls": "tool calls",
    "requests": "requests",
    "usd": "dollars",
}
# What counts how often something happens; the others also grow when each happening grows.
_COUNTS: frozenset[Metric] = frozenset({"requests", "steps", "tool_calls"})


class BurstJudge:
    """Bursts of one tenant's entities; `size` is a window's length in seconds."""

    def __init__(self, config: BurstConfig, size: float, floor: Floor, registry: Registry, book: Book) -> None:
        self._config, self._size, self._registry, self._book = config, size, registry, book
        self._floor = floor

    def on_passed(self, gauges: Iterable[Gauge], window: OpenWindow, at: float) -> None:
        """Open a case for what stands above the ceilings of its window since the event at `at`, the smallest part."""
        for gauge in reversed(list(gauges)):
            models = self._registry.get(gauge.entity)
            if models and not self._explained(gauge.entity):
                number = round(window.start / self._size)
                self._find(models, gauge, number, window, at)

    def on_close(self, models: Models, gauge: Gauge, number: int, window: OpenWindow) -> bool:
        """Judge one closed window of an entity, before it is learned; True if an open case tells of it."""
        values = values_of(gauge)
        standing = [case for case in self._book.of(models.entity, "burst") if self._follows(case)]
        for case in standing:
            self._go_on(case, models, values, number, window)
        if self._config.enabled and not standing and not self._explained(models.entity):
            self._find(models, gauge, number, window, window.end)
        return self._explained(models.entity)

    def on_silence(self, number: int, end: float) -> None:
        """Let open cases of entities that had nothing in window `number` come nearer to their end."""
        for case in self._book.snapshot():
            models = self._registry.get(case.entity)
            # A window that ended before the case was opened says nothing of it.
            if self._follows(case) and case.since < end and models and models.horizons.last < number:
                self._calm(case, end)

    def open_since(self) -> float | None:
        """Give the event time (epoch seconds) since which the oldest open burst is open; None if there is none."""
        return min((case.since for case in self._book.standing.values() if case.kind == "burst"), default=None)

    def _follows(self, case: Standing) -> bool:
        # Those of sessions have a judge of their own.
        return case.kind == "burst" and case.name != SESSIONS

    def _explained(self, entity: Entity) -> bool:
        return self._book.explains("burst", "", scope_of(entity))

    def _find(self, models: Models, gauge: Gauge, number: int, window: OpenWindow, at: float) -> None:
        values, events = values_of(gauge), gauge.events
        found = [
            e
            for e in models.horizons.above(number, values, news=True)
            if (self._counts(models, e) if e.metric in _COUNTS else self._weighs(e, events))
        ]
        often = any(excess.metric in _COUNTS for excess in found)
        # Where each thing has become larger or dearer, that is what is to be told, and the ratios tell it.
        if often or (found and not models.ratios.larger(values[_TOKENS], values[_REQUESTS], values[_USD])):
            self._open(models, max(found, key=_strength), values, window, at)

    def _counts(self, models: Models, excess: Excess) -> bool:
        """Tell whether more happened than a few busy sessions bring; over minutes many sessions show by themselves."""
        return (excess.windows == 1 or self._is_much(excess)) and self._proves(models, excess)

    def _proves(self, models: Models, excess: Excess) -> bool:
        """Tell whether the odds suffice, divided by how sessions swing by themselves, and by what comes in each."""
        found, usual = excess.value, max(excess.baseline.expected, 1.0)
        odds = found * math.log(found / usual) - found + usual
        surge = models.surge
        each = models.horizons.each(excess.metric) / surge.expected if surge.expected else 1.0
        return odds >= self._config.sessions.evidence * surge.swing(excess.windows) * max(1.0, each)

    def _weighs(self, excess: Excess, events: int) -> bool:
        """Tell whether tokens or dollars are more because much happened, and not because one thing was large."""
        return events >= self._config.least_events or (
            excess.metric == "usd" and excess.value - excess.baseline.expected >= self._config.large_usd
        )

    def _open(self, models: Models, excess: Excess, values: Values, window: OpenWindow, at: float) -> None:
        """Open a case, unless nobody is to be woken for it; what is dear to find out is asked last."""
        much = self._is_much(excess)
        reading = self._reading(excess, ZERO)
        if self._is_cheap(reading, values, much) or models.is_habit(window.start, values[_REQUESTS]):
            return
        # Asked before the book does, for looking for causes at each event above a ceiling takes long.
        if not self._book.fatigue.allows("burst", reading.score, at):
            return
        parts = Parts(window, self._expected)
        causes = parts.causes(models.entity, excess.metric)
        if not much and _is_one_session(causes):
            return
        culprit = parts.culprit(models.entity, excess.metric)
        if not self._is_habit_of(culprit, values, window):
            told = f"{reading.reason}{spelled(causes)}"
            self._tell(models, excess, culprit, at, _with(reading, told, causes))

    def _is_cheap(self, reading: Reading, values: Values, much: bool) -> bool:
        """Where things have a price, nobody is woken for cents."""
        return values[_USD] > 0 and not much and not self._floor.passes(reading.usd_per_hour)

    def _is_habit_of(self, culprit: Entity, values: Values, window: OpenWindow) -> bool:
        behind = self._registry.get(culprit)
        return behind is not None and behind.is_habit(window.start, values[_REQUESTS])

    def _tell(self, models: Models, excess: Excess, culprit: Entity, at: float, reading: Reading) -> None:
        entity, scope, usual = models.entity, scope_of(culprit), models.surge.usual_cost
        series = self._book.series(entity, excess.metric)
        found = Standing(series, "burst", entity, excess.metric, scope, at, excess.windows, usual_usd=usual)
        self._book.open(found, reading)

    def _is_much(self, excess: Excess) -> bool:
        """Tell whether there is more above normal than one busy session would explain."""
        floor: float = getattr(self._config.floors, excess.metric)
        return excess.value - excess.baseline.expected >= _SESSIONS * floor

    def _go_on(self, case: Standing, models: Models, values: Values, number: int, window: OpenWindow) -> None:
        # A window that ended before the case was opened says nothing of it.
        if window.end <= case.since:
            return
        held = models.horizons.above(number, values, share=0.0)
        excess = next((e for e in held if (e.metric, e.windows) == (case.name, case.windows)), None)
        if excess is None or excess.value <= _HALF * _ceiling(case, models, excess.baseline):
            self._calm(case, window.end)
            return
        # The window in which a case was opened has been counted with it, as far as it had come.
        again = window.start <= case.since and case.windows == 1
        before = ZERO if again else self._book.excess(case)
        usd = case.usd_above(values[_USD], models.surge.usual_cost)
        self._book.update(case, window.end, self._reading(excess, before, usd))

    def _calm(self, case: Standing, end: float) -> None:
        case.quiet += 1
        # The sum over a long horizon falls to nothing at the turn of each slot: that is no end.
        if case.quiet >= max(self._config.clear_windows, case.windows):
            self._book.close(case, end)

    def _expected(self, entity: Entity, metric: Metric) -> float:
        models = self._registry.get(entity)
        return models.horizons.expected(metric) if models else 0.0

    def _reading(self, excess: Excess, before: Decimal, usd: float | None = None) -> Reading:
        """Say how it stands: `usd` dollars are to be added to those `before`, all of the horizon's at the opening."""
        seconds = excess.windows * self._size
        return Reading(
            observed=excess.value,
            expected=round(excess.baseline.expected, 6),
            score=excess.baseline.score_one(excess.value),
            usd_excess=before + Decimal(repr(excess.usd if usd is None else usd)),
            usd_per_hour=Decimal(repr(excess.usd)) * HOUR / Decimal(repr(seconds)),
            reason=_reason(excess.metric, excess.value, excess.baseline.expected, seconds),
            seconds=seconds,
            ceiling=round(excess.baseline.ceiling, 6),
        )


_USD, _TOKENS, _REQUESTS = METRICS.index("usd"), METRICS.index("tokens"), METRICS.index("requests")
# One session with so much of a window's is behind it alone; then it takes so many times the floor to be a burst.
_LONE, _SESSIONS = 0.6, 3.0
# At this share of its ceiling a burst is over.
_HALF = 0.5


def _is_one_session(causes: Iterable[Cause]) -> bool:
    """Tell whether one session is behind it alone."""
    return any(cause.level == "session" and cause.share >= _LONE for cause in causes)


def _ceiling(case: Standing, models: Models, baseline: RateBaseline) -> float:
    """Give the ceiling of an open case: it rises with the level, but not because the case itself is one more peak.

    Nor does it while more sessions begin than usual: that would be told of next, as if it were something else.
    """
    if not case.ceiling:  # earlier releases wrote none down
        return baseline.ceiling
    if models.surge.abnormal:
        return case.ceiling
    offset = baseline.params.offset
    risen = (baseline.expected + offset) / (case.expected + offset)
    return min(baseline.ceiling, case.ceiling * max(1.0, risen))


def values_of(gauge: Gauge) -> Values:
    """Give what a gauge shows as the models take it, dollars in dollars."""
    return tuple(value_of(gauge, metric) for metric in METRICS)


def _strength(excess: Excess) -> tuple[float, int]:
    return excess.baseline.score_one(excess.value), METRICS.index(excess.metric)


def _with(reading: Reading, reason: str, causes: tuple[Cause, ...]) -> Reading:
    return msgspec.structs.replace(reading, reason=reason, causes=causes)


def _reason(metric: Metric, observed: float, expected: float, seconds: float) -> str:
    digits = 4 if metric == "usd" else 0
    found = f"{observed:,.{digits}f} {_UNITS[metric]} in {seconds:g} s"
    usual = f"{expected:,.{digits}f}"
    if expected <= 0 or not float(usual.replace(",", "")):
        return f"{found}, where next to none are usual"
    return f"{found}, {observed / expected:.1f} times the usual {usual}"
