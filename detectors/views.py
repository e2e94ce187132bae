"""One series seen in several ways: as it is, compressed, against its season, each smoothed, and by its spread."""

import math
from struct import Struct

from detectors.season import Period, SeasonMeans

_USUAL_SPAN, _SMALL, _NEGLIGIBLE = 300, 0.1, 1e-3


class Moments:
    """Mean and variance, exponentially weighted (Finch, 2009), each value with a weight of its own.

    River's `EWMean` and `EWVar` have one weight for all time, by which the first value outweighs those after it.
    """

    __slots__ = ("mean", "variance")

    def __init__(self) -> None:
        self.mean = self.variance = 0.0

    def learn_one(self, value: float, weight: float) -> None:
        """Learn one value; by the weights 1, 1/2, 1/3 ... the moments are the plain ones."""
        change = value - self.mean
        self.mean += weight * change
        self.variance = (1 - weight) * (self.variance + weight * change * change)


class SeriesViews:
    """The newest row as a list of views, each of which can leave its usual range.

    For each of `spans` (rows to smooth over; 1 is no smoothing): the value; its asinh, linear near zero and
    logarithmic beyond a tenth of the mean size, which shows what happens at the low end of a wide range; and its
    residual, against the most special season that knows this time of it, else against the last rows. The last view
    is the logarithm of the spread, NaN as long as all was zero. What is young is averaged plainly.
    """

    __slots__ = (
        "_least_rate",
        "_long",
        "_means",
        "_rates",
        "_scale_rate",
        "_seasons",
        "_short",
        "_spread_rate",
        "_usual",
        "_usual_rate",
        "rows",
        "scale",
    )

    def __init__(self, spans: tuple[int, ...], spread_span: int, periods: tuple[Period, ...], memory: int) -> None:
        self._rates = [1 / span for span in spans * 3]
        self._spread_rate, self._usual_rate, self._scale_rate = 1 / spread_span, 1 / _USUAL_SPAN, 1 / memory
        self._least_rate = min(self._rates)
        self._means = [0.0] * (3 * len(spans))
        self._seasons = [SeasonMeans(period) for period in periods]
        self._short, self._long, self._usual = Moments(), Moments(), 0.0
        self.rows = 0
        #: The mean size of the values so far.
        self.scale = 0.0

    def learn_one(self, at: float, value: float) -> list[float]:
        """Take in `value` at `at` (seconds) and give its views."""
        self.rows += 1
        young = 1 / self.rows
        slow = max(young, self._scale_rate)
        self.scale += slow * (abs(value) - self.scale)
        self._short.learn_one(value, max(young, self._spread_rate))
        self._long.learn_one(value, slow)
        residual = value - self._expected(at, value)
        self._usual += max(young, self._usual_rate) * (value - self._usual)
        self._smooth(value, self._compressed(value), residual)
        return [*self._means, self._spread()]

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        moments = (self._short.mean, self._short.variance, self._long.mean, self._long.variance)
        state = self._state.pack(self.rows, self.scale, self._usual, *moments, *self._means)
        return b"".join([state, *(season.snapshot() for season in self._seasons)])

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        short, long = self._short, self._long
        self.rows, self.scale, self._usual, *rest = self._state.unpack_from(snapshot)
        short.mean, short.variance, long.mean, long.variance, *self._means = rest
        begin = self._state.size
        for season in self._seasons:
            end = begin + len(season.snapshot())
            season.restore(snapshot[begin:end])
            begin = end

    @property
    def _state(self) -> Struct:
        return Struct(f"<Q{6 + len(self._means)}d")

    def _expected(self, at: float, value: float) -> float:
        expected = self._usual if self.rows > 1 else value
        for season in self._seasons:
            mean = season.learn_one(at, value)
            if not math.isnan(mean):
                expected = mean
        return expected

    def _smooth(self, value: float, compressed: float, residual: float) -> None:
        rates, young, third = self._rates, 1 / self.rows, len(self._rates) // 3
        if young > self._least_rate:
            rates = [max(young, rate) for rate in rates]
        seen = [value] * third + [compressed] * third + [residual] * third
        self._means = [mean + rate * (one - mean) for mean, rate, one in zip(self._means, rates, seen, strict=True)]

    def _compressed(self, value: float) -> float:
        unit = _SMALL * self.scale
        return math.asinh(value / unit) if unit > 0 else 0.0

    def _spread(self) -> float:
        floor = _SMALL * math.sqrt(self._long.variance) + _NEGLIGIBLE * self.scale
        deviation = math.sqrt(self._short.variance) + floor
        return math.log(deviation) if deviation > 0 else math.nan
