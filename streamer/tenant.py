"""One tenant's meter: deduplicates, prices and totals its events in windows, and has them judged."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from streamer.clock import utc
from streamer.config import Config
from streamer.dedup import SeenIds
from streamer.events.usage import UsageEvent
from streamer.feedback import Feedback
from streamer.judges.answers import Outcome, heed
from streamer.judges.budgets import BudgetJudge
from streamer.judges.busywork import BusyworkJudge
from streamer.judges.cases import Cases
from streamer.judges.horizons import Band
from streamer.judges.loops import LoopJudge
from streamer.judges.policies import Policies
from streamer.judges.tags import Tags
from streamer.judges.watch import Watch
from streamer.news import News
from streamer.pricing.book import Charge, PriceBook
from streamer.records import Anomaly, BudgetStanding, Rollup, Usual
from streamer.tenant_state import WrittenTenant, WrittenWatermark
from streamer.windows.entity import Entity
from streamer.windows.open import OpenWindow
from streamer.windows.rollup import Rollups
from streamer.windows.totals import Metric
from streamer.windows.window import TumblingWindow, Watermark, stagger

_NEVER = float("-inf")
# What stands for the source of feedback where ids are remembered.
_PEOPLE = "tidegate.feedback"
# The kinds of parts of the state; a part's key is the kind, then what the kind's owner calls it.
CORE, MODELS, SEASONS, LOOPS, SEEN = "tenant", "models", "seasons", "loops", "seen"
BUDGETS, BUSYWORK, TAGS = "budgets", "busywork", "tags"
Parts = Mapping[str, Mapping[str, bytes]]


class Tally:
    """What became of events, over the tenants that share it; see `Pipeline.counts`."""

    __slots__ = ("counted", "crowded", "duplicate", "folded", "forgotten", "heard", "late", "unpriced")

    def __init__(self) -> None:
        self.counted = self.duplicate = self.late = self.unpriced = self.folded = self.forgotten = 0
        #: Feedback by verdict and outcome.
        self.heard: Counter[tuple[str, Outcome]] = Counter()
        #: The tenants that went beyond a bound.
        self.crowded = News()

    def squeeze(self, tenant: str, folded: int, forgotten: int) -> None:
        """Count what went beyond a tenant's bounds."""
        self.folded += folded
        self.forgotten += forgotten
        if folded or forgotten:
            self.crowded.add(tenant)


class Found(NamedTuple):
    """What came of the event at a place, or the error of ours that kept it from being counted whole."""

    place: int
    rollups: Iterable[Rollup] = ()
    budgets: Iterable[BudgetStanding] = ()
    anomalies: Iterable[Anomaly] = ()
    error: Exception | None = None


