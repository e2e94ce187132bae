"""The baseline of a ratio, such as tokens per request: what is usual, and the evidence that it no longer holds."""

import math
import struct
from dataclasses import dataclass

from mypy_extensions import mypyc_attr

from detectors.evidence import Evidence

# seen, level, variance of one, trend, deviation, evidence
_STATE = struct.Struct("<Qddddd")


@dataclass(frozen=True)
class RatioParams:
    """When a ratio counts as changed.

    `half_life`, `warm_up` and `trend_half_life` are numbers of slices. `ratio` is how many times the usual value is
    still normal. `prior` is the variance of one thing that is taken for usual before one is learned, on the
    logarithmic scale, with the weight of `prior_weight` slices. `evidence` is a logarithm of odds: how much more likely
    the slices seen are after a change than before it; one slice brings no more than `most_of_one` of it. What lies
    further from the level than `robust`, on the logarithmic scale, moves it no more than that. `spreads` is how many
    deviations from the level are still normal; without it, what is normal ends at the gate. `newest` is the weight of
    a slice in the deviation that is told.
    """

    half_life: float = 720.0
    prior: float = 0.7
    prior_weight: int = 5
    warm_up: int = 10
    ratio: float = 2.0
    least_deviation: float = 0.1
    evidence: float = 8.0
    trend_half_life: float = 60.0
    most_of_one: float = 0.5
    robust: float = 0.3
    spreads: float | None = None
    newest: float = 1.0

    @property
    def gate(self) -> float:
        """The deviation, on the logarithmic scale, up to which a slice is normal."""
        return math.log(self.ratio)

    @property
    def fading(self) -> float:
        """The weight of one slice in level and spread."""
        return float(1 - 0.5 ** (1 / self.half_life))

    @property
    def trend_fading(self) -> float:
        """The weight of one slice in the trend."""
        return float(1 - 0.5 ** (1 / self.trend_half_life))


@mypyc_attr(acyclic=True)
class RatioBaseline(Evidence):
    """The usual value of a positive ratio, and a one-sided CUSUM (Page, 1954) on what lies above it.

    A slice is the ratio over `count` things, say the tokens per request of 20 requests. On the logarithmic scale its
    variance is taken for that of one thing, divided by their number, so that few and many can be weighed alike. The
    CUSUM sums the logarithm of the odds for a change beyond the gate; one slice alone never proves it. Abnormal slices
    are learned at the gate only.

    >>> tokens = RatioBaseline(RatioParams())
    >>> for _ in range(20):
    ...     tokens.learn_one(500.0, 20)
    >>> tokens.learn_one(2000.0, 20)
    >>> tokens.abnormal
    False
    >>> tokens.learn_one(2000.0, 20)
    >>> tokens.abnormal, tokens.expected < 600
    (True, True)
    """

    __slots__ = ("_level", "_trend", "_variance", "deviation", "params", "seen")

    def __init__(self, params: RatioParams) -> None:
        super().__init__(params.evidence)
        self.params = params
        self.seen = 0
        self._level = self._trend = 0.0
        self._variance = params.prior
        #: How far above the usual the last slices were, as a logarithm.
        self.deviation = 0.0

    @property
    def expected(self) -> float:
        """The usual value of the ratio; 0 before the first slice."""
        return math.exp(self._level) if self.seen else 0.0

    @property
    def slow(self) -> bool:
        """Whether the ratio has been rising for long: a good part of its deviation is an old one."""
        return self._trend > 0.35 * self.deviation

    def learn_one(self, value: float, count: float) -> None:
        """Judge, then learn a slice: its ratio (above 0), and over how many things it was taken."""
        if not (0 < value < math.inf and 0 < count < math.inf):
            raise ValueError(f"a ratio and its count must be finite numbers above 0, not {value} of {count}")
        params, at = self.params, math.log(value)
        if not self.seen:
            self._level = at
        above = at - self._level
        self.deviation += params.newest * (above - self.deviation)
        if self.seen >= params.warm_up:
            self._weigh(above, count)
        self._learn(above, count)
        self.seen += 1

    def forgive(self) -> None:
        """Take the ratio as it is now for the usual one; where it is lower already, nothing is to be forgiven."""
        self._level += max(0.0, self.deviation)
        self._trend = self.deviation = self.evidence = 0.0

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        return _STATE.pack(self.seen, self._level, self._variance, self._trend, self.deviation, self.evidence)

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        self.seen, self._level, self._variance, self._trend, self.deviation, self.evidence = _STATE.unpack(snapshot)

    def _weigh(self, above: float, count: float) -> None:
        params = self.params
        spread = self._variance / count + params.least_deviation**2
        self._add((above - params.gate) * params.gate / spread, params.most_of_one)

    def _learn(self, above: float, count: float) -> None:
        params = self.params
        low, high = self._normal(count)
        within = max(low, min(above, high))
        fading = max(params.fading, 1 / (self.seen + 1))
        # What is unusual moves the level by its sign only (Huber's location): else a slow rise takes it along.
        limit = params.robust if self.seen >= params.warm_up else _UNBOUND
        self._level += fading * max(-limit, min(within, limit))
        self._trend += params.trend_fading * (above - self._trend)
        if self.evidence < params.evidence / 2:
            fading = max(params.fading, 1 / (self.seen + params.prior_weight))
            self._variance += fading * (min(within * within * count, _WIDEST) - self._variance)

    def _normal(self, count: float) -> tuple[float, float]:
        """Give how far from the level, below and above, a slice is normal."""
        if self.params.spreads is None:
            return -2 * self.params.gate, self.params.gate
        reach = self.params.spreads * math.sqrt(self._variance / count)
        return -reach, reach


_UNBOUND = math.inf
# The variance of one thing, on the logarithmic scale, is taken for no more than this.
_WIDEST = 25.0
