"""The ratios of one entity: how large a request is, what a token costs, what is not cached, what evaluation costs."""

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from detectors import RatioBaseline, RatioParams
from streamer.pricing.money import FEMTODOLLARS
from streamer.windows.totals import Totals

RatioName = Literal["size", "price", "uncached", "evaluation"]
RATIOS: tuple[RatioName, ...] = ("size", "price", "uncached", "evaluation")


class RatiosConfig(msgspec.Struct, frozen=True):
    """How a tenant's ratios are judged; `enough` is how many requests make a slice."""

    params: Mapping[RatioName, RatioParams]
    share: RatioParams
    enough: int


class Slice(msgspec.Struct, array_like=True):
    """Sums since the last slice was judged; money in dollars, as models take it."""

    requests: int = 0
    tokens: int = 0
    input_tokens: int = 0
    cached: int = 0
    llm: float = 0.0
    evaluation: float = 0.0
    others: float = 0.0

    def add(self, totals: Totals, requests: int) -> None:
        """Take in a closed window."""
        usd = totals.usd_by_kind
        llm, evaluation = usd.get("llm", 0), usd.get("evaluation", 0)
        self.requests += requests
        self.tokens += totals.tokens
        self.input_tokens += totals.input_tokens
        self.cached += totals.cache_read_tokens
        self.llm += llm / FEMTODOLLARS
        self.evaluation += evaluation / FEMTODOLLARS
        self.others += (totals.usd - evaluation) / FEMTODOLLARS

    def ratios(self) -> Iterator[tuple[RatioName, float]]:
        """Give the ratios that can be taken."""
        if self.tokens > 0:
            yield "size", self.tokens / self.requests
            if self.llm > 0:
                yield "price", self.llm / self.tokens
        if self.cached < self.input_tokens:
            yield "uncached", 1 - self.cached / self.input_tokens
        if self.evaluation > 0 and self.others > 0:
            yield "evaluation", self.evaluation / self.others


class RatiosState(msgspec.Struct, array_like=True):
    """What is written down of `Ratios`: when it was last judged (a number of windows), the slice, the baselines."""

    judged: int
    slice: Slice
    baselines: dict[RatioName, bytes]


class Ratios:
    """The baselines of an entity's ratios; those that it never has take no room."""

    __slots__ = ("_config", "_slice", "baselines", "judged", "last")

    def __init__(self, config: RatiosConfig) -> None:
        self._config = config
        #: The number of the window in which a slice was judged last.
        self.judged = 0
        self._slice = Slice()
        self.baselines: dict[RatioName, RatioBaseline] = {}
        #: The slice that was judged last.
        self.last = self._slice

    def usual(self, name: RatioName) -> float:
        """Give the usual value of a ratio, 0 where none is known."""
        baseline = self.baselines.get(name)
        return baseline.expected if baseline and baseline.seen >= baseline.params.warm_up else 0.0

    def larger(self, tokens: float, requests: float, usd: float) -> bool:
        """Tell whether requests have more tokens than usual, or tokens a higher price, beyond what is normal."""
        size, price = self.usual("size"), self.usual("price")
        return bool(
            (size and tokens > size * requests * self._config.params["size"].ratio)
            or (price and usd > price * tokens * self._config.params["price"].ratio)
        )

    def learn(self, totals: Totals, requests: int, number: int, minute: int) -> bool:
        """Take in window `number`; True if that filled a slice: enough requests, and a minute (in windows)."""
        self._slice.add(totals, requests)
        if self._slice.requests < self._config.enough or number - self.judged < minute:
            return False
        for name, value in self._slice.ratios():
            baseline = self.baselines.get(name)
            if baseline is None:
                baseline = self.baselines[name] = RatioBaseline(self._config.params[name])
            baseline.learn_one(value, self._slice.requests)
        self.last, self._slice, self.judged = self._slice, Slice(), number
        return True

    def written(self) -> RatiosState:
        """Write the whole state down."""
        return RatiosState(self.judged, self._slice, {name: b.snapshot() for name, b in self.baselines.items()})

    def read(self, state: RatiosState) -> None:
        """Take up what `written` gave."""
        self.judged, self._slice = state.judged, state.slice
        for name in RATIOS:
            if name in state.baselines:
                baseline = self.baselines[name] = RatioBaseline(self._config.params[name])
                baseline.restore(state.baselines[name])
