"""Totals of one entity in one window: counts, and femtodollars by the six kinds of cost."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from mypy_extensions import mypyc_attr

from streamer.events.usage import UsageEvent
from streamer.pricing.book import Cost
from streamer.pricing.money import FEMTODOLLARS, CostKind
from streamer.windows.gauge import Gauge

Metric = Literal["tokens", "steps", "tool_calls", "requests", "usd"]
METRICS: tuple[Metric, ...] = ("tokens", "steps", "tool_calls", "requests", "usd")
COUNTS = (
    "events",
    "errors",
    "requests",
    "steps",
    "tool_calls",
    "outcomes",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "unpriced",
)
# The counts, in the order of their names above.
Counted = tuple[int, int, int, int, int, int, int, int, int, int, int, int]
# Counts, femtodollars, those of them that senders gave, implied requests and calls; amounts as text where numbers are
# too large to be packed.
Written = tuple[Sequence[int | str], Mapping[CostKind, int | str], int | str, int, int]


class Amounts(Protocol):
    """What the judges read of totals: the five metrics, dollars in femtodollars."""

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""

    steps: int
    tool_calls: int
    requests: int

    @property
    def usd(self) -> int:
        """Femtodollars, below 0 for credits."""


def value_of(amounts: Amounts, metric: Metric) -> float:
    """Give one metric as a number of 0 or more for the models; only the totals are exact, and know credits."""
    value = max(0, getattr(amounts, metric))
    return value / FEMTODOLLARS if metric == "usd" else float(value)


@mypyc_attr(acyclic=True)
class Totals:
    """Sums over usage events; exact, and the same in whatever order the events are added.

    `given` are the femtodollars that senders gave; all others are priced here. `gauges` grow with the totals: those of
    the watched entities that the events count for. The judges see more than is published: an `llm` event that gives no
    number of requests is one all the same, and so with calls of tools.
    """

    __slots__ = (*COUNTS, "gauges", "given", "implied_calls", "implied_requests", "usd_by_kind")

    events: int
    errors: int
    requests: int
    steps: int
    tool_calls: int
    outcomes: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    unpriced: int
    usd_by_kind: dict[CostKind, int]
    given: int

    def __init__(self, gauges: tuple[Gauge, ...] = ()) -> None:
        self.gauges = gauges
        self.events = self.errors = self.requests = self.steps = self.tool_calls = self.outcomes = 0
        self.input_tokens = self.output_tokens = self.cache_read_tokens = self.cache_write_tokens = 0
        self.reasoning_tokens = self.unpriced = self.implied_requests = self.implied_calls = 0
        self.given = 0
        self.usd_by_kind = {}

    # Every event comes through here, so each field is read once, and what is usually 0 is looked at before it is added.
    def add(self, event: UsageEvent, cost: Cost) -> list[Gauge] | None:  # noqa: PLR0912 - see above
        """Count one event in; gives the gauges that now stand above a ceiling."""
        self.events += 1
        if tokens := event.input_tokens:
            self.input_tokens += tokens
        if output := event.output_tokens:
            self.output_tokens += output
            tokens += output
        if steps := event.steps:
            self.steps += steps
        kind = event.kind
        if tool_calls := event.tool_calls:
            self.tool_calls += tool_calls
        elif kind == "tool":
            self.implied_calls += 1
            tool_calls = 1
        if requests := event.requests:
            self.requests += requests
        elif kind == "llm":
            self.implied_requests += 1
            requests = 1
        if event.cache_read_tokens or event.cache_write_tokens:
            self.cache_read_tokens += event.cache_read_tokens
            self.cache_write_tokens += event.cache_write_tokens
        if event.reasoning_tokens:
            self.reasoning_tokens += event.reasoning_tokens
        if event.status == "error":
            self.errors += 1
        usd, origin = cost
        if kind == "outcome":
            self.outcomes += 1
            usd = 0
        elif usd:
            by_kind = self.usd_by_kind
            by_kind[kind] = by_kind.get(kind, 0) + usd
            if origin == "given":
                self.given += usd
        elif origin == "unpriced":
            self.unpriced += 1
        passed = None
        for gauge in self.gauges:
            if gauge.add(tokens, steps, tool_calls, requests, usd):
                passed = [gauge] if passed is None else [*passed, gauge]
        return passed

    def merge(self, other: "Totals") -> None:
        """Add another entity's or window's totals; the gauges stay as they are."""
        self.events += other.events
        self.requests += other.requests
        self.steps += other.steps
        self.tool_calls += other.tool_calls
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cache_read_tokens += other.cache_read_tokens
        self.cache_write_tokens += other.cache_write_tokens
        self.reasoning_tokens += other.reasoning_tokens
        self.errors += other.errors
        self.outcomes += other.outcomes
        self.unpriced += other.unpriced
        self.implied_requests += other.implied_requests
        self.implied_calls += other.implied_calls
        self.given += other.given
        for kind, femto in other.usd_by_kind.items():
            self.usd_by_kind[kind] = self.usd_by_kind.get(kind, 0) + femto

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.input_tokens + self.output_tokens

    @property
    def usd(self) -> int:
        """Femtodollars over all kinds; below 0 for credits."""
        return sum(self.usd_by_kind.values())

    def judged(self, metric: Metric) -> int:
        """Give a metric as the judges see it, with what events imply; dollars in femtodollars."""
        if metric == "requests":
            return self.requests + self.implied_requests
        if metric == "tool_calls":
            return self.tool_calls + self.implied_calls
        return int(getattr(self, metric))

    def counts(self) -> Counted:
        """Give all counts, in the order of `COUNTS`."""
        return (
            self.events,
            self.errors,
            self.requests,
            self.steps,
            self.tool_calls,
            self.outcomes,
            self.input_tokens,
            self.output_tokens,
            self.cache_read_tokens,
            self.cache_write_tokens,
            self.reasoning_tokens,
            self.unpriced,
        )

    def written(self, as_text: bool = False) -> Written:
        """Write the totals down."""
        implied = self.implied_requests, self.implied_calls
        if as_text:
            money = {kind: str(n) for kind, n in self.usd_by_kind.items()}
            return [str(count) for count in self.counts()], money, str(self.given), *implied
        return self.counts(), self.usd_by_kind, self.given, *implied

    def read(self, written: Written) -> None:
        """Take up what `written` gave, the gauges too."""
        for name, count in zip(COUNTS, written[0], strict=True):
            setattr(self, name, int(count))
        self.usd_by_kind = {kind: int(femto) for kind, femto in written[1].items()}
        self.given = int(written[2])
        self.implied_requests, self.implied_calls = written[3:]
        for gauge in self.gauges:
            gauge.add(self.tokens, self.steps, self.judged("tool_calls"), self.judged("requests"), self.usd)
            gauge.events += self.events - 1

    def __eq__(self, other: Any) -> bool:
        """Equal totals have equal counts and dollars, in whatever order the kinds came."""
        return isinstance(other, Totals) and self.written() == other.written()

    __hash__ = None  # type: ignore[assignment]  # totals change
