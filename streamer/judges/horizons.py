"""The rates of one entity over several horizons: a window, a minute, ten minutes."""

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from detectors import RateBaseline, RateParams
from streamer.windows.totals import METRICS, Metric

# One number a metric, in the order of METRICS; dollars in dollars.
Values = tuple[float, ...]
NOTHING: Values = (0.0,) * len(METRICS)


class Horizon(NamedTuple):
    """How many windows are judged together, and by which parameters each metric is."""

    windows: int
    params: Mapping[Metric, RateParams]


class Excess(NamedTuple):
    """What stands above a ceiling: of which metric, over how many windows, how high, and the baseline."""

    metric: Metric
    windows: int
    value: float
    baseline: RateBaseline


class HorizonsState(msgspec.Struct, array_like=True):
    """What is written down of `Horizons`."""

    last: int
    recent: list[tuple[int, Values]]
    slots: list[Values]
    baselines: list[bytes]


class Horizons:
    """Baselines of all metrics over all horizons; the first is the window itself.

    Longer horizons are judged as a sum that slides with each window, where they are at most `_SLIDING` windows long,
    else over aligned slots. All learn aligned slots.

    What is usual in a short horizon is what is usual where there is anything at all: calls come in sessions, and of a
    stream that is still most of the time even a single session would be a burst. Only the longest horizon learns
    that nothing came, and of a long gap only the beginning: a stream that sleeps at night has not become a slow one.
    """

    __slots__ = ("_recent", "_slots", "baselines", "horizons", "last")

    def __init__(self, horizons: Sequence[Horizon], last: int) -> None:
        self.horizons = horizons
        #: The number of the last window that was learned.
        self.last = last
        self.baselines = [{m: RateBaseline(h.params[m]) for m in METRICS} for h in horizons]
        self._recent: deque[tuple[int, Values]] = deque()
        self._slots = [NOTHING for _ in horizons]

    def of_window(self, metric: Metric) -> RateBaseline:
        """Give the baseline of one metric over a single window."""
        return self.baselines[0][metric]

    def rate(self) -> float:
        """Give how many requests, steps or tool calls, whichever are most, a window should hold; 0 if unknown."""
        last = self.baselines[-1]
        most = max(last["requests"].expected, last["steps"].expected, last["tool_calls"].expected)
        return most / self.horizons[-1].windows if last["requests"].ceiling < math.inf else 0.0

    def pass_to(self, number: int) -> None:
        """Learn that nothing came between the last window and window `number`."""
        missed = number - self.last - 1
        heard = min(missed, self._attention()) if missed > 0 else 0
        for place, horizon in enumerate(self.horizons[1:], 1):
            self._turn_slot(place, horizon.windows, number, heard)

    def above(self, number: int, values: Values, share: float = 1.0) -> Iterator[Excess]:
        """Give what stands above `share` of its ceiling once window `number` holds `values`."""
        for place, horizon in enumerate(self.horizons):
            sums = self._sums(place, horizon.windows, number, values)
            for metric, value in zip(METRICS, sums, strict=True):
                baseline = self.baselines[place][metric]
                if value > baseline.ceiling * share:
                    yield Excess(metric, horizon.windows, value, baseline)

    def learn(self, number: int, values: Values) -> None:
        """Learn window `number`, up to which time has been `pass_to`-ed."""
        for baseline, value in zip(self.baselines[0].values(), values, strict=True):
            if value:
                baseline.learn_one(value)
        for place in range(1, len(self.horizons)):
            self._slots[place] = _plus(self._slots[place], values)
        self._recent.append((number, values))
        while self._recent[0][0] <= number - _SLIDING:
            self._recent.popleft()
        self.last = number

    def written(self) -> HorizonsState:
        """Write the whole state down."""
        states = [baseline.snapshot() for baselines in self.baselines for baseline in baselines.values()]
        return HorizonsState(self.last, list(self._recent), self._slots, states)

    def read(self, state: HorizonsState) -> None:
        """Take up what `written` gave."""
        self.last, self._slots = state.last, [tuple(slot) for slot in state.slots]
        self._recent = deque((number, tuple(values)) for number, values in state.recent)
        baselines = (baseline for baselines in self.baselines for baseline in baselines.values())
        for baseline, written in zip(baselines, state.baselines, strict=True):
            baseline.restore(written)

    def _attention(self) -> int:
        return round(max(_LEAST_ATTENTION, _EXPECTED_IN_A_GAP / max(self.rate(), 1e-3)))

    def _turn_slot(self, place: int, windows: int, number: int, heard: int) -> None:
        turned = number // windows - self.last // windows
        if turned <= 0:
            return
        longest = place == len(self.horizons) - 1
        silent = min(turned - 1, heard // windows) if longest else 0
        for baseline, value in zip(self.baselines[place].values(), self._slots[place], strict=True):
            if value or longest:
                baseline.learn_one(value)
                baseline.learn_silence(silent)
        self._slots[place] = NOTHING

    def _sums(self, place: int, windows: int, number: int, values: Values) -> Values:
        if place == 0:
            return values
        if windows > _SLIDING:
            return _plus(self._slots[place], values)
        sums = values
        for earlier, held in self._recent:
            if earlier > number - windows:
                sums = _plus(sums, held)
        return sums


# How many windows are kept to be summed anew with each.
_SLIDING = 6
# Of a gap, so many windows are learned at least, and until so much should have come.
_LEAST_ATTENTION, _EXPECTED_IN_A_GAP = 18, 10.0


def _plus(one: Values, other: Values) -> Values:
    return tuple(a + b for a, b in zip(one, other, strict=True))
