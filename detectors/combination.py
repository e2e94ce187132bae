"""Several ratios at once: combinations that are unusual, though none of them is by itself."""

import struct
from dataclasses import dataclass

import numpy as np
from mypy_extensions import mypyc_attr
from numpy.typing import NDArray

from detectors.evidence import Evidence

# seen, evidence; then mean, covariance and parts
_HEAD = struct.Struct("<Qd")
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class CombinationParams:
    """When a combination counts as unusual.

    `distance` is the squared Mahalanobis distance, over all dimensions, up to which a point is normal; `evidence`
    is the sum of what lies above it, of which one point brings no more than `most_of_one`. `least_deviation` is in the
    unit of the points. `half_life` and `warm_up` are numbers of points.
    """

    dimensions: int
    distance: float = 40.0
    evidence: float = 60.0
    most_of_one: float = 0.35
    least_deviation: float = 0.15
    half_life: float = 360.0
    warm_up: int = 30


@mypyc_attr(acyclic=True)
class CombinationBaseline(Evidence):
    """The usual place and spread of a point, and a CUSUM of its squared Mahalanobis distance (Mahalanobis, 1936).

    Exponentially weighted mean and covariance. Half-space trees were left: they need values scaled to [0, 1], see next
    to nothing of a correlation between two of six dimensions, and take 240 times the memory (docs/decisions/0012).

    >>> usual = CombinationBaseline(CombinationParams(2))
    >>> for step in range(60):
    ...     usual.learn_one((step % 7, step % 7))
    >>> for _ in range(5):
    ...     usual.learn_one((0.0, 6.0))
    >>> usual.abnormal, usual.largest()
    (True, [1, 0])
    """

    __slots__ = ("_covariance", "_mean", "_parts", "params", "seen")

    def __init__(self, params: CombinationParams) -> None:
        super().__init__(params.evidence)
        self.params = params
        self.seen = 0
        self._mean: Vector = np.zeros(params.dimensions)
        self._covariance: Vector = np.zeros((params.dimensions, params.dimensions))
        self._parts: Vector = np.zeros(params.dimensions)

    def largest(self) -> list[int]:
        """Give the dimensions, those first that have the most of the last point's distance."""
        return [int(place) for place in np.argsort(-self._parts, kind="stable")]

    def learn_one(self, point: tuple[float, ...]) -> None:
        """Judge, then learn a point of finite numbers, one a dimension."""
        here = np.array(point, dtype=np.float64)
        if here.shape != self._mean.shape or not np.isfinite(here).all():
            raise ValueError(f"a point must be {self.params.dimensions} finite numbers, not {point}")
        if not self.seen:
            self._mean = here
        away = np.clip(here - self._mean, -_FURTHEST, _FURTHEST)
        if self.seen >= self.params.warm_up:
            away = self._weigh(away)
        fading = max(1 - 0.5 ** (1 / self.params.half_life), 1 / (self.seen + 1))
        self._mean = self._mean + fading * away
        self._covariance = (1 - fading) * (self._covariance + fading * np.outer(away, away))
        self.seen += 1

    def forgive(self) -> None:
        """Drop the evidence: the combination was wanted."""
        self.evidence = 0.0

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        head = _HEAD.pack(self.seen, self.evidence)
        return head + self._mean.tobytes() + self._covariance.tobytes() + self._parts.tobytes()

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        self.seen, self.evidence = _HEAD.unpack_from(snapshot)
        size = self.params.dimensions
        numbers = np.frombuffer(snapshot, offset=_HEAD.size)
        self._mean, self._parts = numbers[:size].copy(), numbers[-size:].copy()
        self._covariance = numbers[size:-size].reshape(size, size).copy()

    def _weigh(self, away: Vector) -> Vector:
        """Weigh a point's distance; give what is to be learned of it: no more than what is normal."""
        params = self.params
        spread = self._covariance + params.least_deviation**2 * np.eye(params.dimensions)
        self._parts = away * np.linalg.solve(spread, away)
        distance = float(self._parts.sum())
        self._add(distance - params.distance, params.most_of_one)
        return away * min(1.0, (params.distance / distance) ** 0.5) if distance > params.distance else away


# Beyond this, in the unit of the points (logarithms), a point is not further away.
_FURTHEST = 10.0
