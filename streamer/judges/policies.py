"""What people said of earlier alarms: what is expected, what is planned, what was a false alarm."""

import math
from collections import OrderedDict

import msgspec

from streamer.judges.relation import contains
from streamer.records import Scope

# What was once called normal fades, so that a level which has long gone is not normal for ever.
_HALF_LIVES = {"expected": 7 * 86_400.0, "false_alarm": 30 * 86_400.0}
# How much stronger than what was excused an anomaly must be to be told.
_MARGIN = 1.2
# By how much a line differs from itself.
_SAME = 1.001
_MOST = 1000


class Tolerance(msgspec.Struct, array_like=True):
    """How strong an anomaly must be to be told, since `at`, in times of what is called abnormal without it."""

    strength: float
    at: float
    half_life: float

    def now(self, at: float) -> float:
        """Give what is left of it at `at` (epoch seconds), 1 or more."""
        left: float = 0.5 ** (max(0.0, at - self.at) / self.half_life)
        return 1 + (self.strength - 1) * left


class Plan(msgspec.Struct, array_like=True):
    """A part of the tenant in which nothing is told until `until` (epoch seconds)."""

    scope: Scope
    until: float


class WrittenPolicies(msgspec.Struct, array_like=True):
    """What is written down of `Policies`."""

    tolerances: list[tuple[str, Tolerance]] = []
    plans: list[Plan] = []


class Policies:
    """The tolerances of a tenant's series and its planned activities, each a bounded number.

    >>> policies = Policies()
    >>> policies.excuse("tenant=acme#requests", "false_alarm", score=0.6, at=0.0)
    >>> [policies.allows("tenant=acme#requests", Scope(), score, 1.0) for score in (0.6, 0.8)]
    [False, True]
    """

    def __init__(self) -> None:
        self._tolerances: OrderedDict[str, Tolerance] = OrderedDict()
        self._plans: list[Plan] = []

    def allows(self, series: str, scope: Scope, score: float, at: float) -> bool:
        """Tell whether an anomaly of `score` (0 to 1, 0.5 is where one begins) may be told at `at`."""
        if self.planned(scope, at) is not None:
            return False
        tolerance = self._tolerances.get(series)
        return tolerance is None or strength(score) >= tolerance.now(at)

    def excuse(self, series: str, verdict: str, score: float, at: float, most: float = 1.0) -> None:
        """Call an anomaly of `score` normal for its series from `at` on; what has a score of `most` is told anyway."""
        known = self._tolerances.pop(series, None)
        excused = max(strength(score) * _MARGIN, known.now(at) if known else 1.0)
        self._keep(series, Tolerance(min(excused, strength(most)), at, _HALF_LIVES[verdict]))

    def hold(self, series: str, score: float, at: float) -> None:
        """Call what stands at `score` normal for its series, but nothing stronger, until it is forgotten."""
        self._tolerances.pop(series, None)
        self._keep(series, Tolerance(strength(score) * _SAME, at, math.inf))

    def forget(self, series: str) -> None:
        """Take nothing of a series for normal any more."""
        self._tolerances.pop(series, None)

    def plan(self, scope: Scope, until: float, at: float) -> None:
        """Expect anything in `scope` until `until`; of the same scope the last word holds."""
        standing = [plan for plan in self._plans if plan.until > at and plan.scope != scope]
        self._plans = [*standing[-_MOST + 1 :], Plan(scope, until)]

    def planned(self, scope: Scope, at: float) -> float | None:
        """Give until when (epoch seconds) something in `scope` is planned at `at`, None where it is not."""
        return max((p.until for p in self._plans if at < p.until and contains(p.scope, scope)), default=None)

    def snapshot(self) -> WrittenPolicies:
        """Write everything down."""
        return WrittenPolicies(list(self._tolerances.items()), self._plans)

    def restore(self, written: WrittenPolicies) -> None:
        """Take up what `snapshot` gave."""
        self._tolerances, self._plans = OrderedDict(written.tolerances), written.plans

    def _keep(self, series: str, tolerance: Tolerance) -> None:
        self._tolerances[series] = tolerance
        if len(self._tolerances) > _MOST:
            self._tolerances.popitem(last=False)


def strength(score: float) -> float:
    """Give how strong an anomaly of `score` (0 to 1) is, in times of what is abnormal by itself."""
    return score / max(1 - score, 1e-9)
