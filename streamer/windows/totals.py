"""Totals of one entity in one window: counts, and dollars by the six kinds of cost."""

from decimal import Decimal
from typing import Literal

import msgspec

from streamer.events.usage import UsageEvent
from streamer.pricing.book import Cost
from streamer.pricing.money import COST_KINDS, ZERO, CostKind

Metric = Literal["tokens", "steps", "tool_calls", "requests", "usd"]
METRICS: tuple[Metric, ...] = ("tokens", "steps", "tool_calls", "requests", "usd")


class Totals(msgspec.Struct):
    """Sums over usage events; exact, and the same in whatever order the events are added."""

    events: int = 0
    errors: int = 0
    requests: int = 0
    steps: int = 0
    tool_calls: int = 0
    outcomes: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    unpriced: int = 0
    usd: Decimal = ZERO
    usd_by_kind: dict[CostKind, Decimal] = {}

    def add(self, event: UsageEvent, cost: Cost) -> None:
        """Count one event in."""
        self.events += 1
        self.errors += event.status == "error"
        self.requests += event.requests
        self.steps += event.steps
        self.tool_calls += event.tool_calls
        self.input_tokens += event.input_tokens
        self.output_tokens += event.output_tokens
        self.cache_read_tokens += event.cache_read_tokens
        self.cache_write_tokens += event.cache_write_tokens
        self.reasoning_tokens += event.reasoning_tokens
        self.unpriced += cost.origin == "unpriced"
        if event.kind == "outcome":
            self.outcomes += 1
        elif cost.usd:
            self.usd += cost.usd
            self.usd_by_kind[event.kind] = self.usd_by_kind.get(event.kind, ZERO) + cost.usd

    def merge(self, other: "Totals") -> None:
        """Add another entity's or window's totals."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.usd += other.usd
        for kind, amount in other.usd_by_kind.items():
            self.usd_by_kind[kind] = self.usd_by_kind.get(kind, ZERO) + amount

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.input_tokens + self.output_tokens

    def value(self, metric: Metric) -> float:
        """Give one metric as a number of 0 or more for the models; only the totals are exact, and know credits."""
        return max(0.0, float(getattr(self, metric)))


COUNTS = tuple(name for name in Totals.__struct_fields__ if name not in ("usd", "usd_by_kind"))
__all__ = ["COST_KINDS", "COUNTS", "METRICS", "Metric", "Totals"]
