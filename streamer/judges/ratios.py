"""The ratios of one entity: how large a request is, what a token costs, what is not cached, what evaluation costs."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from detectors import CombinationBaseline, CombinationParams, RatioBaseline, RatioParams
from streamer.pricing.money import FEMTODOLLARS
from streamer.windows.shape import Shape
from streamer.windows.totals import Totals

RatioName = Literal["size", "output", "growth", "price", "uncached", "evaluation"]
#: `size` and `output` (the tokens that come out alone) are learned session by session, as they come; all others by
#: slices. `growth` is the size once more, with more patience and a lower gate: it sees what grows slowly, or not by
#: much, or within sessions.
RATIOS: tuple[RatioName, ...] = ("size", "output", "growth", "price", "uncached", "evaluation")
BY_SESSION: tuple[RatioName, ...] = ("size", "output")
_BLOAT = frozenset({*BY_SESSION, "growth"})
# What makes a slice a point, in words.
DIMENSIONS = (
    "tokens a request",
    "dollars a token",
    "input that is not cached",
    "output for its input",
    "tool calls a request",
    "errors a request",
)
_COMBINATION = CombinationParams(len(DIMENSIONS))


def same(one: str, other: str) -> bool:
    """Tell whether two names are of one and the same ratio, or of parts of it.

    >>> same("growth", "size"), same("size", "price")
    (True, False)
    """
    return one == other or {one, other} <= _BLOAT


class RatiosConfig(msgspec.Struct, frozen=True):
    """How a tenant's ratios are judged; `enough` units make a slice, and a ratio is known after `known` of them."""

    params: Mapping[RatioName, RatioParams]
    share: RatioParams
    enough: int
    known: int


class Unit(msgspec.Struct, array_like=True):
    """Sums of logarithms over what hangs together: the windows of one session, or requests that name none."""

    sized: int = 0
    size: float = 0.0
    priced: int = 0
    price: float = 0.0

    def add(self, shape: Shape, weight: int) -> None:
        """Take in what is said of one window."""
        self.sized += weight
        self.size += weight * shape.size
        if shape.price is not None:
            self.priced += weight
            self.price += weight * shape.price


class Slice(msgspec.Struct, array_like=True):
    """What came since the last slice was judged; money in dollars, as models take it.

    Sessions that the slice before had too are known from the first, and empty until they are heard of again.
    """

    sessions: dict[str, Unit] = {}
    others: Unit = msgspec.field(default_factory=Unit)
    requests: int = 0
    calls: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached: int = 0
    llm: float = 0.0
    evaluation: float = 0.0
    rest: float = 0.0

    @property
    def units(self) -> int:
        """How many sessions, and requests of none."""
        return sum(unit.sized > 0 for unit in self.sessions.values()) + self.others.sized

    def next(self) -> "Slice":
        """Give the slice that follows this one."""
        return Slice({session: Unit() for session, unit in self.sessions.items() if unit.sized})

    def add(self, totals: Totals, shapes: Iterable[Shape]) -> list[Shape]:
        """Take in a closed window; gives what is new in it: requests of no session, and sessions not heard of yet."""
        new = [shape for shape in shapes if self._place(shape)]
        usd = totals.usd_by_kind
        llm, evaluation = usd.get("llm", 0), usd.get("evaluation", 0)
        self.requests += totals.judged("requests")
        self.calls += totals.judged("tool_calls")
        self.errors += totals.errors
        self.input_tokens += totals.input_tokens
        self.output_tokens += totals.output_tokens
        self.cached += totals.cache_read_tokens
        self.llm += llm / FEMTODOLLARS
        self.evaluation += evaluation / FEMTODOLLARS
        self.rest += (totals.usd - evaluation) / FEMTODOLLARS
        return new

    def ratios(self) -> Iterator[tuple[RatioName, float]]:
        """Give the ratios that can be taken: of size and price the geometric mean over the units."""
        units = [*self.sessions.values(), self.others]
        if sized := sum(_weight(unit.sized, unit is self.others) for unit in units):
            size = sum(
                unit.size / unit.sized * _weight(unit.sized, unit is self.others) for unit in units if unit.sized
            )
            yield "size", math.exp(size / sized)
            yield "growth", math.exp(size / sized)
        if priced := sum(_weight(unit.priced, unit is self.others) for unit in units):
            price = sum(u.price / u.priced * _weight(u.priced, u is self.others) for u in units if u.priced)
            yield "price", math.exp(price / priced)
        if self.cached < self.input_tokens:
            yield "uncached", 1 - self.cached / self.input_tokens
        if self.evaluation > 0 and self.rest > 0:
            yield "evaluation", self.evaluation / self.rest

    def point(self, ratios: Mapping[RatioName, float]) -> tuple[float, ...]:
        """Give the slice as a point: logarithms of the ratios that `DIMENSIONS` names."""
        return (
            math.log(ratios["size"]) if "size" in ratios else 0.0,
            math.log(ratios["price"]) if "price" in ratios else 0.0,
            math.log(ratios.get("uncached", 0.0) + 0.05),
            math.log((self.output_tokens + 1) / (self.input_tokens + 1)),
            math.log((self.calls + 1) / (self.requests + 1)),
            math.log((self.errors + 1) / (self.requests + 10)),
        )

    def _place(self, shape: Shape) -> bool:
        """Put a shape where it belongs; tells whether it is new. Of what is not known by name nobody knows that."""
        known = self.sessions.get(shape.session)
        if known is not None:
            known.add(shape, shape.requests)
        elif shape.session and len(self.sessions) < _MOST_SESSIONS:
            self.sessions[shape.session] = Unit()
            self.sessions[shape.session].add(shape, shape.requests)
            return True
        else:
            self.others.add(shape, 1 if shape.session else shape.requests)
        return not shape.session


