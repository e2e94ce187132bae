"""The baseline of one rate: its level and spread, learned online, and the ceiling that follows from them."""

import math
import struct

import msgspec
from river import stats

# count, then the lengths of the two river states
_HEAD = struct.Struct("<QHH")


class RateParams(msgspec.Struct, frozen=True):
    """When a window counts as a burst; all three gates must be passed together.

    `half_life` and `warm_up` are numbers of windows; `deviations` is in standard deviations of log(1 + value);
    `ratio` is against the expected value; `excess` is in the metric's own unit, above the expected value.
    """

    half_life: float = 90.0
    warm_up: int = 30
    deviations: float = 6.0
    least_deviation: float = 0.2
    ratio: float = 4.0
    excess: float = 0.0


class RateBaseline:
    """Level and spread of a non-negative rate, on a logarithmic scale because spend has a heavy tail.

    Exponentially weighted mean and variance (river's `EWMean` and `EWVar`, after Finch, 2009) of log(1 + value),
    one value a window. Anomalous values are learned at the ceiling only, so that a burst does not become normal
    within minutes, yet a lasting change of level does in time. Warming up, it calls nothing abnormal.

    >>> rate = RateBaseline(RateParams(warm_up=3))
    >>> for value in (100, 110, 90, 105):
    ...     rate.learn_one(value)
    >>> rate.ceiling > 400, rate.score_one(100) < 0.5 < rate.score_one(5000)
    (True, True)
    """

    __slots__ = ("_mean", "_variance", "ceiling", "expected", "params", "seen")

    def __init__(self, params: RateParams) -> None:
        self.params = params
        self.seen = 0
        #: The value that the next window is expected to have (the centre of the baseline).
        self.expected = 0.0
        #: The value above which an open window is already abnormal; infinite while warming up.
        self.ceiling = math.inf
        fading = 1 - 0.5 ** (1 / params.half_life)
        self._mean = stats.EWMean(fading)
        self._variance = stats.EWVar(fading)

    def score_one(self, value: float) -> float:
        """Score `value` from 0 to 1 without learning it; 0.5 lies `params.deviations` above the baseline."""
        _refuse(value)
        if self.seen < self.params.warm_up:
            return 0.0
        above = max(0.0, (math.log1p(value) - self._mean.get()) / self._deviation())
        return above / (above + self.params.deviations)

    def learn_one(self, value: float) -> None:
        """Learn one closed window; what lies above the ceiling is learned as the ceiling."""
        _refuse(value)
        level = math.log1p(min(value, self.ceiling))
        self._mean.update(level)
        self._variance.update(level)
        self.seen += 1
        self._aim()

    def learn_silence(self, windows: int) -> None:
        """Learn so many windows in a row in which there was nothing."""
        for _ in range(windows):
            self._mean.update(0.0)
            self._variance.update(0.0)
        self.seen += windows
        if windows:
            self._aim()

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        mean, variance = self._mean._ewmean.__getstate__(), self._variance._ewvar.__getstate__()
        return _HEAD.pack(self.seen, len(mean), len(variance)) + mean + variance

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        self.seen, mean, variance = _HEAD.unpack_from(snapshot)
        self._mean._ewmean.__setstate__(snapshot[_HEAD.size : _HEAD.size + mean])
        self._variance._ewvar.__setstate__(snapshot[_HEAD.size + mean : _HEAD.size + mean + variance])
        self.expected, self.ceiling = 0.0, math.inf
        if self.seen:
            self._aim()

    def _aim(self) -> None:
        mean, params = self._mean.get(), self.params
        expected = self.expected = max(0.0, math.expm1(mean))
        if self.seen >= params.warm_up:
            spread = math.expm1(min(mean + params.deviations * self._deviation(), 700.0))
            self.ceiling = max(spread, expected * params.ratio, expected + params.excess)

    def _deviation(self) -> float:
        # Rounding can leave a variance a hair below zero when all values are equal.
        return max(math.sqrt(max(0.0, self._variance.get())), self.params.least_deviation)


def _refuse(value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"a rate must be a finite number of 0 or more, not {value}")
