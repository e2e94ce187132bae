"""What every tenant, use case, agent and model has spent lately, from the rollups."""

import math
from collections import OrderedDict
from collections.abc import Iterator

import msgspec

from streamer.page.bands import Bands
from streamer.page.ring import Ring
from streamer.pricing.money import COST_KINDS, femtodollars
from streamer.records import Rollup
from streamer.windows.totals import Metric

# Slots of a series: what a chart of a screen's width can show.
SLOTS = 360
# Dollars are kept as nanodollars: 64 bits hold nine billion dollars a slot of them.
_FEMTO_A_NANO = 10**6
NANODOLLARS = 10**9
LEVELS = ("tenant", "use_case", "agent", "model")


class Series:
    """One entity's numbers over the last slots; `until` is the end (epoch seconds) of its newest window."""

    __slots__ = ("_rings", "key", "level", "newest", "part", "scope", "slots", "tenant", "until", "usual")

    def __init__(self, rollup: Rollup, slots: int) -> None:
        self.key, self.level, self.tenant, self.scope = rollup.series, rollup.level, rollup.tenant, rollup.scope
        self.slots, self.until = slots, 0.0
        #: The newest window's start and the highest late part that were taken: what is not beyond them is a repeat.
        self.newest, self.part = -math.inf, 0
        self._rings: dict[str, Ring] = {}
        #: What was usual of each metric, in a single window.
        self.usual: dict[Metric, Bands] = {}

    def add(self, metric: str, slot: int, amount: int) -> None:
        """Add to one metric; its ring comes to be with the first amount."""
        if amount:
            ring = self._rings.get(metric)
            if ring is None:
                ring = self._rings[metric] = Ring(self.slots)
            ring.add(slot, amount)

    def values(self, metric: str, first: int, end: int) -> list[int]:
        """Give one metric's slots."""
        ring = self._rings.get(metric)
        return ring.values(first, end) if ring else [0] * (end - first)

    def total(self, metric: str, first: int, end: int) -> int:
        """Sum up one metric."""
        ring = self._rings.get(metric)
        return ring.total(first, end) if ring else 0

    @property
    def name(self) -> str:
        """The entity's own name, without what it is part of."""
        return str(getattr(self.scope, self.level, "")) if self.level != "tenant" else self.tenant


class Span(msgspec.Struct, frozen=True):
    """Slots from `first` to before `end`, and how many seconds they are."""

    first: int
    end: int
    seconds: float


class Spend:
    """All series, the least recently active forgotten first. Pure: time comes in by the rollups, and as `now`."""

    def __init__(self, *, window: float, history: float, rate: float, most: int) -> None:
        self.window, self._history, self._most = window, history, most
        #: Seconds a slot: whole windows, so that no window is split.
        self.step = window * math.ceil(history / SLOTS / window)
        self.slots = math.ceil(history / self.step)
        self._rate = max(1, round(rate / self.step))
        self.series: OrderedDict[str, Series] = OrderedDict()
        #: Grows with each rollup, so that what was worked out can be kept until then.
        self.version = 0
        self.forgotten = 0
        #: The end (epoch seconds) of the newest window of all.
        self.until = 0.0
        #: The first slot of which anything is known: what was before is not nothing, but unknown.
        self.first: int | None = None

    def take(self, rollup: Rollup) -> bool:
        """Take in a rollup of one of the levels; False for one that was taken before."""
        series = self._known(rollup)
        start = rollup.start.timestamp()
        if start <= series.newest if not rollup.late else rollup.part <= series.part:
            return False
        if rollup.late:
            series.part = rollup.part
        else:
            series.newest, series.until = start, max(series.until, rollup.end.timestamp())
            self.until = max(self.until, series.until)
        for metric, usual in (rollup.usual or {}).items():
            series.usual.setdefault(metric, Bands(self._history)).add(start, usual)
        slot = int(start // self.step)
        self.first = slot if self.first is None else min(self.first, slot)
        self._add(series, rollup, slot)
        self.version += 1
        return True

    def span(self, now: float) -> Span:
        """Give the slots that are kept at `now`, from the first of which anything is known."""
        end = int(now // self.step) + 1
        first = max(end - self.slots, min(self.first or 0, end - 1))
        return Span(first, end, (end - first) * self.step)

    def latest(self, series: Series, now: float) -> Span:
        """Give the slots by which the present rate of a series is told: the last that are whole.

        Where nothing came for longer than that, they are those before `now`, in which there may be nothing.
        """
        until = series.until if series.until > now - 2 * self._rate * self.step - 3 * self.window else now
        end = int(min(until, now) // self.step)
        return Span(end - self._rate, end, self._rate * self.step)

    def at_level(self, level: str) -> Iterator[Series]:
        """Go through the series of one level."""
        return (series for series in self.series.values() if series.level == level)

    def _known(self, rollup: Rollup) -> Series:
        series = self.series.get(rollup.series)
        if series is None:
            series = self.series[rollup.series] = Series(rollup, self.slots)
            if len(self.series) > self._most:
                self.series.popitem(last=False)
                self.forgotten += 1
        else:
            self.series.move_to_end(rollup.series)
        return series

    @staticmethod
    def _add(series: Series, rollup: Rollup, slot: int) -> None:
        for kind in COST_KINDS:
            series.add(kind, slot, nanodollars(rollup, kind))
        series.add("usd", slot, femtodollars(rollup.usd) // _FEMTO_A_NANO)
        series.add("tokens", slot, rollup.input_tokens + rollup.output_tokens)
        series.add("requests", slot, rollup.requests)
        series.add("events", slot, rollup.events)
        if series.level == "tenant":
            series.add("late", slot, rollup.events if rollup.late else 0)
            series.add("unpriced", slot, rollup.unpriced)
            series.add("errors", slot, rollup.errors)
            series.add("repeats", slot, rollup.repeats or 0)


def nanodollars(rollup: Rollup, kind: str) -> int:
    """Give what a rollup holds of one kind of cost; a fraction of a nanodollar is left out."""
    amount = rollup.usd_by_kind.get(kind)  # type: ignore[call-overload]
    return femtodollars(amount) // _FEMTO_A_NANO if amount else 0
