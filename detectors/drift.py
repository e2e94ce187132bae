"""A slow rise that no threshold crosses: a level held against what it should be."""

import math
import struct
from dataclasses import dataclass

from mypy_extensions import mypyc_attr

from detectors.evidence import Evidence

# One slice brings no more than this share of the evidence that suffices.
_MOST_OF_ONE = 0.3
# seen, variance, evidence, deviation, forgiven
_STATE = struct.Struct("<Qdddd")
# What is forgiven fades in so many half-lives: by then the reference has come along.
_FORGIVEN = 8.0


@dataclass(frozen=True)
class DriftParams:
    """When a level counts as risen.

    `ratio` is how many times its reference is still normal; `offset`, in the metric's unit, blurs small numbers;
    `evidence` is a logarithm of odds; `prior` is the deviation that is taken for usual before one is learned, with the
    weight of `prior_weight` slices, and `half_life` is a number of slices.
    """

    ratio: float = 1.6
    offset: float = 15.0
    evidence: float = 8.0
    prior: float = 0.35
    prior_weight: float = 12.0
    least_deviation: float = 0.15
    half_life: float = 200.0


@mypyc_attr(acyclic=True)
class DriftDetector(Evidence):
    """A one-sided CUSUM (Page, 1954) of a level over its reference, such as the same hour of the days before.

    What is usual between the two is learned; the reference is the caller's, and must not follow the rise.

    >>> drift = DriftDetector(DriftParams())
    >>> for _ in range(40):
    ...     drift.learn_one(105.0, 100.0)
    >>> for slice in range(8):
    ...     drift.learn_one(250.0, 100.0)
    >>> drift.abnormal
    True
    """

    __slots__ = ("_forgiven", "_seen", "_variance", "deviation", "params")

    def __init__(self, params: DriftParams) -> None:
        super().__init__(params.evidence)
        self.params = params
        self._seen = 0
        self._variance = params.prior**2
        #: How far above its reference, and what was forgiven, the last slice was, as a logarithm.
        self.deviation = self._forgiven = 0.0

    def learn_one(self, value: float, reference: float) -> None:
        """Judge, then learn one slice's level and what it is held against (both 0 or more)."""
        if not (0 <= value < math.inf and 0 <= reference < math.inf):
            raise ValueError(f"a level and its reference must be finite numbers of 0 or more, not {value}, {reference}")
        params = self.params
        gate = math.log(params.ratio)
        self._forgiven *= 0.5 ** (1 / (_FORGIVEN * params.half_life))
        self.deviation = math.log(value + params.offset) - math.log(reference + params.offset) - self._forgiven
        spread = max(self._variance, params.least_deviation**2)
        self._add((self.deviation - gate) * gate / spread, _MOST_OF_ONE)
        within = max(-2.0, min(self.deviation, 2.0))
        fading = max(1 - 0.5 ** (1 / params.half_life), 1 / (params.prior_weight + self._seen))
        if self.evidence < params.evidence / 2:
            self._variance += fading * (within * within - self._variance)
        self._seen += 1

    def forgive(self) -> None:
        """Take the level as it is now for the usual one, until the reference has come along: the rise was wanted."""
        self._forgiven += max(0.0, self.deviation)
        self.deviation = self.evidence = 0.0

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        return _STATE.pack(self._seen, self._variance, self.evidence, self.deviation, self._forgiven)

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        self._seen, self._variance, self.evidence, self.deviation, self._forgiven = _STATE.unpack(snapshot)
