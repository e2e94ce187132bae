"""The price book: what one usage event costs, and whether that was given, computed, or is not known."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from streamer.events.usage import UsageEvent
from streamer.news import News
from streamer.pricing.models import TokenPrice, price_of
from streamer.pricing.money import femtodollars

# Past so many names without a price a warning for each helps nobody; the metric still counts them.
_MOST_NAMES = 1000

Origin = Literal["given", "computed", "unpriced", "free"]
# Femtodollars of one event, and where the figure is from. Unpriced counts as 0 and is reported as unpriced.
Cost = tuple[int, Origin]
# Is told of each event that was counted, and what it cost.
Charge = Callable[[UsageEvent, Cost], None]
_TOKEN_KINDS = frozenset(("llm", "evaluation"))
_FREE: Cost = (0, "free")
_UNPRICED: Cost = (0, "unpriced")


class PriceBook:
    """Prices events; looks a model up once per model and day.

    `unit_prices` gives dollars per unit (or per call, where an event has no quantity) of the kinds that are
    not tokens: tool, vector, evaluation, human_review, saas. A given cost beats a computed one.
    """

    def __init__(self, unit_prices: Mapping[str, Decimal] | None = None) -> None:
        self._units = dict(unit_prices or {})
        # Bounded: a tenant that invents model names must not fill the memory.
        self._model = lru_cache(maxsize=4096)(price_of)
        self._unpriced = News(_MOST_NAMES)

    def cost(self, event: UsageEvent) -> Cost:
        """Price one event, rounded once to the femtodollar."""
        if event.cost_usd is not None:
            return femtodollars(event.cost_usd), "given"
        kind = event.kind
        if kind == "outcome":
            return _FREE
        if event.model and kind in _TOKEN_KINDS:
            if not event.input_tokens and not event.output_tokens:
                return _FREE
            price: TokenPrice | None = self._model(event.provider, event.model, event.time.date())
            return (price.cost(event), "computed") if price else self._unknown(event)
        if kind in self._units:
            return femtodollars(self._units[kind] * (event.quantity or event.tool_calls or 1)), "computed"
        return self._unknown(event)

    def news(self) -> list[str]:
        """Name what was found to have no price since the last call, each once, for a warning."""
        return self._unpriced.taken()

    def _unknown(self, event: UsageEvent) -> Cost:
        self._unpriced.add(f"model {event.provider}/{event.model}" if event.model else f"kind {event.kind}")
        return _UNPRICED
