"""Arrivals that come more often than usual: how often things begin, judged one by one as they come."""

import math
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

from mypy_extensions import mypyc_attr

from detectors.dispersion import Dispersion, DispersionParams
from detectors.evidence import Evidence

# windows seen, arrivals and cost, faded alike; arrivals in all; evidence; the run
_STATE = Struct("<10d")
# More than so many are counted as so many, so that sums stay finite.
_MOST = 1e12
# So many times what suffices is sure.
_SURE = 1.9


@dataclass(frozen=True)
class SurgeParams:
    """When arrivals count as a surge; all gates must be passed together.

    `half_life` and `warm_up` are numbers of windows. `times` is how many times the usual rate is tested against it,
    `evidence` is the logarithm of the odds that suffices, of which one window brings no more than `most_of_one`.
    `ratio` is against what was expected since the surge began, or `sure_ratio` where the evidence is nearly twice what
    suffices, which is the most that is kept of it; `excess` is how many arrivals above that there are at least.
    Nothing is judged before `least` arrivals. What is learned of a window is no more than `learned` times the expected,
    and what chance adds to it, while a surge is being weighed, and twice that otherwise.
    """

    half_life: float = 360.0
    warm_up: int = 30
    least: float = 10.0
    times: float = 3.0
    evidence: float = 7.5
    most_of_one: float = 0.5
    ratio: float = 2.5
    sure_ratio: float = 2.0
    excess: float = 6.0
    learned: float = 2.0
    dispersion: DispersionParams = field(default_factory=DispersionParams)

    @property
    def kept(self) -> float:
        """What is left of a window after the next."""
        return float(0.5 ** (1 / self.half_life))

    @property
    def gain(self) -> float:
        """What one arrival adds to the evidence, before dispersion."""
        return math.log(self.times)


class Run(NamedTuple):
    """What came since the evidence began to grow: over so many windows; cost is in the caller's unit.

    `dispersion` is the most that the stream had shown before: a surge shall not excuse itself.
    """

    windows: float = 0.0
    observed: float = 0.0
    expected: float = 0.0
    cost: float = 0.0
    dispersion: float = 1.0


