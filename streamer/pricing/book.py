"""The price book: what one usage event costs, and whether that was given, computed, or is not known."""

from collections.abc import Callable
from datetime import UTC, date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from streamer.config import PricingConfig
from streamer.events.usage import TIER, UsageEvent
from streamer.news import News
from streamer.pricing.agreed import Agreed, Rates, Subject, factor, linear
from streamer.pricing.models import TokenPrice, price_of
from streamer.pricing.money import femtodollars, product

# Past so many names without a price a warning for each helps nobody; the metric still counts them.
_MOST_NAMES = 1000
# Bounded: a tenant that invents names must not fill the memory.
_MOST_PRICES = 8192

Origin = Literal["given", "computed", "unpriced", "free"]
# Femtodollars of one event, and where the figure is from. Unpriced counts as 0 and is reported as unpriced.
Cost = tuple[int, Origin]
# Is told of each event that was counted, and what it cost.
Charge = Callable[[UsageEvent, Cost], None]
_TOKEN_KINDS = frozenset(("llm", "evaluation"))
_FREE: Cost = (0, "free")
_UNPRICED: Cost = (0, "unpriced")


class PriceBook:
    """Prices events, each by its own time and nothing else, so that replay gives what live gave.

    A price is looked up once per model (or tool, or unit) and day. A given cost beats a computed one, unless the
    configuration says that given costs are ignored. Outcomes are no consumption, whatever they say of their worth.
    """

    def __init__(self, config: PricingConfig | None = None) -> None:
        config = config or PricingConfig()
        self._keeps_given = config.given_costs == "keep"
        self._tiers, self._rates = config.tiers, Rates(config.exchange_rates)
        self._tokens = Agreed([price for price in config.prices if price.each is None])
        self._units = Agreed([price for price in config.prices if price.each is not None])
        self._token_price: Callable[..., TokenPrice | None] = lru_cache(_MOST_PRICES)(self._find_token_price)
        self._unit_price: Callable[..., Decimal | None] = lru_cache(_MOST_PRICES)(self._find_unit_price)
        self._unpriced = News(_MOST_NAMES)

    def cost(self, event: UsageEvent) -> Cost:
        """Price one event, rounded once to the femtodollar."""
        kind = event.kind
        if kind == "outcome":
            return _FREE
        if event.cost_usd is not None and self._keeps_given:
            return femtodollars(event.cost_usd), "given"
        time, model = event.time, event.model
        day = (time if time.tzinfo is UTC else time.astimezone(UTC)).date()
        by_tokens = bool(model) and kind in _TOKEN_KINDS
        if by_tokens and (event.input_tokens or event.output_tokens):
            tenant = event.tenant if event.tenant in self._tokens.tenants else ""
            tier = event.tags.get(TIER, "") if event.tags else ""
            price = self._token_price((tenant, kind, event.provider, model, tier), day)
            if price:
                return price.cost(event), "computed"
            by_tokens = False
        tenant = event.tenant if event.tenant in self._units.tenants else ""
        each = self._unit_price((tenant, kind, event.provider, model, event.tool, event.unit), day)
        if each is not None:
            return femtodollars(product(each, _units(event))), "computed"
        # What somebody paid for is not free, however little is known of it: its cost is given, and to be ignored.
        return _FREE if by_tokens and not event.cost_usd else self._unknown(event)

    def news(self) -> list[str]:
        """Name what was found to have no price since the last call, each once, for a warning."""
        return [*self._unpriced.taken(), *self._rates.missing.taken()]

    def _find_token_price(self, about: tuple[str, str, str, str, str], day: date) -> TokenPrice | None:
        *_, provider, model, tier = about
        agreed = self._tokens.of(Subject(*about[:4], tier=tier), day)
        times = Fraction(1) if agreed and agreed.tier else factor(self._tiers, tier)
        if agreed and agreed.of_list is None:
            usd = self._rates.usd(agreed.currency, day)
            return linear(agreed, usd).times(times) if usd is not None else None
        public = price_of(provider, model, day)
        share = Fraction(agreed.of_list) if agreed and agreed.of_list is not None else Fraction(1)
        return public.times(times * share) if public else None

    def _find_unit_price(self, about: tuple[str, str, str, str, str, str], day: date) -> Decimal | None:
        """Give the dollars of one unit."""
        agreed = self._units.of(Subject(*about), day)
        usd = self._rates.usd(agreed.currency, day) if agreed else None
        if agreed is None or agreed.each is None or usd is None:
            return None
        return product(agreed.each, usd)

    def _unknown(self, event: UsageEvent) -> Cost:
        self._unpriced.add(f"model {event.provider}/{event.model}" if event.model else f"kind {event.kind}")
        return _UNPRICED


def _units(event: UsageEvent) -> Decimal:
    return event.quantity or Decimal((event.requests if event.kind == "llm" else event.tool_calls) or 1)
