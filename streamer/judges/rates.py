"""Judges the rates of a tenant's entities: each window against its baseline, each event against the ceiling."""

from collections import OrderedDict
from decimal import Decimal
from typing import NamedTuple

import msgspec

from detectors import RateBaseline, RateParams
from streamer.config import BurstConfig
from streamer.judges.cases import HOUR, Cases, Reading
from streamer.pricing.money import ZERO
from streamer.records import Scope
from streamer.windows.entity import Entity
from streamer.windows.totals import METRICS, Metric, Totals

# After this many empty windows in a row, further ones teach the baseline nothing new.
_LONGEST_GAP = 60
_UNITS: dict[Metric, str] = {
    "tokens": "tokens",
    "steps": "agent steps",
    "tool_calls": "tool calls",
    "requests": "requests",
    "usd": "dollars",
}


class RatesSnapshot(msgspec.Struct, array_like=True):
    """What is written down of one entity: its last window, quiet windows by metric, baselines by metric."""

    entity: Entity
    last: float
    quiet: dict[Metric, int]
    baselines: dict[Metric, bytes]


class _Rates:
    """The baselines of one entity, one a metric, and their ceilings for the window now open."""

    __slots__ = ("baselines", "ceilings", "last", "quiet")

    def __init__(self, params: dict[Metric, RateParams], last: float) -> None:
        self.baselines = {metric: RateBaseline(params[metric]) for metric in METRICS}
        self.last = last
        self.quiet: dict[Metric, int] = {}
        self.aim()

    def aim(self) -> None:
        self.ceilings = [(metric, baseline.ceiling()) for metric, baseline in self.baselines.items()]


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

    def watches(self, entity: Entity) -> bool:
        """Tell whether the entity's level is judged."""
        return entity.level in self._levels

    def on_event(self, entity: Entity, totals: Totals, at: float) -> None:
        """Compare the open window with its ceilings; opens a case at the event that passes one."""
        rates = self._rates.get(entity)
        if rates is None:
            return
        for metric, ceiling in rates.ceilings:
            value = totals.value(metric)
            if value > ceiling:
                self._open(entity, metric, rates, totals, at)

    def on_close(self, entity: Entity, totals: Totals, window: Window) -> None:
        """Judge, then learn, one closed window of an entity."""
        rates = self._rates.get(entity)
        if rates is None:
            rates = self._rates[entity] = _Rates(self._params, window.start)
            if len(self._rates) > self._config.max_series:
                self._forget_oldest(window)
        self._learn_gap(entity, rates, window)
        self._rates.move_to_end(entity)
        for metric, baseline in rates.baselines.items():
            self._judge(entity, metric, rates, totals, window)
            baseline.learn_one(totals.value(metric))
        rates.last = window.start
        rates.aim()

    def on_silence(self, window: Window) -> None:
        """Let open cases of entities that had nothing in `window` come nearer to their end."""
        silent = [entity for entity, rates in self._rates.items() if rates.last < window.start]
        for entity in silent:
            if any(self._concerns(window, self._series(entity, metric)) for metric in METRICS):
                self.on_close(entity, Totals(), window)

    def oldest_open(self) -> float | None:
        """Give the event time (epoch seconds) since which the oldest open burst is open; None if there is none."""
        if not self._cases:
            return None
        series = (self._series(entity, metric) for entity in self._rates for metric in METRICS)
        return min((self._cases.open_since(name) for name in series if name in self._cases), default=None)

    def snapshot(self) -> list[RatesSnapshot]:
        """Write all baselines down, the least recently used first."""
        return [
            RatesSnapshot(entity, r.last, r.quiet, {metric: b.snapshot() for metric, b in r.baselines.items()})
            for entity, r in self._rates.items()
        ]

    def restore(self, snapshots: list[RatesSnapshot]) -> None:
        """Take up what `snapshot` wrote."""
        for snapshot in snapshots:
            rates = self._rates[snapshot.entity] = _Rates(self._params, snapshot.last)
            rates.quiet = snapshot.quiet
            for metric, state in snapshot.baselines.items():
                rates.baselines[metric].restore(state)
            rates.aim()

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

    def _learn_gap(self, entity: Entity, rates: _Rates, window: Window) -> None:
        missed = round((window.start - rates.last) / self._size) - 1
        for _ in range(min(missed, _LONGEST_GAP)):
            for baseline in rates.baselines.values():
                baseline.learn_one(0.0)

    def _forget_oldest(self, window: Window) -> None:
        entity, _ = self._rates.popitem(last=False)
        for metric in METRICS:
            if (series := self._series(entity, metric)) in self._cases:
                self._cases.close(series, window.end)

    def _open(self, entity: Entity, metric: Metric, rates: _Rates, totals: Totals, at: float) -> None:
        series = self._series(entity, metric)
        if series in self._cases:
            return
        rates.quiet[metric] = 0
        scope = Scope(use_case=entity.use_case, agent=entity.agent, model=entity.model)
        self._cases.open("burst", series, scope, at, self._reading(metric, rates, totals, ZERO))

    def _judge(self, entity: Entity, metric: Metric, rates: _Rates, totals: Totals, window: Window) -> None:
        series = self._series(entity, metric)
        if not self._concerns(window, series):
            return
        baseline = rates.baselines[metric]
        if totals.value(metric) > baseline.ceiling() / 2:
            rates.quiet[metric] = 0
            before = self._cases.excess(series) if window.start > self._cases.open_since(series) else ZERO
            self._cases.update(series, window.end, self._reading(metric, rates, totals, before))
            return
        rates.quiet[metric] = rates.quiet.get(metric, 0) + 1
        if rates.quiet[metric] >= self._config.clear_windows:
            self._cases.close(series, window.end)

    def _concerns(self, window: Window, series: str) -> bool:
        """Tell whether `window` says something of an open case: not if it ended before the case was opened."""
        return series in self._cases and self._cases.open_since(series) < window.end

    def _reading(self, metric: Metric, rates: _Rates, totals: Totals, before: Decimal) -> Reading:
        baseline, usual = rates.baselines[metric], Decimal(repr(rates.baselines["usd"].expected()))
        observed, expected = totals.value(metric), baseline.expected()
        excess = max(ZERO, totals.usd - usual)
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
