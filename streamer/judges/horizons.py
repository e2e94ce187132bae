"""The rates of one entity over several horizons: from a single window to half an hour."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from mypy_extensions import mypyc_attr

from detectors import RateBaseline, RateParams
from streamer.judges.slots import HorizonsState, Slot, Values
from streamer.records import Usual
from streamer.windows.totals import METRICS, Metric

_USD = METRICS.index("usd")
_COUNTS: tuple[Metric, ...] = ("requests", "steps", "tool_calls")


class Horizon(NamedTuple):
    """How many windows are judged together, and by which parameters each metric is that is judged over so many."""

    windows: int
    params: Mapping[Metric, RateParams]


class Excess(NamedTuple):
    """What stands above a ceiling: of which metric, over how many windows, how high, and the baseline.

    `usd` is how many dollars all of the horizon holds above its usual ones, 0 or more.
    """

    metric: Metric
    windows: int
    value: float
    baseline: RateBaseline
    usd: float


class Band(NamedTuple):
    """What is still usual of a rate over so many windows: the expected value, and the ceiling above it."""

    windows: int
    expected: float
    ceiling: float


@mypyc_attr(acyclic=True)
class Horizons:
    """Baselines of metrics over several horizons; the first is the window itself. A metric gets its own when it comes.

    Longer horizons learn aligned slots, and are judged as if they slid: this slot so far, and of the one before the
    share that a sliding horizon would still cover.

    What is usual in a short horizon is what is usual where there is anything at all: calls come in sessions, and of a
    stream that is still most of the time even a single session would be a burst. Only the longest horizon learns
    that nothing came, and of a long gap only the beginning: a stream that sleeps at night has not become a slow one.
    """

    __slots__ = ("_first", "_now", "_slots", "baselines", "horizons", "last")

    def __init__(self, horizons: Sequence[Horizon], last: int) -> None:
        self.horizons = horizons
        self._first = last + 1
        #: The number of the last window that was learned.
        self.last = self._now = last
        self.baselines: list[dict[Metric, RateBaseline]] = [{} for _ in horizons]
        self._slots = [Slot() for _ in horizons]

    def expected(self, metric: Metric, place: int = 0) -> float:
        """Give what is usual of a metric in a single window, or in the horizon at `place`; 0 where nothing is."""
        baseline = self.baselines[place].get(metric)
        return baseline.expected if baseline else 0.0

    def band(self, name: str, windows: int) -> Band | None:
        """Give what is usual of a metric over so many windows; None for what is no metric, or not judged over them."""
        for horizon, baselines in zip(self.horizons, self.baselines, strict=True):
            for metric, baseline in baselines.items():
                if metric == name and horizon.windows == windows:
                    return Band(windows, baseline.expected, baseline.ceiling)
        return None

    def usual(self) -> dict[Metric, Usual]:
        """Give what is usual of each metric in a single window, as far as enough is known to judge it."""
        first = self.baselines[0]
        return {
            metric: Usual(*[round(value, 6) for value in (low, known.expected, high, known.ceiling)])
            for metric in METRICS
            if (known := first.get(metric)) and known.ceiling < math.inf
            for low, high in (known.usual,)
        }

    def rate(self) -> float:
        """Give how many requests, steps or tool calls, whichever are most, a window should hold; 0 if unknown."""
        return max(self.each(metric) for metric in _COUNTS)

    def each(self, metric: Metric) -> float:
        """Give how many a window has on average, empty ones among them; 0 if unknown."""
        baseline = self.baselines[-1].get(metric)
        if baseline and baseline.seen:
            return baseline.expected / self.horizons[-1].windows
        return self._so_far(metric)

    def pass_to(self, number: int) -> None:
        """Learn that nothing came between the last window and window `number`."""
        missed = number - self.last - 1
        heard = min(missed, self._attention()) if missed > 0 else 0
        for place, horizon in enumerate(self.horizons[1:], 1):
            if number // horizon.windows > self.last // horizon.windows:
                self._turn_slot(place, horizon.windows, number, heard)
        self._now = max(self._now, number)

    def above(self, number: int, values: Values, share: float = 1.0, *, news: bool = False) -> Iterator[Excess]:
        """Give what stands above `share` of its ceiling once window `number` holds `values`; or the `news` of it."""
        for place, horizon in enumerate(self.horizons):
            sums = self.sums(place, number, values, news=news)
            baselines = self.baselines[place]
            usd = max(0.0, sums[_USD] - self.expected("usd", place))
            for metric, value in zip(METRICS, sums, strict=True):
                baseline = baselines.get(metric)
                if baseline and value > baseline.ceiling * share:
                    yield Excess(metric, horizon.windows, value, baseline, usd)

    def sums(self, place: int, number: int, values: Values, *, news: bool = False) -> Values:
        """Give what the horizon at `place` holds once window `number` holds `values`."""
        if place == 0:
            return values
        slot, windows = self._slot_of(place, number), self.horizons[place].windows
        held = slot.news() if news else slot
        left = 1 - (number % windows + 1) / windows
        return tuple(v + now + left * old for v, now, old in zip(values, held.so_far, held.before, strict=True))

    def learn(self, number: int, values: Values) -> None:
        """Learn window `number`, up to which time has been `pass_to`-ed."""
        for metric, value in zip(METRICS, values, strict=True):
            if value and (baseline := self._baseline(0, metric)):
                baseline.learn_one(value)
        for slot in self._slots[1:]:
            slot.so_far = tuple(a + b for a, b in zip(slot.so_far, values, strict=True))
        self.last = self._now = number

    def tell(self) -> None:
        """Take all that came so far for told: longer horizons shall not tell it once more."""
        for slot in self._slots[1:]:
            slot.told_before, slot.told = slot.before, slot.so_far

    def written(self) -> HorizonsState:
        """Write the whole state down."""
        states = [{m: known[m].snapshot() for m in METRICS if m in known} for known in self.baselines]
        return HorizonsState(self._first, self.last, self._slots, states)

    def read(self, state: HorizonsState) -> None:
        """Take up what `written` gave."""
        self._first, self._slots = state.first, state.slots
        # Between windows, which is when state is written, the slots are those of the last one.
        self.last = self._now = state.last
        for place, written in enumerate(state.baselines):
            for metric, snapshot in written.items():
                if baseline := self._baseline(place, metric):
                    baseline.restore(snapshot)

    def _baseline(self, place: int, metric: Metric) -> RateBaseline | None:
        """Give a metric's baseline, made where there is none yet; None where it is not judged."""
        known, params = self.baselines[place], self.horizons[place].params
        if metric not in known and metric in params:
            known[metric] = RateBaseline(params[metric])
        return known.get(metric)

    def _so_far(self, metric: Metric) -> float:
        """Give the same of what is too young for a slot of the longest horizon, but has lasted as long as one."""
        longest, slot, place = self.horizons[-1].windows, self._slots[-1], METRICS.index(metric)
        windows = self.last + 1 - max(self._first, (self.last // longest - 1) * longest)
        return (slot.before[place] + slot.so_far[place]) / windows if windows >= longest else 0.0

    def _attention(self) -> int:
        return attention(self.rate())

    def _slot_of(self, place: int, number: int) -> Slot:
        """Give the slot of window `number`, which may not have been turned to yet."""
        slot, windows = self._slots[place], self.horizons[place].windows
        if (turned := number // windows - self._now // windows) > 0:
            slot = msgspec.structs.replace(slot)
            slot.turn(turned)
        return slot

    def _turn_slot(self, place: int, windows: int, number: int, heard: int) -> None:
        slot, turned = self._slots[place], number // windows - self.last // windows
        longest = place == len(self.horizons) - 1
        silent = min(turned - 1, heard // windows) if longest else 0
        # Of the first slot only the end was seen.
        whole = self._first <= self.last // windows * windows
        for metric, value in zip(METRICS, slot.so_far, strict=True):
            baseline = self._baseline(place, metric) if value else self.baselines[place].get(metric)
            if baseline and whole and (value or longest):
                baseline.learn_one(value)
            if baseline:
                baseline.learn_silence(silent)
        slot.turn(turned)


# Of a gap, so many windows are learned at least, and until so much should have come.
_LEAST_ATTENTION, _EXPECTED_IN_A_GAP = 18, 10.0


def attention(rate: float) -> int:
    """Say how many windows of a gap are learned, where `rate` are expected in each: what sleeps is not slow."""
    return round(max(_LEAST_ATTENTION, _EXPECTED_IN_A_GAP / max(rate, 1e-3)))
