"""The baseline of one rate: its level and spread, learned online, and the ceiling that follows from them."""

import math
import struct
from dataclasses import dataclass

from mypy_extensions import mypyc_attr

# What lies above the ceiling is so many deviations away for the spread, and no more.
_SPREADS = 1.5
# So many deviations on either side hold nineteen of twenty values.
_NINETEEN = 1.96
# How many values a level takes to be one that others can be far from.
_SETTLED = 3
# What exp() and floats can hold.
_LARGEST, _HUGE = 709.0, 1.7e308
# seen, level, variance, peak
_STATE = struct.Struct("<Qddd")
# How much further than its own gates a single burst may push the peak: it shall not hide the next one.
_PEAK_OF_A_BURST = 1.15


@dataclass(frozen=True)
class RateParams:
    """When a value counts as a burst; all gates must be passed together.

    `half_life`, `peak_half_life` and `warm_up` are numbers of values; `offset` and `excess` are in the metric's own
    unit: what small numbers are blurred by, and how far above the expected value a burst lies at least. `deviations`
    is in standard deviations of log(value + offset); before any is learned `prior` is taken for one, with the weight of
    `prior_weight` values. `ratio` is against the expected value, and `margin` is against the
    largest deviation seen of late.
    """

    half_life: float = 90.0
    warm_up: int = 30
    deviations: float = 3.7
    least_deviation: float = 0.2
    ratio: float = 3.0
    margin: float = 1.2
    peak_half_life: float = 8640.0
    prior: float = 0.35
    prior_weight: float = 5.0
    offset: float = 3.0
    excess: float = 0.0

    @property
    def fading(self) -> float:
        """The weight of one value in level and spread."""
        return float(1 - 0.5 ** (1 / self.half_life))

    @property
    def even(self) -> float:
        """How many values at first are weighted evenly."""
        return 1 / self.fading

    @property
    def peak_kept(self) -> float:
        """What is left of the peak after one value."""
        return float(0.5 ** (1 / self.peak_half_life))


@mypyc_attr(acyclic=True)
class RateBaseline:
    """Level and spread of a non-negative rate, on a logarithmic scale because spend has a heavy tail.

    Exponentially weighted mean and variance (Finch, "Incremental calculation of weighted mean and variance", 2009) of
    log(value + offset). Two things differ from river's `EWMean` and `EWVar`, which forget their first value as slowly
    as any other: the first values are weighted evenly, and what lies beyond the ceiling is learned at the ceiling
    only, so that a burst does not become normal within minutes, yet a lasting change of level does in time. The largest
    deviation seen, which fades, keeps a rate that often jumps from being called abnormal each time. Warming up, it
    calls nothing abnormal.

    >>> rate = RateBaseline(RateParams(warm_up=3))
    >>> for value in (100, 110, 90, 105):
    ...     rate.learn_one(value)
    >>> rate.ceiling > 300, rate.score_one(100) < 0.5 < rate.score_one(5000)
    (True, True)
    """

    __slots__ = ("_level", "_most", "_peak", "_variance", "ceiling", "expected", "params", "seen")

    def __init__(self, params: RateParams) -> None:
        self.params = params
        self.seen = 0
        self._level = math.log(params.offset)
        self._variance = params.prior**2
        self._peak = 0.0
        self._most = math.inf
        #: The value that the next window is expected to have (the centre of the baseline).
        self.expected = 0.0
        #: The value above which an open window is already abnormal; infinite while warming up.
        self.ceiling = math.inf

    @property
    def usual(self) -> tuple[float, float]:
        """From where to where nineteen of twenty values lie that are spread like those that were learned."""
        spread = max(math.sqrt(self._variance), self.params.least_deviation)
        low, high = self._at(-_NINETEEN * spread), self._at(_NINETEEN * spread)
        return max(0.0, low), min(high, self.ceiling)

    def score_one(self, value: float) -> float:
        """Score `value` from 0 to 1 without learning it; 0.5 is where the deviation is as large as is still normal."""
        _refuse(value)
        if self.seen < self.params.warm_up:
            return 0.0
        above = max(0.0, math.log(value + self.params.offset) - self._level)
        normal = math.log(min(self.ceiling, _HUGE) + self.params.offset) - self._level
        return above / (above + normal)

    def learn_one(self, value: float) -> None:
        """Learn one closed window; what lies above the ceiling is learned as the ceiling."""
        if not 0 <= value < math.inf:
            _refuse(value)
        params, seen, variance = self.params, self.seen, self._variance
        at = math.log((value if value <= self.ceiling else self.ceiling) + params.offset)
        if not seen:
            self._level = at
        above = at - self._level
        young = seen <= params.even
        fading = 1 / (seen + 1) if young else params.fading
        self._level += fading * above
        fading = 1 / (seen + 1 + params.prior_weight) if young else fading
        # The spread of what is normal is not that of a burst, or a minute of it would hide the next.
        within = above if value <= self.ceiling else min(above, _SPREADS * math.sqrt(variance))
        self._variance = (1 - fading) * (variance + fading * within * within)
        self._peak *= params.peak_kept
        if above > self._peak and seen >= _SETTLED:
            self._peak = max(self._peak, min(above, self._most))
        self.seen = seen + 1
        self._aim()

    def learn_silence(self, windows: int) -> None:
        """Learn so many windows in a row in which there was nothing."""
        while windows > 0 and self.seen <= self.params.even:
            self.learn_one(0.0)
            windows -= 1
        if windows > 0:
            # The same as so many steps, in one: each leaves the same share of what was before.
            params = self.params
            kept = (1 - params.fading) ** windows
            below = math.log(params.offset) - self._level
            self._level += (1 - kept) * below
            self._variance = kept * (self._variance + (1 - kept) * below * below)
            self._peak *= params.peak_kept**windows
            self.seen += windows
            self._aim()

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        return _STATE.pack(self.seen, self._level, self._variance, self._peak)

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        self.seen, self._level, self._variance, self._peak = _STATE.unpack(snapshot)
        self._most, self.expected, self.ceiling = math.inf, 0.0, math.inf
        if self.seen:
            self._aim()

    def _at(self, deviation: float) -> float:
        """Give the value that lies so far from the level."""
        return math.exp(min(self._level + deviation, _LARGEST)) - self.params.offset

    def _aim(self) -> None:
        params, level = self.params, self._level
        here = math.exp(level)
        self.expected = expected = here - params.offset if here > params.offset else 0.0
        spread = math.sqrt(self._variance)
        gates = params.deviations * (spread if spread > params.least_deviation else params.least_deviation)
        self._most = _PEAK_OF_A_BURST * max(gates, math.log((expected * params.ratio + params.offset) / here))
        if self.seen < params.warm_up:
            return
        peak = params.margin * self._peak
        reach = level + (peak if peak > gates else gates)
        self.ceiling = max(
            (math.exp(reach) if reach < _LARGEST else math.inf) - params.offset,
            expected * params.ratio,
            expected + params.excess,
        )


def _refuse(value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"a rate must be a finite number of 0 or more, not {value}")
