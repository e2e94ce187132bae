"""The rates of one entity over several horizons: a window, a minute, ten minutes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from detectors import RateBaseline, RateParams
from streamer.windows.totals import METRICS, Metric

# One number a metric, in the order of METRICS; dollars in dollars.
Values = tuple[float, ...]
_USD = METRICS.index("usd")
NOTHING: Values = (0.0,) * len(METRICS)


class Horizon(NamedTuple):
    """How many windows are judged together, and by which parameters each metric is."""

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


class Slot(msgspec.Struct, array_like=True):
    """What the last aligned slot of a horizon held in all, and what this one holds so far."""

    before: Values = NOTHING
    so_far: Values = NOTHING


class HorizonsState(msgspec.Struct, array_like=True):
    """What is written down of `Horizons`."""

    first: int
    last: int
    slots: list[Slot]
    baselines: list[bytes]


class Horizons:
    """Baselines of all metrics over all horizons; the first is the window itself.

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
        self.baselines = [{m: RateBaseline(h.params[m]) for m in METRICS} for h in horizons]
        self._slots = [Slot() for _ in horizons]

    def of_window(self, metric: Metric) -> RateBaseline:
        """Give the baseline of one metric over a single window."""
        return self.baselines[0][metric]

    def rate(self) -> float:
        """Give how many requests, steps or tool calls, whichever are most, a window should hold; 0 if unknown."""
        last = self.baselines[-1]
        if last["requests"].seen < 1:
            return 0.0
        most = max(last["requests"].expected, last["steps"].expected, last["tool_calls"].expected)
        return most / self.horizons[-1].windows

    def pass_to(self, number: int) -> None:
        """Learn that nothing came between the last window and window `number`."""
        missed = number - self.last - 1
        heard = min(missed, self._attention()) if missed > 0 else 0
        for place, horizon in enumerate(self.horizons[1:], 1):
            if number // horizon.windows > self.last // horizon.windows:
                self._turn_slot(place, horizon.windows, number, heard)
        self._now = max(self._now, number)

    def above(self, number: int, values: Values, share: float = 1.0) -> Iterator[Excess]:
        """Give what stands above `share` of its ceiling once window `number` holds `values`."""
        for place, horizon in enumerate(self.horizons):
            sums = self.sums(place, number, values)
            usd = max(0.0, sums[_USD] - self.baselines[place]["usd"].expected)
            for metric, value in zip(METRICS, sums, strict=True):
                baseline = self.baselines[place][metric]
                if value > baseline.ceiling * share:
                    yield Excess(metric, horizon.windows, value, baseline, usd)

    def sums(self, place: int, number: int, values: Values) -> Values:
        """Give what the horizon at `place` holds once window `number` holds `values`."""
        if place == 0:
            return values
        windows = self.horizons[place].windows
        so_far, before = self._slot_of(place, number)
        left = 1 - (number % windows + 1) / windows
        return tuple(v + now + left * old for v, now, old in zip(values, so_far, before, strict=True))

    def learn(self, number: int, values: Values) -> None:
        """Learn window `number`, up to which time has been `pass_to`-ed."""
        for baseline, value in zip(self.baselines[0].values(), values, strict=True):
            if value:
                baseline.learn_one(value)
        for slot in self._slots[1:]:
            slot.so_far = tuple(a + b for a, b in zip(slot.so_far, values, strict=True))
        self.last = self._now = number

    def written(self) -> HorizonsState:
        """Write the whole state down."""
        states = [baseline.snapshot() for baselines in self.baselines for baseline in baselines.values()]
        return HorizonsState(self._first, self.last, self._slots, states)

    def read(self, state: HorizonsState) -> None:
        """Take up what `written` gave."""
        self._first, self._slots = state.first, state.slots
        # Between windows, which is when state is written, the slots are those of the last one.
        self.last = self._now = state.last
        baselines = (baseline for baselines in self.baselines for baseline in baselines.values())
        for baseline, written in zip(baselines, state.baselines, strict=True):
            baseline.restore(written)

    def _attention(self) -> int:
        return round(max(_LEAST_ATTENTION, _EXPECTED_IN_A_GAP / max(self.rate(), 1e-3)))

    def _slot_of(self, place: int, number: int) -> tuple[Values, Values]:
        """Give what the slot of window `number` holds, which may not have been turned to yet, and the one before it."""
        slot, windows = self._slots[place], self.horizons[place].windows
        turned = number // windows - self._now // windows
        if turned <= 0:
            return slot.so_far, slot.before
        return NOTHING, slot.so_far if turned == 1 else NOTHING

    def _turn_slot(self, place: int, windows: int, number: int, heard: int) -> None:
        slot, turned = self._slots[place], number // windows - self.last // windows
        longest = place == len(self.horizons) - 1
        silent = min(turned - 1, heard // windows) if longest else 0
        # Of the first slot only the end was seen.
        whole = self._first <= self.last // windows * windows
        for baseline, value in zip(self.baselines[place].values(), slot.so_far, strict=True):
            if whole and (value or longest):
                baseline.learn_one(value)
            baseline.learn_silence(silent)
        slot.before = slot.so_far if turned == 1 else NOTHING
        slot.so_far = NOTHING


# Of a gap, so many windows are learned at least, and until so much should have come.
_LEAST_ATTENTION, _EXPECTED_IN_A_GAP = 18, 10.0
