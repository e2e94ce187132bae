"""A slice of an entity's traffic: what came since its ratios were judged last, session by session."""

import math
from collections.abc import Iterable, Mapping

from mypy_extensions import mypyc_attr

from streamer.judges.ratio_state import RatioName, WrittenSlice, WrittenUnit
from streamer.pricing.money import FEMTODOLLARS
from streamer.windows.shape import Shape
from streamer.windows.totals import Totals

# What makes a slice a point, in words.
DIMENSIONS = (
    "tokens a request",
    "dollars a token",
    "input that is not cached",
    "output for its input",
    "tool calls a request",
    "errors a request",
)
# Where there are so many that are known by name, it no longer matters that one counts twice.
_MOST_SESSIONS = 32


@mypyc_attr(acyclic=True)
class Unit:
    """Sums of logarithms over what hangs together: the windows of one session, or requests that name none."""

    __slots__ = ("price", "priced", "size", "sized")

    def __init__(self, sized: int = 0, size: float = 0.0, priced: int = 0, price: float = 0.0) -> None:
        self.sized, self.size, self.priced, self.price = sized, size, priced, price

    def add(self, shape: Shape, weight: int) -> None:
        """Take in what is said of one window."""
        self.sized += weight
        self.size += weight * shape.size
        price = shape.price
        if price is not None:
            self.priced += weight
            self.price += weight * price

    def written(self) -> WrittenUnit:
        """Write it down."""
        return self.sized, self.size, self.priced, self.price


@mypyc_attr(acyclic=True)
class Slice:
    """What came since the last slice was judged; money in dollars, as models take it.

    Sessions that the slice before had too are known from the first, and empty until they are heard of again.
    """

    __slots__ = (
        "cached",
        "calls",
        "errors",
        "evaluation",
        "input_tokens",
        "llm",
        "others",
        "output_tokens",
        "requests",
        "rest",
        "sessions",
    )

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.sessions: dict[str, Unit] = {session: Unit() for session in known}
        self.others = Unit()
        self.requests = self.calls = self.errors = self.input_tokens = self.output_tokens = self.cached = 0
        self.llm = self.evaluation = self.rest = 0.0

    @property
    def units(self) -> int:
        """How many sessions, and requests of none."""
        units = self.others.sized
        for unit in self.sessions.values():
            if unit.sized > 0:
                units += 1
        return units

    def next(self) -> "Slice":
        """Give the slice that follows this one."""
        return Slice([session for session, unit in self.sessions.items() if unit.sized])

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

    def ratios(self) -> dict[RatioName, float]:
        """Give the ratios that can be taken: of size and price the geometric mean over the units."""
        found: dict[RatioName, float] = {}
        sized, size, priced, price = self._sums()
        if sized:
            found["size"] = found["growth"] = math.exp(size / sized)
        if priced:
            found["price"] = math.exp(price / priced)
        if self.cached < self.input_tokens:
            found["uncached"] = 1 - self.cached / self.input_tokens
        if self.evaluation > 0 and self.rest > 0:
            found["evaluation"] = self.evaluation / self.rest
        return found

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

    def written(self) -> WrittenSlice:
        """Write it down."""
        sessions = {session: unit.written() for session, unit in self.sessions.items()}
        counts = self.requests, self.calls, self.errors, self.input_tokens, self.output_tokens, self.cached
        return sessions, self.others.written(), *counts, self.llm, self.evaluation, self.rest

    def read(self, written: WrittenSlice) -> None:
        """Take up what `written` gave."""
        sessions, others, *counts = written[:8]
        self.sessions = {session: Unit(*unit) for session, unit in sessions.items()}
        self.others = Unit(*others)
        self.requests, self.calls, self.errors, self.input_tokens, self.output_tokens, self.cached = counts
        self.llm, self.evaluation, self.rest = written[8:]

    def _sums(self) -> WrittenUnit:
        """Sum up the units, each session as one; of requests that name none each is one."""
        others = self.others
        sized, size, priced, price = 0, 0.0, 0, 0.0
        for unit in self.sessions.values():
            if unit.sized:
                sized += 1
                size += unit.size / unit.sized
            if unit.priced:
                priced += 1
                price += unit.price / unit.priced
        if others.sized:
            sized += others.sized
            size += others.size / others.sized * others.sized
        if others.priced:
            priced += others.priced
            price += others.price / others.priced * others.priced
        return sized, size, priced, price

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
