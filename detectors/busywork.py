"""Consumption that no outcomes follow: outcomes held against what was spent, at the usual price of one."""

import math
from collections.abc import Iterator
from itertools import accumulate

import msgspec

# Slices are judged as blocks of so many where the spread of outcomes is learned.
_BLOCK = 4
# So many outcomes' worth of the plain Poisson spread are taken for seen at the start.
_PRIOR = 10.0
# What is back to normal: of twelve expected outcomes, this share came.
_ENOUGH, _NORMAL = 12.0, 0.6
# After so many slices without any consumption nothing burns any more.
_QUIET = 8


class BusyworkParams(msgspec.Struct, frozen=True):
    """When too few outcomes came. Times are numbers of slices.

    Windows of up to `longest` slices are judged; an outcome follows its consumption within `lag`. It is an alarm where
    at least `expected` outcomes were to be expected, `ratio` times as many as came, and the evidence is above
    `evidence` (natural logarithm of the likelihood ratio, for each unit of the spread). Before `warm_up` outcomes are
    learned nothing is. `half_life` is that of what is learned; a slice counts at most `spike` times the usual one.
    """

    longest: int = 32
    lag: int = 4
    expected: float = 8.0
    ratio: float = 3.0
    evidence: float = 6.0
    warm_up: int = 30
    half_life: float = 48.0
    spike: float = 3.0


class BusyworkFinding(msgspec.Struct, frozen=True):
    """A window of the last `slices`: what was spent and came in it, and how sure it is that this is too little."""

    slices: int
    spent: int
    outcomes: int
    score: float


class _Slice(msgspec.Struct, array_like=True):
    """One slice; `counted` is what was spent, short of spikes. Spend is text where it is too large for a number."""

    spent: int | str
    counted: float
    outcomes: int
    suspect: bool


class _Learned(msgspec.Struct, array_like=True):
    """Fading sums: weight, spend and outcomes of slices; squared errors and expectation of blocks; the block now."""

    weight: float = 0.0
    spent: float = 0.0
    outcomes: float = 0.0
    squares: float = 0.0
    expected: float = 0.0
    block: tuple[int, float, int] = (0, 0.0, 0)


class _State(msgspec.Struct, array_like=True):
    slices: list[_Slice]
    learned: _Learned
    standing: bool
    fresh: int


