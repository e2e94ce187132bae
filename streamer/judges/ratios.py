"""The ratios of one entity: how large a request is, what a token costs, what is not cached, what evaluation costs."""

import math
from collections.abc import Mapping, Sequence

from mypy_extensions import mypyc_attr

from detectors import CombinationBaseline, CombinationParams, RatioBaseline
from streamer.judges.ratio_state import ONE_BY_ONE, RATIOS, RatioName, RatiosConfig, RatiosState
from streamer.judges.slice import DIMENSIONS, Slice
from streamer.windows.shape import Shape
from streamer.windows.totals import Totals

_COMBINATION = CombinationParams(len(DIMENSIONS))
_BLOAT = frozenset({*ONE_BY_ONE, "growth"})
# Of what no slice is taken, what it was of late is told.
_NO_SLICES: tuple[RatioName, ...] = ("output", "overall")


def same(one: str, other: str) -> bool:
    """Tell whether two names are of one and the same ratio, or of parts of it.

    >>> same("growth", "size"), same("size", "price")
    (True, False)
    """
    return one == other or {one, other} <= _BLOAT


@mypyc_attr(acyclic=True)
class Ratios:
    """The baselines of an entity's ratios; those that it never has take no room."""

    __slots__ = ("_config", "_slice", "baselines", "combination", "found", "judged", "last")

    def __init__(self, config: RatiosConfig) -> None:
        self._config = config
        #: The number of the window in which a slice was judged last.
        self.judged = 0
        self._slice = Slice()
        self.baselines: dict[RatioName, RatioBaseline] = {}
        #: All ratios at once.
        self.combination = CombinationBaseline(_COMBINATION)
        #: The slice that was judged last.
        self.last = self._slice
        #: Its ratios.
        self.found: Mapping[RatioName, float] = {}

    @property
    def current(self) -> Slice:
        """The slice under way."""
        return self._slice

    def usual(self, name: RatioName) -> float:
        """Give the usual value of a ratio, 0 where none is known."""
        baseline = self.baselines.get(name)
        return baseline.expected if baseline and baseline.seen >= self._config.known else 0.0

    def expected(self, name: RatioName) -> float:
        """Give what is told as usual: of what goes in and comes out together, the size."""
        return self.baselines["size" if name == "overall" else name].expected

    def of_late(self, name: RatioName) -> float:
        """Give what is told as found of late, of what is learned as it comes."""
        return self.expected(name) * math.exp(self.baselines[name].deviation)

    def larger(self, tokens: float, requests: float, usd: float) -> bool:
        """Tell whether requests have more tokens than usual, or tokens a higher price, beyond what is normal."""
        # Sessions grow: what one begins with is less than what it usually has.
        size, price = self.usual("growth"), self.usual("price")
        return bool(
            (size and tokens > size * requests * self._config.params["size"].ratio)
            or (price and usd > price * tokens * self._config.params["price"].ratio)
        )

    def learn(self, totals: Totals, shapes: Sequence[Shape], number: int, minute: int) -> bool:
        """Take in window `number`; True if that filled a slice: enough units, and a minute (in windows)."""
        for shape in self._slice.add(totals, shapes):
            self._learn_new(shape)
        for shape in shapes:
            if shape.output is not None:
                self._baseline("output").learn_one(math.exp(shape.output), shape.requests)
        if self._slice.units < self._config.enough or number - self.judged < minute:
            return False
        found = self.found = self._slice.ratios()
        self.combination.learn_one(self._slice.point(found))
        for name, value in found.items():
            if name != "size":
                self._baseline(name).learn_one(value, self._slice.units)
        found |= {name: self.of_late(name) for name in _NO_SLICES if name in self.baselines}
        self.last, self._slice, self.judged = self._slice, self._slice.next(), number
        return True

    def _learn_new(self, shape: Shape) -> None:
        many = 1 if shape.session else shape.requests
        self._baseline("size").learn_one(math.exp(shape.size), many)
        if shape.output is not None:
            self._baseline("overall").learn_one(math.exp((shape.size + shape.output) / 2), many)

    def written(self) -> RatiosState:
        """Write the whole state down."""
        baselines = {name: self.baselines[name].snapshot() for name in RATIOS if name in self.baselines}
        return RatiosState(self.judged, self._slice.written(), baselines, self.combination.snapshot())

    def read(self, state: RatiosState) -> None:
        """Take up what `written` gave."""
        self.judged = state.judged
        self._slice.read(state.slice)
        self.combination.restore(state.combination)
        for name in RATIOS:
            if name in state.baselines:
                self._baseline(name).restore(state.baselines[name])

    def _baseline(self, name: RatioName) -> RatioBaseline:
        """Give a ratio's baseline, made where there is none yet."""
        baseline = self.baselines.get(name)
        if baseline is None:
            baseline = self.baselines[name] = RatioBaseline(self._config.params[name])
        return baseline
