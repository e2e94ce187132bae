"""Agreed prices: which of the configured ones holds for whom and what on a day, in dollars by the day's rate."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from streamer.config import ExchangeRateConfig, PriceConfig
from streamer.news import News
from streamer.pricing.models import LinearPrice


class Subject(NamedTuple):
    """What is to be priced. `tier` is that of tokens, `tool` and `unit` are those of the kinds without."""

    tenant: str
    kind: str
    provider: str
    model: str
    tool: str = ""
    unit: str = ""
    tier: str = ""


class Rates:
    """Exchange rates into dollars, by day."""

    def __init__(self, rates: Iterable[ExchangeRateConfig]) -> None:
        self._rates = tuple(rates)
        self.missing = News()

    def usd(self, currency: str, day: date) -> Decimal | None:
        """Give the dollars of one unit; None, to be told of once, for a day that no rate is for."""
        if currency == "USD":
            return Decimal(1)
        for rate in self._rates:
            if rate.currency == currency and _holds(rate, day):
                return rate.usd
        self.missing.add(f"exchange rate of {currency} on {day}")
        return None


class Agreed:
    """Configured prices of tokens, or of units: the one that names most of what an event is about holds.

    Its tenant counts most, then tier, tool, model, provider, unit, kind; a model by its full name comes before one by
    the beginning of its name, and a longer beginning before a shorter. No two prices can tie.
    """

    def __init__(self, prices: Iterable[PriceConfig]) -> None:
        self._prices = sorted(prices, key=_weight, reverse=True)
        self.tenants = frozenset(price.tenant for price in self._prices)

    def of(self, subject: Subject, day: date) -> PriceConfig | None:
        """Find the price that holds on `day`."""
        return next((price for price in self._prices if _holds(price, day) and _fits(price, subject)), None)


def linear(price: PriceConfig, usd: Decimal) -> LinearPrice:
    """Make the price of tokens; `usd` are the dollars of a unit of its currency."""
    # Cached tokens without a price of their own are billed like any other input.
    rates = (price.input_mtok, price.output_mtok, price.cache_read_mtok, price.cache_write_mtok)
    exact = (Fraction(price.input_mtok or 0 if rate is None else rate) * Fraction(usd) for rate in rates)
    return LinearPrice.of_mtok(*exact)


def factor(tiers: Mapping[str, Decimal], tier: str) -> Fraction:
    """Give the factor of a tier, 1 for one that has none."""
    return Fraction(tiers.get(tier, 1))


def _holds(dated: PriceConfig | ExchangeRateConfig, day: date) -> bool:
    begin, end = dated.effective_from, dated.effective_to
    return (begin is None or begin <= day) and (end is None or day < end)


def _weight(price: PriceConfig) -> tuple[bool | int, ...]:
    named = bool(price.model), not price.model.endswith("*"), len(price.model)
    return (
        bool(price.tenant),
        bool(price.tier),
        bool(price.tool),
        *named,
        bool(price.provider),
        bool(price.unit),
        bool(price.kind),
    )


def _fits(price: PriceConfig, subject: Subject) -> bool:
    if not _is_named(price.model, subject.model):
        return False
    wanted = (price.tenant, price.kind, price.provider, price.tool, price.unit, price.tier)
    found = (subject.tenant, subject.kind, subject.provider, subject.tool, subject.unit, subject.tier)
    return all(not mine or mine == theirs for mine, theirs in zip(wanted, found, strict=True))


def _is_named(pattern: str, model: str) -> bool:
    return model.startswith(pattern[:-1]) if pattern.endswith("*") else not pattern or pattern == model
