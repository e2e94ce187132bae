"""A stream that has stopped: how long it must have been quiet for that to be certain."""

import math
import struct
from dataclasses import dataclass

from mypy_extensions import mypyc_attr

# seen, longest gap
_STATE = struct.Struct("<Qd")
# Of less a window nothing is ever certain.
_LEAST = 1e-9
# Pauses that are rarer than once in e ** 12 are none; but of the longest gap at least so many times.
_RARE, _LEAST_TIMES = 12.0, 1.25


@dataclass(frozen=True)
class SilenceParams:
    """When a gap counts as silence; all gates must be passed together.

    `least`, `most` and `warm_up` are in windows: no gap shorter than `least` is told, none can be expected where it
    would take longer than `most`, and nothing is told before `warm_up` windows held something. `expected` is how much
    should have come in the gap, and `margin` is against the longest gap seen, which fades by `kept` with each window
    that holds something. `evidence` is a logarithm of odds: where that much speaks for silence, less of a margin is
    enough, and the less the more gaps there were.
    """

    least: float = 3.0
    most: float = 720.0
    warm_up: int = 60
    expected: float = 20.0
    margin: float = 2.5
    kept: float = 0.9999
    evidence: float = 8.0


@mypyc_attr(acyclic=True)
class SilenceBaseline:
    """The longest gap of a stream, from which follows when its silence is certain.

    If arrivals were independent, 20 expected ones would fail to come once in 500 million times; that they are not is
    what the longest gap of late tells: were their tail exponential, the longest of n would be ln n times its scale, so
    that one of 12 / ln n times the longest comes once in e ** 12. Of few gaps that is more than of many.

    >>> silence = SilenceBaseline(SilenceParams(warm_up=2))
    >>> silence.learn_one(0), silence.learn_one(1)
    (None, None)
    >>> silence.certain_after(5.0), silence.certain_after(50.0)
    (4.0, 3.0)
    """

    __slots__ = ("_longest", "_seen", "params")

    def __init__(self, params: SilenceParams) -> None:
        self.params = params
        self._seen = 0
        self._longest = 0.0

    def certain_after(self, rate: float, odds: float = 0.0) -> float:
        """Give the number of windows after which silence is certain, at `rate` expected a window; infinite if never.

        `odds` is how much each empty window speaks for silence, as a logarithm, where the caller knows.
        """
        if not (0 <= rate < math.inf and 0 <= odds < math.inf):
            raise ValueError(f"a rate and odds must be finite numbers of 0 or more, not {rate}, {odds}")
        params = self.params
        if self._seen < params.warm_up:
            return math.inf
        by_gap = max(params.expected / rate, params.margin * self._longest) if rate > _LEAST else math.inf
        by_odds = max(params.evidence / odds, self._rare) if odds > _LEAST else math.inf
        needed = max(params.least, min(by_gap, by_odds))
        return needed if needed <= params.most else math.inf

    def learn_one(self, gap: float) -> None:
        """Learn a window that held something, and how many empty ones (0 or more) came before it."""
        if not 0 <= gap < math.inf:
            raise ValueError(f"a gap must be a finite number of windows of 0 or more, not {gap}")
        self._longest = max(self._longest * self.params.kept, gap)
        self._seen += 1

    @property
    def _rare(self) -> float:
        """A gap that is longer than the longest of so many is by chance."""
        return max(_LEAST_TIMES, _RARE / math.log(self._seen + 1)) * self._longest if self._seen else 0.0

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        return _STATE.pack(self._seen, self._longest)

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        self._seen, self._longest = _STATE.unpack(snapshot)