@mypyc_attr(acyclic=True)
class SurgeBaseline(Evidence):
    """The usual rate of arrivals, such as sessions that begin, and a one-sided CUSUM (Page, 1954) of those that come.

    Each window adds the logarithm of the odds of its arrivals at `times` the usual rate against the usual one, as of a
    Poisson process, divided by the dispersion that the stream has shown over spans as long as what is weighed: a
    minute, five, or thirty. So it weighs what chance and the stream's own swings explain. A large stream is known
    within a window or two, a thin one when enough has come; neither needs a window of a certain length. What the usual
    rate may be, after as little as was seen, is on the high side.

    >>> surge = SurgeBaseline(SurgeParams())
    >>> for window in range(200):
    ...     surge.learn_one(window % 2)
    >>> for _ in range(6):
    ...     surge.learn_one(5)
    >>> surge.abnormal, surge.run.windows <= 7, surge.run.observed >= 25
    (True, True, True)
    """

    __slots__ = ("_cost", "_count", "_dispersion", "_run", "_seen", "_total", "params")

    def __init__(self, params: SurgeParams) -> None:
        super().__init__(params.evidence)
        self.params = params
        self._seen = self._count = self._cost = self._total = 0.0
        self._run = Run()
        self._dispersion = Dispersion(params.dispersion)

    @property
    def abnormal(self) -> bool:
        """Whether the surge is proven."""
        params, run = self.params, self._run
        enough = self.evidence >= params.evidence and run.observed - run.expected >= params.excess
        return enough and run.observed >= self.ratio * run.expected

    @property
    def ratio(self) -> float:
        """How many times the expected arrivals there have to be, by the evidence there is."""
        return self.params.sure_ratio if self.evidence >= _SURE * self.params.evidence else self.params.ratio

    @property
    def expected(self) -> float:
        """How many arrivals a window may be expected to have, on the high side; 0 before any were seen."""
        return (self._count + math.sqrt(self._count) + 1) / self._seen if self._seen else 0.0

    @property
    def missed(self) -> float:
        """What an empty window says for silence, as a logarithm: from the arrivals that it lacks, on the low side.

        Of counts that swing more than chance, by a dispersion d around the mean m, as the negative binomial ones do,
        one in d ** (m / (d - 1)) is 0.
        """
        if not self._ready:
            return 0.0
        lacking = max(0.0, self._count - math.sqrt(self._count + 1)) / self._seen
        dispersion = self._dispersion.value
        return lacking * math.log(dispersion) / (dispersion - 1)

    @property
    def usual_cost(self) -> float:
        """What a window usually costs, in the caller's unit."""
        return self._cost / self._seen if self._seen else 0.0

    @property
    def run(self) -> Run:
        """What came since the evidence began to grow."""
        return self._run

    def learn_one(self, count: float, cost: float = 0.0) -> None:
        """Judge, then learn a window: how many arrivals (0 or more) it held, and what all it held cost."""
        if not (0 <= count < math.inf and 0 <= cost < math.inf):
            raise ValueError(f"arrivals and their cost must be finite numbers of 0 or more, not {count}, {cost}")
        count, cost, expected, learned = min(count, _MOST), min(cost, _MOST), self.expected, 1.0
        if self._ready:
            self._weigh(count, cost, expected)
            learned = self._share(count, expected)
            self._dispersion.learn_one(count, expected)
        kept = self.params.kept
        self._count = self._count * kept + count * learned
        self._cost = self._cost * kept + cost * learned
        self._seen = self._seen * kept + 1
        self._total += count

    def pass_over(self, windows: int) -> None:
        """Judge, then learn so many windows in a row that held nothing: the same as so many steps, nearly."""
        if windows <= 0 or not self._seen:
            return
        if self._ready:
            expected, run = self.expected, self._run
            self.evidence = self.after(windows)
            self._run = run._replace(windows=run.windows + windows, expected=run.expected + windows * expected)
            self._dispersion.pass_over(windows, expected)
        kept = self.params.kept**windows
        self._count, self._cost = self._count * kept, self._cost * kept
        self._seen = self._seen * kept + (1 - kept) / (1 - self.params.kept)

    def after(self, windows: int) -> float:
        """Give what would be left of the evidence after so many windows without arrivals."""
        against = windows * self.expected * (self.params.times - 1)
        return max(0.0, self._stretched(windows) - against / self._swing(self._run.windows + windows))

    def swing(self, windows: float) -> float:
        """Give how much more than chance the stream swings over so many windows."""
        return self._dispersion.over(windows)

    def forgive(self) -> None:
        """Take the rate of the run for the usual one; where it is higher already, nothing is to be forgiven."""
        run = self._run
        if run.windows > 0:
            self._count = max(self._count, self._seen * run.observed / run.windows)
            self._cost = max(self._cost, self._seen * run.cost / run.windows)
        self.evidence = 0.0

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        head = _STATE.pack(self._seen, self._count, self._cost, self._total, self.evidence, *self._run)
        return head + self._dispersion.snapshot()

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote, by one of the same parameters."""
        head = _STATE.unpack_from(snapshot)
        self._seen, self._count, self._cost, self._total, self.evidence = head[:5]
        self._run = Run(*head[5:])
        self._dispersion.restore(snapshot[_STATE.size :])

    @property
    def _ready(self) -> bool:
        return self._seen >= self.params.warm_up and self._total >= self.params.least

    def _weigh(self, count: float, cost: float, expected: float) -> None:
        params = self.params
        if self.evidence <= 0:
            self._run = Run(dispersion=self._dispersion.value)
        run = self._run
        self.evidence = self._stretched(1)
        odds = count * params.gain - expected * (params.times - 1)
        self._add(odds / self._swing(run[0] + 1), params.most_of_one)
        self._run = Run(run[0] + 1, run[1] + count, run[2] + expected, run[3] + cost, run[4])

    def _swing(self, windows: float) -> float:
        """Give the dispersion that a run of so many windows is held against."""
        return min(self._run.dispersion, self._dispersion.over(windows))

    def _stretched(self, windows: int) -> float:
        """Give what the evidence of the run is worth when it lasts so many windows more."""
        if self.evidence <= 0:
            return 0.0
        lasted = self._run.windows
        return self.evidence * self._swing(lasted) / self._swing(lasted + windows)

    def _share(self, count: float, expected: float) -> float:
        """Give the part of a window that is learned: a surge shall not become usual while it is being weighed."""
        # What chance or a cluster brings is no surge, and is learned in full.
        learned, chance = self.params.learned * expected, self._dispersion.value
        weighed = self.evidence > self.params.evidence / 4
        most = learned + chance if weighed else max(2 * learned, expected + 4 * chance)
        return min(1.0, most / count) if count else 1.0
