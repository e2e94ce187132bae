"""Consumption that no outcomes follow: outcomes held against what was spent, at the usual price of one."""

import math
from collections.abc import Iterable, Iterator
from itertools import accumulate

import msgspec

# Slices are judged as blocks of so many where the spread of outcomes is learned.
_BLOCK = 4
# So many outcomes' worth of twice the plain Poisson spread are taken for seen at the start.
_PRIOR, _RAGGED = 10.0, 2.0
# What is back to normal: of twelve expected outcomes, this share came.
_ENOUGH, _NORMAL = 12.0, 0.6
# Where so much of what was expected since an alarm began has come in the end, nothing was missing.
_MADE_UP = 0.8
# More than so many outcomes are never expected, so that sums stay finite.
_MOST = 1e12
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
    1983). What is usual is told by all that came before the window, so that a first hour can be held against the next,
    and as few outcomes as are known by then tell less than many. What is expected of a window is the least that any lag
    up to `lag` would have it be: the minimum of the consumption of the window as it is, and moved back slice by slice.
    So neither the first hour of a morning nor the last of an evening is an alarm, whatever the lag is. Slices fade from
    when they leave the longest window on; until then those of an alarm have no part in what is usual, and one in the
    spread only where all that was missing came later.

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
        """What an outcome usually costs, by all that no alarm is about; 0 before any came."""
        spent, outcomes = self._before()[-1]
        return spent / outcomes if outcomes else 0.0

    def observe(self, spent: int, outcomes: int) -> BusyworkFinding | None:
        """Take in one closed slice; gives what is found to be too little, as long as it is."""
        if spent < 0 or outcomes < 0:
            raise ValueError(f"consumption and outcomes must be 0 or more, not {spent} and {outcomes}")
        self._slices.append(_Slice(spent, self._counted(spent), outcomes, self.standing))
        self._fresh = min(self._fresh + 1, self.params.longest)
        if self.standing and self._calm():
            self.standing, self._fresh = False, 0
            self._make_up()
        self._leave(self._slices[-self.params.longest - 1 : -self.params.longest])
        # Without consumption there is nothing new to expect an outcome of.
        finding = self._scan() if spent else None
        if finding:
            self.standing = True
            for one in self._slices[-finding.slices :]:
                one.suspect = True
        return finding

    def pass_over(self, slices: int) -> None:
        """Take in so many slices without anything, as `observe(0, 0)` would one by one, while no alarm stands.

        >>> detector, patient = (BusyworkDetector(BusyworkParams(longest=4, lag=1)) for _ in range(2))
        >>> detector.observe(100, 5), patient.observe(100, 5)
        (None, None)
        >>> _ = detector.pass_over(9), [patient.observe(0, 0) for _ in range(9)]
        >>> detector.snapshot() == patient.snapshot()
        True
        """
        longest, before = self.params.longest, len(self._slices)
        self._slices += [_Slice(0, 0.0, 0, False) for _ in range(slices)]
        self._fresh = min(self._fresh + slices, longest)
        self._leave(self._slices[max(0, before - longest) : max(0, before + slices - longest)])

    def bears_out(self, slices: int) -> bool:
        """Tell whether so many slices lack outcomes by their number alone, whatever that is worth as evidence."""
        window = next((one for one in self._windows() if one[0] == slices), None)
        spent, known = self._before()[-1 - slices] if window else (0.0, 0.0)
        return window is not None and spent > 0 and self._too_few(window[1], window[2] * known / spent)

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
        if not spent:
            return 0.0
        learned = self._learned
        last = sorted([*(int(one.spent) for one in self._slices[-6:]), spent])
        usual = max(learned.spent / learned.weight if learned.weight else 0.0, float(last[len(last) // 2]))
        return min(float(spent), self.params.spike * usual) if usual else float(spent)

    def _scan(self) -> BusyworkFinding | None:
        best, found, before = 0.0, 0, self._before()
        threshold = self.params.evidence * self._dispersion()
        for slices, outcomes, counted in self._windows():
            spent, known = before[-1 - slices]
            if known < self.params.warm_up or spent <= 0:
                continue
            expected = min(counted * known / spent, _MOST)
            if self._too_few(outcomes, expected):
                evidence = _evidence(outcomes, expected, known)
                if evidence > best:
                    best, found = evidence, slices
        if best < threshold:
            return None
        return BusyworkFinding(found, *self.last(found), best / (best + threshold))

    def _too_few(self, outcomes: int, expected: float) -> bool:
        return expected >= max(self.params.expected, self.params.ratio * outcomes)

    def _windows(self) -> Iterator[tuple[int, int, float]]:
        """Give length, outcomes, and what counts as spent, of the windows that end now, the shortest first."""
        sums = [0.0, *accumulate(one.counted for one in self._slices)]
        outcomes = 0
        for slices, one in enumerate(reversed(self._slices[len(self._slices) - self._fresh :]), start=1):
            outcomes += one.outcomes
            # Of what lies before the slices that are known nothing is expected.
            ends = range(len(sums) - 1, max(len(sums) - 2 - self.params.lag, -1), -1)
            yield slices, outcomes, min(sums[end] - sums[max(end - slices, 0)] for end in ends)

    def _before(self) -> list[tuple[float, float]]:
        """Sum up spend and outcomes before each slice and after the last, but for alarms that are not learned yet."""
        found, young = [(self._learned.spent, self._learned.outcomes)], len(self._slices) - self.params.longest
        for place, one in enumerate(self._slices):
            spent, outcomes = found[-1]
            counts = place >= young and not one.suspect
            found.append((spent + float(one.spent), outcomes + one.outcomes) if counts else found[-1])
        return found

    def _dispersion(self) -> float:
        """Give the variance of outcomes over that of a Poisson law, at least 1."""
        learned = self._learned
        return max(1.0, (learned.squares + _PRIOR * _RAGGED) / (learned.expected + _PRIOR))

    def _calm(self) -> bool:
        """Tell whether the last outcomes are about as many as usual, or nothing is spent any more."""
        if not any(one.spent for one in self._slices[-_QUIET:]):
            return True
        counted, outcomes, usual = 0.0, 0, self.usual
        for one in reversed(self._slices):
            counted, outcomes = counted + one.counted, outcomes + one.outcomes
            if counted >= _ENOUGH * usual:
                return outcomes * usual >= _NORMAL * counted
        return False

    def _make_up(self) -> None:
        """Let an alarm teach the spread after all where its outcomes were only late: some come once a day."""
        first = next((place for place, one in enumerate(self._slices) if one.suspect), len(self._slices))
        since = self._slices[first:]
        if sum(one.outcomes for one in since) * self.usual >= _MADE_UP * sum(one.counted for one in since):
            for one in since:
                one.suspect = False

    def _leave(self, left: Iterable[_Slice]) -> None:
        """Learn the slices that leave the longest window; keep those that lags reach back to."""
        for one in left:
            if one.spent or one.outcomes:
                self._learn(one)
        del self._slices[: -self.params.longest - self.params.lag]

    def _learn(self, one: _Slice) -> None:
        learned = self._learned
        if not one.suspect and learned.outcomes >= self.params.warm_up / 2:
            self._learn_error(one)
        learned.weight = learned.weight * self._fading + 1
        learned.spent = learned.spent * self._fading + float(one.spent)
        learned.outcomes = learned.outcomes * self._fading + one.outcomes

    def _learn_error(self, one: _Slice) -> None:
        learned = self._learned
        count, counted, outcomes = learned.block
        learned.block = (count + 1, counted + one.counted, outcomes + one.outcomes)
        if count + 1 == _BLOCK:
            _, counted, outcomes = learned.block
            expected, fading = counted * learned.outcomes / learned.spent if learned.spent else 0.0, self._fading
            learned.squares = learned.squares * fading + (outcomes - expected) * (outcomes - expected)
            learned.expected = learned.expected * fading + expected
            learned.block = (0, 0.0, 0)


def _evidence(outcomes: int, expected: float, known: float) -> float:
    """Give the logarithm of the odds that outcomes are fewer than `expected`, by a rate that `known` of them told.

    The likelihood ratio of two Poisson rates, of which neither is certain (Przyborowski and Wilenski, 1940).
    """
    share = expected / known
    both = (outcomes + known) / (1 + share)
    few = outcomes * math.log(outcomes / (both * share)) if outcomes else 0.0
    return few + known * math.log(known / both)