# Where there are so many that are known by name, it no longer matters that one counts twice.
_MOST_SESSIONS = 32


def _weight(held: int, many: bool) -> int:
    return held if many else min(held, 1)


class RatiosState(msgspec.Struct, array_like=True):
    """What is written down of `Ratios`: when it was last judged (a number of windows), the slice, the baselines."""

    judged: int
    slice: Slice
    baselines: dict[RatioName, bytes]
    combination: bytes


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

    def larger(self, tokens: float, requests: float, usd: float) -> bool:
        """Tell whether requests have more tokens than usual, or tokens a higher price, beyond what is normal."""
        # Sessions grow: what one begins with is less than what it usually has.
        size, price = self.usual("growth"), self.usual("price")
        return bool(
            (size and tokens > size * requests * self._config.params["size"].ratio)
            or (price and usd > price * tokens * self._config.params["price"].ratio)
        )

    def learn(self, totals: Totals, shapes: Iterable[Shape], number: int, minute: int) -> bool:
        """Take in window `number`; True if that filled a slice: enough units, and a minute (in windows)."""
        for shape in self._slice.add(totals, shapes):
            self._learn_new(shape)
        if self._slice.units < self._config.enough or number - self.judged < minute:
            return False
        found = self.found = dict(self._slice.ratios())
        self.combination.learn_one(self._slice.point(found))
        for name, value in found.items():
            if name not in BY_SESSION:
                self._baseline(name).learn_one(value, self._slice.units)
        if (output := self.baselines.get("output")) is not None:
            found["output"] = output.expected * math.exp(output.deviation)
        self.last, self._slice, self.judged = self._slice, self._slice.next(), number
        return True

    def _learn_new(self, shape: Shape) -> None:
        many = 1 if shape.session else shape.requests
        self._baseline("size").learn_one(math.exp(shape.size), many)
        if shape.output is not None:
            self._baseline("output").learn_one(math.exp(shape.output), many)

    def written(self) -> RatiosState:
        """Write the whole state down."""
        baselines = {name: self.baselines[name].snapshot() for name in RATIOS if name in self.baselines}
        return RatiosState(self.judged, self._slice, baselines, self.combination.snapshot())

    def read(self, state: RatiosState) -> None:
        """Take up what `written` gave."""
        self.judged, self._slice = state.judged, state.slice
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
