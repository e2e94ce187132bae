"""Judges the rates of a tenant's entities: each window against its baseline, each event against the ceiling."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from detectors import RateBaseline, RateParams
from streamer.config import BurstConfig
from streamer.judges.cases import HOUR, Cases, Reading
from streamer.pricing.money import FEMTODOLLARS, ZERO, dollars
from streamer.records import Scope
from streamer.windows.entity import Entity
from streamer.windows.gauge import NO_CEILINGS, Ceilings, Gauge
from streamer.windows.totals import METRICS, Amounts, Metric, Totals, value_of

# After this many empty windows in a row, further ones teach the baseline nothing new.
_LONGEST_GAP = 60
_UNITS: dict[Metric, str] = {
    "tokens": "tokens",
    "steps": "agent steps",
    "tool_calls": "tool calls",
    "requests": "requests",
    "usd": "dollars",
}
# What windows without events hold; never added to.
_NOTHING = Totals()


class _Written(msgspec.Struct, array_like=True):
    """One entity's rates: when they were last used (a count), last window, quiet windows by metric, baselines."""

    entity: Entity
    turn: int
    last: float
    quiet: dict[Metric, int]
    baselines: list[bytes]


class _Rates:
    """The baselines of one entity, one a metric, and their ceilings for the window now open."""

    __slots__ = ("baselines", "ceilings", "last", "quiet", "turn")

    def __init__(self, params: Mapping[Metric, RateParams], last: float) -> None:
        self.baselines = {metric: RateBaseline(params[metric]) for metric in METRICS}
        self.ceilings = Ceilings()
        self.last, self.turn = last, 0
        self.quiet: dict[Metric, int] = {}

    def aim(self) -> None:
        """Take the ceilings of the next window from the baselines."""
        for metric, baseline in self.baselines.items():
            ceiling = baseline.ceiling
            setattr(self.ceilings, metric, ceiling * FEMTODOLLARS if metric == "usd" else ceiling)


class Window(NamedTuple):
    """A window's bounds, in epoch seconds."""

    start: float
    end: float