class BusyworkDetector:
    """Outcomes against consumption, slice by slice; consumption is a whole number of the caller's unit.

    The usual number of outcomes per unit is learned as a fading ratio, so day and night, which change both alike, do
    not matter. Each new slice, all windows that end with it are judged by a scan statistic (Kulldorff, 1997, in one
    dimension): the log likelihood ratio of the outcomes that came under a Poisson law of any lower rate against the
    usual one, divided by the dispersion, which is learned from the slices' own errors (quasi-likelihood, McCullagh,
    1983). What is expected of a window is the least that any lag up to `lag` would have it be: the minimum of the
    consumption of the window as it is, and moved back slice by slice. So neither the first hour of a morning nor the
    last of an evening is an alarm, whatever the lag is. Slices are learned when they leave the longest window, so that
    what is being judged has no part in what is usual; those of an alarm do not count for the spread.

    river has no test of two streams against each other.

    >>> detector = BusyworkDetector(BusyworkParams(longest=4, lag=1, warm_up=5))
    >>> [detector.observe(100, 5) for _ in range(20)] == [None] * 20
    True
    >>> [finding.slices for _ in range(3) if (finding := detector.observe(100, 0))]
    [2, 3]
    """

    __slots__ = ("_fading", "_fresh", "_learned", "_slices", "params", "standing")

    def __init__(self, params: BusyworkParams) -> None:
        self.params = params
        self._fading = 0.5 ** (1 / params.half_life)
        self._slices: list[_Slice] = []
        self._learned = _Learned()
        # How many slices came since the last alarm was over: windows do not reach back behind that.
        self._fresh = 0
        #: Whether too few outcomes come; until enough of them have come again, or nothing is spent for a while.
        self.standing = False

    @property
    def usual(self) -> float:
        """What an outcome usually costs; 0 before any was learned."""
        learned = self._learned
        return learned.spent / learned.outcomes if learned.outcomes else 0.0

    def observe(self, spent: int, outcomes: int) -> BusyworkFinding | None:
        """Take in one closed slice; gives what is found to be too little, as long as it is."""
        if spent < 0 or outcomes < 0:
            raise ValueError(f"consumption and outcomes must be 0 or more, not {spent} and {outcomes}")
        self._slices.append(_Slice(spent, self._counted(spent), outcomes, self.standing))
        self._fresh = min(self._fresh + 1, self.params.longest)
        if self.standing and self._calm():
            self.standing, self._fresh = False, 0
        # Without consumption there is nothing new to expect an outcome of.
        ready = self._learned.outcomes >= self.params.warm_up and self.usual > 0
        finding = self._scan() if spent and ready else None
        if finding:
            self.standing = True
            for one in self._slices[-finding.slices :]:
                one.suspect = True
        self._forget()
        return finding

    def last(self, slices: int) -> tuple[int, int]:
        """Give what was spent and came in the last slices."""
        found = self._slices[-slices:]
        return sum(int(one.spent) for one in found), sum(one.outcomes for one in found)

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        slices = [
            one if int(one.spent) < 1 << 63 else _Slice(str(one.spent), one.counted, one.outcomes, one.suspect)
            for one in self._slices
        ]
        return msgspec.msgpack.encode(_State(slices, self._learned, self.standing, self._fresh))

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        state = msgspec.msgpack.decode(snapshot, type=_State)
        self._slices, self._learned = state.slices, state.learned
        self.standing, self._fresh = state.standing, state.fresh
        for one in self._slices:
            one.spent = int(one.spent)

    def _counted(self, spent: int) -> float:
        """Cut a spike, be it above the usual slice or, where all of the last ones are higher, above their middle."""
        learned = self._learned
        if not learned.weight:
            return float(spent)
        last = sorted([*(int(one.spent) for one in self._slices[-6:]), spent])
        most = self.params.spike * max(learned.spent / learned.weight, float(last[len(last) // 2]))
        return min(float(spent), most)

    def _scan(self) -> BusyworkFinding | None:
        best, found, threshold = 0.0, 0, self.params.evidence * self._dispersion()
        for slices, expected, outcomes in self._windows():
            if expected >= max(self.params.expected, self.params.ratio * outcomes):
                evidence = expected - outcomes + (outcomes * math.log(outcomes / expected) if outcomes else 0.0)
                if evidence > best:
                    best, found = evidence, slices
        if best < threshold:
            return None
        return BusyworkFinding(found, *self.last(found), best / (best + threshold))

    def _windows(self) -> Iterator[tuple[int, float, int]]:
        """Give length, expected and actual outcomes of the windows that end now, the shortest first."""
        sums = [0.0, *accumulate(one.counted for one in self._slices)]
        outcomes, usual = 0, self.usual
        for slices, one in enumerate(reversed(self._slices[len(self._slices) - self._fresh :]), start=1):
            outcomes += one.outcomes
            # Of what lies before the slices that are known nothing is expected.
            ends = range(len(sums) - 1, max(len(sums) - 2 - self.params.lag, -1), -1)
            yield slices, min(sums[end] - sums[max(end - slices, 0)] for end in ends) / usual, outcomes

    def _dispersion(self) -> float:
        """Give the variance of outcomes over that of a Poisson law, at least 1."""
        learned = self._learned
        return max(1.0, (learned.squares + _PRIOR) / (learned.expected + _PRIOR))

    def _calm(self) -> bool:
        """Tell whether the last outcomes are about as many as usual, or nothing is spent any more."""
        if not any(one.spent for one in self._slices[-_QUIET:]):
            return True
        counted, outcomes = 0.0, 0
        for one in reversed(self._slices):
            counted, outcomes = counted + one.counted, outcomes + one.outcomes
            if counted >= _ENOUGH * self.usual:
                return outcomes * self.usual >= _NORMAL * counted
        return False

    def _forget(self) -> None:
        """Learn the slice that leaves the longest window; keep those that lags reach back to."""
        longest, lag = self.params.longest, self.params.lag
        if len(self._slices) > longest:
            left = self._slices[-longest - 1]
            if left.spent or left.outcomes:
                self._learn(left)
        del self._slices[: -longest - lag]

    def _learn(self, one: _Slice) -> None:
        learned = self._learned
        if not one.suspect and learned.outcomes >= self.params.warm_up / 2:
            self._learn_error(one)
        learned.weight = learned.weight * self._fading + 1
        learned.spent = learned.spent * self._fading + one.counted
        learned.outcomes = learned.outcomes * self._fading + one.outcomes

    def _learn_error(self, one: _Slice) -> None:
        learned = self._learned
        count, counted, outcomes = learned.block
        learned.block = (count + 1, counted + one.counted, outcomes + one.outcomes)
        if count + 1 == _BLOCK:
            _, counted, outcomes = learned.block
            expected, fading = counted / self.usual if self.usual else 0.0, self._fading
            learned.squares = learned.squares * fading + (outcomes - expected) * (outcomes - expected)
            learned.expected = learned.expected * fading + expected
            learned.block = (0, 0.0, 0)
