"""One tenant's meter: deduplicates, prices and totals its events in windows, and has them judged."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from streamer.clock import utc
from streamer.config import Config
from streamer.events.usage import UsageEvent
from streamer.judges.budgets import BudgetJudge, BudgetSnapshot
from streamer.judges.cases import Cases
from streamer.judges.loops import LoopJudge, LoopSnapshot
from streamer.judges.rates import RateJudge, RatesSnapshot, Window
from streamer.pricing.book import Cost, PriceBook
from streamer.records import Anomaly, Rollup, Scope
from streamer.windows.entity import Entity, entities_of
from streamer.windows.totals import Totals
from streamer.windows.window import TumblingWindow, Watermark

OTHER = "other"
Count = Literal["counted", "duplicate", "late", "unpriced", "folded"]


class _Snapshot(msgspec.Struct):
    watermark: Watermark
    closed: float
    late_parts: int
    windows: list[tuple[float, list[tuple[Entity, Totals]]]]
    cases: list[Anomaly]
    rates: list[RatesSnapshot]
    loops: list[LoopSnapshot]
    budgets: list[BudgetSnapshot]


class TenantMeter:
    """All state of one tenant. Its results depend on its own events and on `now` only, never on other tenants.

    Events older than the last closed window are late: they count, in rollups marked so, but are not judged.
    """

    def __init__(self, tenant: str, config: Config, prices: PriceBook) -> None:
        self._tenant, self._prices = tenant, prices
        self._window = TumblingWindow(config.windows.size_seconds)
        self._max_entities = config.windows.max_entities
        self._watermark = Watermark(config.windows.lateness_seconds, config.windows.grace_seconds)
        self._closed = float("-inf")
        self._late_parts = 0
        self._windows: dict[float, dict[Entity, Totals]] = {}
        self.counts: Counter[Count] = Counter()
        self._judges(config)

    def _judges(self, config: Config, cases: Iterable[Anomaly] = ()) -> None:
        self._cases = Cases(self._tenant, cases)
        self._rates = RateJudge(self._tenant, config.detect.burst, self._window.size, self._cases)
        self._loops = LoopJudge(self._tenant, config.detect.loop, self._cases)
        self._budgets = BudgetJudge(self._tenant, config.budgets, self._cases)
        self._config = config

    def submit(self, event: UsageEvent, now: float) -> Iterator[Rollup]:
        """Count one event that was not seen before; gives the rollups of the windows that it closes."""
        at = event.time.timestamp()
        cost = self._prices.cost(event)
        self.counts["counted"] += 1
        self.counts["unpriced"] += cost.origin == "unpriced"
        late = self._add(event, cost, at)
        self._budgets.on_event(event, cost.usd, at)
        if late:
            self.counts["late"] += 1
        else:
            self._loops.on_event(event, cost.usd, at)
        self._watermark.observe(at, now)
        yield from self._close_windows()

    def tick(self, now: float) -> Iterator[Rollup]:
        """Let time pass where no events arrive."""
        self._watermark.advance(now)
        yield from self._close_windows()

    def changes(self) -> list[Anomaly]:
        """Hand over what has changed in the tenant's anomalies since the last call."""
        return self._cases.taken()

    def flush(self) -> Iterator[Rollup]:
        """Close all windows: the source has ended."""
        yield from self._close_up_to(float("inf"))

    def snapshot(self) -> bytes:
        """Write the whole state down, but for the ids seen; equal states give equal bytes."""
        windows = [(start, sorted(self._windows[start].items())) for start in sorted(self._windows)]
        return msgspec.msgpack.encode(
            _Snapshot(
                self._watermark,
                self._closed,
                self._late_parts,
                windows,
                self._cases.snapshot(),
                self._rates.snapshot(),
                self._loops.snapshot(),
                self._budgets.snapshot(),
            )
        )

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        state = msgspec.msgpack.decode(snapshot, type=_Snapshot)
        self._watermark.newest, self._watermark.arrived = state.watermark.newest, state.watermark.arrived
        self._watermark.value, self._closed = state.watermark.value, state.closed
        self._late_parts = state.late_parts
        self._windows = {start: dict(totals) for start, totals in state.windows}
        self._judges(self._config, state.cases)
        self._rates.restore(state.rates)
        self._loops.restore(state.loops)
        self._budgets.restore(state.budgets)

    def _add(self, event: UsageEvent, cost: Cost, at: float) -> bool:
        start = self._window.start(at)
        window = self._windows.setdefault(start, {})
        late = start + self._window.size <= self._closed
        for named in entities_of(event):
            entity, totals = self._totals(window, named)
            totals.add(event, cost)
            if not late and self._rates.watches(entity):
                self._rates.on_event(entity, totals, at)
        return late

    def _totals(self, window: dict[Entity, Totals], entity: Entity) -> tuple[Entity, Totals]:
        """Find an entity's totals; past the cap a new one is folded into `other` of its level, and judged as that."""
        totals = window.get(entity)
        if totals is not None:
            return entity, totals
        if len(window) >= self._max_entities:
            self.counts["folded"] += 1
            entity = Entity(entity.level, **{entity.level: OTHER}) if entity.level != "tenant" else entity
        return entity, window.setdefault(entity, Totals())

    def _close_windows(self) -> Iterator[Rollup]:
        mark = self._watermark.value
        end = self._window.start(mark) if mark > float("-inf") else mark
        if end > self._closed or any(start + self._window.size <= end for start in self._windows):
            yield from self._close_up_to(end)
        self._loops.on_time(mark)

    def _close_up_to(self, end: float) -> Iterator[Rollup]:
        """Close every window that ends at `end` or before, oldest first, with the empty ones between."""
        for start in sorted(start for start in self._windows if start + self._window.size <= end):
            self._pass_silence(start)
            yield from self._close(start)
        if end < float("inf"):
            self._pass_silence(end)
            self._closed = max(self._closed, end)

    def _close(self, start: float) -> Iterator[Rollup]:
        totals_of, end = self._windows.pop(start), start + self._window.size
        late = end <= self._closed
        self._late_parts += late
        part = self._late_parts if late else 0
        for entity in sorted(totals_of):
            if not late and self._rates.watches(entity):
                self._rates.on_close(entity, totals_of[entity], Window(start, end))
            yield self._rollup(entity, totals_of[entity], Window(start, end), part)
        if not late:
            self._rates.on_silence(Window(start, end))
            self._closed = end

    def _pass_silence(self, until: float) -> None:
        """Walk over empty windows, from the oldest open burst on, as far as there is one that they may end."""
        while (oldest := self._rates.oldest_open()) is not None:
            start = max(self._closed, self._window.start(oldest))
            if start + self._window.size > until:
                return
            self._rates.on_silence(Window(start, start + self._window.size))
            self._closed = start + self._window.size

    def _rollup(self, entity: Entity, totals: Totals, window: Window, part: int) -> Rollup:
        return Rollup(
            series=entity.key(self._tenant),
            level=entity.level,
            tenant=self._tenant,
            scope=Scope(entity.use_case, entity.agent, entity.model, entity.session),
            start=utc(window.start),
            end=utc(window.end),
            late=part > 0,
            part=part,
            **msgspec.structs.asdict(totals),
        )