class TenantMeter:
    """All state of one tenant. Its results depend on its own events and on `now` only, never on other tenants.

    Events older than the last closed window are late: they count, in rollups marked so, but are not judged.
    """

    def __init__(
        self, tenant: str, config: Config, prices: PriceBook, tally: Tally, charge: Charge | None = None
    ) -> None:
        self._tenant, self._prices, self._tally, self._charge = tenant, prices, tally, charge
        self._window = TumblingWindow(config.windows.size_seconds)
        self._most_cells = config.windows.max_entities
        self._lateness = config.windows.lateness_seconds + stagger(tenant, config.windows.stagger_seconds)
        self._watermark = Watermark(self._lateness, config.windows.grace_seconds)
        self._seen = SeenIds(config.events.duplicate_span_seconds, config.events.max_ids)
        # Up to where windows are closed, and the watermark at which the next one is due.
        self._closed = self._due = _NEVER
        # Late parts so far, and repeats that no rollup has told of yet.
        self._late_parts = self._repeats = 0
        self._windows: dict[float, OpenWindow] = {}
        self._tags = Tags({*config.events.tags, config.alerts.owners.tag} - {""})
        self._judges(config)

    def _judges(self, config: Config) -> None:
        self.policies = Policies()
        self.cases = Cases(self._tenant, self.policies, config.detect.severity, self._tags)
        self._watch = Watch(self._tenant, config.detect, self._window.size, self.cases)
        self._loops = LoopJudge(self._tenant, config.detect.loop, self.cases)
        self._budgets = BudgetJudge(self._tenant, config.budgets, self.cases)
        self._busywork = BusyworkJudge(self._tenant, config.detect.busywork, self.cases)
        self._config = config

    def submit(self, events: Sequence[UsageEvent], places: Iterable[int], now: float, found: list[Found]) -> None:
        """Take in the events at `places`, in order; what comes of each is added to `found`. Repeats change nothing."""
        seen, mark, cases, tally = self._seen, self._watermark, self.cases, self._tally
        for place in places:
            event = events[place]
            try:
                at = event.time.timestamp()
                if not seen.add(event.source, event.id, at):
                    tally.duplicate += 1
                    self._repeats += 1
                    continue
                self._count(event, at)
                mark.observe(at, now)
                due = mark.value >= self._due or self._loops.looping
                rollups = self._close_due() if due else ()
            except Exception as error:
                found.append(Found(place, error=error))
                continue
            if rollups or cases.changes:
                budgets = self.budgets(rollups) if rollups else ()
                found.append(Found(place, rollups, budgets, cases.taken()))

    def _count(self, event: UsageEvent, at: float) -> None:
        """Price an event that is new, add it to its window, and have it judged."""
        tally = self._tally
        tally.counted += 1
        cost = self._prices.cost(event)
        if cost[1] == "unpriced":
            tally.unpriced += 1
        if self._charge:
            self._charge(event, cost)
        if event.tags and self._tags.names:
            self._tags.note(event.use_case, event.agent, event.tags)
        start = self._window.start(at)
        window = self._windows.get(start) or self._open(start)
        passed = window.add(event, cost)
        if passed:
            self._watch.on_passed(passed, window, at)
        if self._budgets.accounts:
            self._budgets.on_event(event, cost[0], at)
        if window.end <= self._closed:
            tally.late += 1
        elif event.session:
            self._loops.on_event(event, cost[0], at)

    def on_feedback(self, feedback: Feedback) -> Outcome:
        """Act upon a person's word; one that is repeated while its id is remembered changes nothing."""
        said = feedback.time.timestamp()
        # Remembered no later than the newest event, or a clock ahead would make events' ids be forgotten.
        remembered = min(said, self._watermark.newest) if self._watermark.newest > _NEVER else said
        if not self._seen.add(_PEOPLE, f"{feedback.id}\x00{feedback.anomaly}", remembered):
            return "repeated"
        at = max(said, self._watermark.newest)
        return heed(feedback, at, self.policies, self.cases, self._watch)

    def tick(self, now: float) -> Iterable[Rollup]:
        """Let time pass where no events arrive."""
        self._watermark.advance(now)
        return self._close_due()

    def flush(self) -> Iterable[Rollup]:
        """Close all windows: the source has ended."""
        return list(self._close_up_to(float("inf")))

    def budgets(self, closed: Iterable[Rollup]) -> Iterable[BudgetStanding]:
        """Give how the budgets stand on which something was booked in the windows that were closed, or later."""
        return self._budgets.standings(next(iter(closed)).start.timestamp()) if self._budgets.accounts else ()

    def band(self, series: str) -> Band | None:
        """Give the expected value and the ceiling behind an open case, None where it was not judged by them."""
        return self._watch.band(series)

    @property
    def due(self) -> float:
        """The moment (of `now`) before which ticks bring nothing out, unless something arrives; infinite if none does.

        The last of these ticks makes up for all before it.
        """
        mark = min(self._loops.due, self._budgets.due, self._busywork.due, self.cases.due)
        mark = min(mark, max(self._due, self._watch.waits_since() + self._window.size))
        if self._windows:
            # What came late is told of with the next window.
            mark = min(mark, max(self._due, min(self._windows) + self._window.size))
        return self._watermark.reaches(mark)

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Write down what changed since the last call, by key; equal states give equal bytes."""
        try:
            core = msgspec.msgpack.encode(self._core(as_text=False))
        except OverflowError:  # more than 64 bits: thousands of dollars in a window
            core = msgspec.msgpack.encode(self._core(as_text=True))
        yield f"{CORE}/{self._tenant}", core
        yield from _named(MODELS, self._tenant, self._watch.changes())
        yield from _named(SEASONS, self._tenant, self._watch.seasons())
        yield from _named(LOOPS, self._tenant, self._loops.changes())
        yield from _named(BUDGETS, self._tenant, self._budgets.changes())
        yield from _named(BUSYWORK, self._tenant, self._busywork.changes())
        yield from _named(TAGS, self._tenant, self._tags.changes())
        seen = [(f"{number}.{chunk}", ids) for (number, chunk), ids in self._seen.changes()]
        yield from _named(SEEN, self._tenant, seen)

    def restore(self, parts: Parts) -> None:
        """Take up the parts that `changes` gave, by kind and by name."""
        core = msgspec.msgpack.decode(parts[CORE][""], type=WrittenTenant)
        self._late_parts, self._repeats = core.late_parts, core.repeats
        mark = self._watermark
        mark.newest, mark.arrived, mark.value = core.watermark.newest, core.watermark.arrived, core.watermark.value
        resized = core.size not in (0.0, self._window.size) and (core.windows or core.closed > _NEVER)
        self._closed_until(self._after(core) if resized else core.closed)
        self._judges(self._config)
        for written in parts.get(TAGS, {}).values():
            self._tags.restore(written)
        self.policies.restore(core.policies)
        self.cases.restore(core.cases)
        models, seasons = parts.get(MODELS, {}), parts.get(SEASONS, {})
        closed = self._closed if resized else None
        self._watch.restore(core.watch, list(models.values()), list(seasons.values()), closed)
        self._loops.restore(list(parts.get(LOOPS, {}).values()))
        self._budgets.restore(parts.get(BUDGETS, {}))
        self._busywork.restore(list(parts.get(BUSYWORK, {}).values()))
        for start, end, cells in core.windows:
            # Where windows begin there now, what comes by now is counted with it.
            shared = self._window.start(start) == start
            self._windows[start] = self._made(start, max(end, start + self._window.size) if shared else end)
            self._windows[start].read(cells)
        chunks = [(name.split("."), ids) for name, ids in parts.get(SEEN, {}).items()]
        newest = mark.newest if mark.newest > _NEVER else math.inf
        self._seen.restore({(int(number), int(chunk)): ids for (number, chunk), ids in chunks}, core.span, newest)

    def _core(self, as_text: bool) -> WrittenTenant:
        windows = [self._windows[start].written(as_text) for start in sorted(self._windows)]
        mark = self._watermark
        return WrittenTenant(
            WrittenWatermark(mark.lateness, mark.grace, mark.newest, mark.arrived, mark.value),
            self._closed,
            self._late_parts,
            windows,
            self.cases.snapshot(),
            self._watch.snapshot(),
            self.policies.snapshot(),
            self._repeats,
            self._window.size,
            self._config.events.duplicate_span_seconds,
        )

    def _after(self, core: WrittenTenant) -> float:
        """Give where the first window begins that holds nothing of those of another size: these are rolled up as late.

        Or two rollups would have the same start, and whoever adds them up would take one for a repeat of the other.
        """
        known = max([core.closed, *(end for _, end, _ in core.windows)])
        start = self._window.start(known)
        return start if start == known else start + self._window.size

    def _open(self, start: float) -> OpenWindow:
        window = self._windows[start] = self._made(start, start + self._window.size)
        return window

    def _made(self, start: float, end: float) -> OpenWindow:
        return OpenWindow(start, end, self._most_cells, self._watch.ceilings if end > self._closed else _unwatched)

    def _close_due(self) -> Iterable[Rollup]:
        mark = self._watermark.value
        rollups: Iterable[Rollup] = ()
        if mark >= self._due and mark > _NEVER:
            rollups = list(self._close_up_to(self._window.start(mark)))
        if self._loops.looping:
            self._loops.on_time(mark)
        if self._budgets.accounts:
            self._budgets.on_time(mark)
        if self._busywork.standing:
            self._busywork.on_time(self._closed)
        if mark >= self.cases.due:
            self.cases.on_time(mark)
        return rollups

    def _closed_until(self, end: float) -> None:
        self._closed, self._due = end, end + self._window.size

    def _close_up_to(self, end: float) -> Iterator[Rollup]:
        """Close every window that ends at `end` or before, oldest first, with the empty ones between."""
        for start in sorted(start for start, window in self._windows.items() if window.end <= end):
            self._pass_silence(start)
            yield from self._close(self._windows.pop(start))
        if end < float("inf"):
            self._pass_silence(end)
            self._closed_until(max(self._closed, end))

    def _close(self, window: OpenWindow) -> Iterator[Rollup]:
        late = window.end <= self._closed
        self._late_parts += late
        self._tally.squeeze(self._tenant, window.folded, self._seen.squeezed())
        rollups = Rollups(self._tenant, utc(window.start), utc(window.end), self._late_parts if late else 0)
        found, shapes = window.totals(), {} if late else window.shapes()
        self._busywork.on_close(found, window.start)
        for entity, totals in found.items():
            usual: Mapping[Metric, Usual] | None = None
            if not late and self._watch.watches(entity):
                usual = self._watch.usual(entity, window.start)
                self._watch.on_close(entity, totals, shapes.get(entity, []), window)
            rollup = rollups.of(entity, totals, usual)
            if self._repeats and entity.level == "tenant":
                rollup.repeats, self._repeats = self._repeats, 0
            yield rollup
        for agent, sessions in window.sessions():
            yield from rollups.of_sessions(agent, sessions)
        if not late:
            self._watch.on_time(window.start, window.end)
            self._closed_until(window.end)
            for other in self._windows.values():
                other.aim()

    def _pass_silence(self, until: float) -> None:
        """Walk over empty windows, as far as there is something that they may end or bring to light."""
        while (since := self._watch.waits_since()) < until:
            start = max(self._closed, self._window.start(since))
            if start + self._window.size > until:
                return
            self._watch.on_time(start, start + self._window.size)
            self._closed_until(start + self._window.size)


def _unwatched(_: Entity) -> None:
    """Late windows are not judged."""


def place_of(key: str) -> tuple[str, str, str]:
    """Give the kind, the tenant and the name of a part from its key."""
    kind, _, rest = key.partition("/")
    if kind == CORE:
        return kind, rest, ""
    length, _, named = rest.partition("/")
    return kind, named[: int(length)], named[int(length) + 1 :]


def _named(kind: str, tenant: str, changes: Iterable[tuple[str, bytes | None]]) -> Iterator[tuple[str, bytes | None]]:
    # The length tells where the tenant's name ends, whatever is in it.
    for name, part in changes:
        yield f"{kind}/{len(tenant)}/{tenant}/{name}", part