class RateJudge:
    """Bursts of one tenant. Series are named `<entity key>#<metric>`."""

    def __init__(self, tenant: str, config: BurstConfig, window_seconds: float, cases: Cases) -> None:
        self._tenant, self._config, self._size, self._cases = tenant, config, window_seconds, cases
        self._levels = frozenset(config.levels) if config.enabled else frozenset[str]()
        self._params = {metric: self._params_of(metric) for metric in METRICS}
        self._rates: OrderedDict[Entity, _Rates] = OrderedDict()
        self._open: dict[tuple[Entity, Metric], str] = {}
        self._changed: set[Entity] = set()
        self._turn = 0

    def watches(self, entity: Entity) -> bool:
        """Tell whether the entity's level is judged."""
        return entity.level in self._levels

    def ceilings(self, entity: Entity) -> Ceilings | None:
        """Give the entity's ceilings for the windows now open, None if its level is not judged."""
        if entity.level not in self._levels:
            return None
        rates = self._rates.get(entity)
        return rates.ceilings if rates else NO_CEILINGS

    def on_passed(self, gauges: list[Gauge], at: float) -> None:
        """Open cases for what stands above its ceilings since the event at `at`."""
        for gauge in gauges:
            if rates := self._rates.get(gauge.entity):
                for metric in METRICS:
                    if getattr(gauge, metric) > getattr(rates.ceilings, metric):
                        self._open_case(gauge, metric, rates, at)

    def on_close(self, entity: Entity, totals: Totals, window: Window) -> None:
        """Judge, then learn, one closed window of an entity."""
        rates = self._rates.get(entity) or self._enter(entity, window)
        self._learn_gap(rates, window)
        self._use(entity, rates)
        for metric, baseline in rates.baselines.items():
            if self._open and (entity, metric) in self._open:
                self._judge(entity, metric, rates, totals, window)
            baseline.learn_one(value_of(totals, metric))
        rates.last = window.start
        rates.aim()

    def on_silence(self, window: Window) -> None:
        """Let open cases of entities that had nothing in `window` come nearer to their end."""
        for entity in sorted({entity for entity, _ in self._open}):
            if self._rates[entity].last < window.start and any(
                self._concerns(window, entity, metric) for metric in METRICS
            ):
                self.on_close(entity, _NOTHING, window)

    def oldest_open(self) -> float | None:
        """Give the event time (epoch seconds) since which the oldest open burst is open; None if there is none."""
        return min((self._cases.open_since(series) for series in self._open.values()), default=None)

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the entities that changed since the last call, by key, written down; None for dropped ones."""
        for entity in sorted(self._changed):
            rates = self._rates.get(entity)
            yield entity.key(self._tenant), self._written(entity, rates) if rates else None
        self._changed.clear()

    def restore(self, parts: list[bytes]) -> None:
        """Take up what `changes` gave; to be called when the tenant's cases are restored."""
        found = [msgspec.msgpack.decode(part, type=_Written) for part in parts]
        for written in sorted(found, key=lambda written: written.turn):
            entity = written.entity
            rates = self._rates[entity] = _Rates(self._params, written.last)
            self._turn = rates.turn = written.turn
            rates.quiet = written.quiet
            for baseline, state in zip(rates.baselines.values(), written.baselines, strict=True):
                baseline.restore(state)
            rates.aim()
            cases = ((metric, self._series(entity, metric)) for metric in METRICS)
            self._open |= {(entity, metric): series for metric, series in cases if series in self._cases}

    def _params_of(self, metric: Metric) -> RateParams:
        config = self._config
        return RateParams(
            half_life=config.half_life_seconds / self._size,
            warm_up=max(1, round(config.warm_up_seconds / self._size)),
            deviations=config.deviations,
            ratio=config.ratio,
            excess=getattr(config.floors, metric),
        )

    def _series(self, entity: Entity, metric: Metric) -> str:
        return f"{entity.key(self._tenant)}#{metric}"

    def _written(self, entity: Entity, rates: _Rates) -> bytes:
        states = [baseline.snapshot() for baseline in rates.baselines.values()]
        return msgspec.msgpack.encode(_Written(entity, rates.turn, rates.last, rates.quiet, states))

    def _enter(self, entity: Entity, window: Window) -> _Rates:
        rates = self._rates[entity] = _Rates(self._params, window.start)
        if len(self._rates) > self._config.max_series:
            self._forget_oldest(window)
        return rates

    def _use(self, entity: Entity, rates: _Rates) -> None:
        self._turn += 1
        rates.turn = self._turn
        self._rates.move_to_end(entity)
        self._changed.add(entity)

    def _learn_gap(self, rates: _Rates, window: Window) -> None:
        missed = min(round((window.start - rates.last) / self._size) - 1, _LONGEST_GAP)
        for baseline in rates.baselines.values() if missed > 0 else ():
            baseline.learn_silence(missed)

    def _forget_oldest(self, window: Window) -> None:
        entity, _ = self._rates.popitem(last=False)
        self._changed.add(entity)
        for metric in METRICS:
            if series := self._open.pop((entity, metric), None):
                self._cases.close(series, window.end)

    def _open_case(self, gauge: Gauge, metric: Metric, rates: _Rates, at: float) -> None:
        entity = gauge.entity
        if (entity, metric) in self._open:
            return
        rates.quiet[metric] = 0
        self._changed.add(entity)
        series = self._open[entity, metric] = self._series(entity, metric)
        scope = Scope(use_case=entity.use_case, agent=entity.agent, model=entity.model)
        self._cases.open("burst", series, scope, at, self._reading(metric, rates, gauge, ZERO))

    def _judge(self, entity: Entity, metric: Metric, rates: _Rates, totals: Totals, window: Window) -> None:
        if not self._concerns(window, entity, metric):
            return
        series, baseline = self._open[entity, metric], rates.baselines[metric]
        if value_of(totals, metric) > baseline.ceiling / 2:
            rates.quiet[metric] = 0
            before = self._cases.excess(series) if window.start > self._cases.open_since(series) else ZERO
            self._cases.update(series, window.end, self._reading(metric, rates, totals, before))
            return
        rates.quiet[metric] = rates.quiet.get(metric, 0) + 1
        if rates.quiet[metric] >= self._config.clear_windows:
            self._cases.close(series, window.end)
            del self._open[entity, metric]

    def _concerns(self, window: Window, entity: Entity, metric: Metric) -> bool:
        """Tell whether `window` says something of an open case: not if it ended before the case was opened."""
        series = self._open.get((entity, metric))
        return series is not None and self._cases.open_since(series) < window.end

    def _reading(self, metric: Metric, rates: _Rates, amounts: Amounts, before: Decimal) -> Reading:
        baseline, usual = rates.baselines[metric], Decimal(repr(rates.baselines["usd"].expected))
        observed, expected = value_of(amounts, metric), baseline.expected
        excess = max(ZERO, dollars(amounts.usd) - usual)
        return Reading(
            observed=observed,
            expected=round(expected, 6),
            score=baseline.score_one(observed),
            usd_excess=before + excess,
            usd_per_hour=excess * HOUR / Decimal(repr(self._size)),
            reason=_reason(metric, observed, expected, self._size),
        )


def _reason(metric: Metric, observed: float, expected: float, seconds: float) -> str:
    digits = 4 if metric == "usd" else 0
    found = f"{observed:,.{digits}f} {_UNITS[metric]} in {seconds:g} s"
    usual = f"{expected:,.{digits}f}"
    if expected <= 0 or not float(usual.replace(",", "")):
        return f"{found}, where next to none are usual"
    return f"{found}, {observed / expected:.1f} times the usual {usual}"
