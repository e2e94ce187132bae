"""Prices of language models, from the genai-prices data that are installed with it (nothing is fetched)."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Protocol

from genai_prices import Usage, calc_price
from genai_prices.types import ModelPrice

from streamer.events.usage import UsageEvent

_MILLION = Decimal(1_000_000)


class TokenPrice(Protocol):
    """The price of one model on one day."""

    def cost(self, event: UsageEvent) -> Decimal:
        """Give the dollars of the event's tokens."""


class FlatPrice:
    """A price without tiers, as four rates in dollars a token."""

    def __init__(self, price: ModelPrice) -> None:
        self._input = _rate(price, "input_mtok")
        self._output = _rate(price, "output_mtok")
        # A provider without a price of its own for cached tokens bills them like any other input.
        self._read = _rate(price, "cache_read_mtok", self._input)
        self._write = _rate(price, "cache_write_mtok", self._input)

    def cost(self, event: UsageEvent) -> Decimal:
        """Give the dollars of the event's tokens; cached ones are part of the input tokens."""
        read, write = event.cache_read_tokens, event.cache_write_tokens
        fresh = event.input_tokens - read - write
        cached = read * self._read + write * self._write if read or write else 0
        return fresh * self._input + event.output_tokens * self._output + cached


class TieredPrice:
    """A price whose rates depend on the length of the request; the library itself computes it."""

    def __init__(self, price: ModelPrice) -> None:
        self._price = price

    def cost(self, event: UsageEvent) -> Decimal:
        """Give the dollars of the event's tokens."""
        usage = Usage(
            input_tokens=event.input_tokens,
            output_tokens=event.output_tokens,
            cache_read_tokens=event.cache_read_tokens,
            cache_write_tokens=event.cache_write_tokens,
        )
        return self._price.calc_price(usage)["total_price"]


def price_of(provider: str, model: str, day: date) -> TokenPrice | None:
    """Look up the price of `model` on `day`; None where nobody knows it.

    The provider is a hint: where it is unknown to the data, the model's name alone is looked up.
    """
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    for provider_id in (provider, None) if provider else (None,):
        try:
            price = calc_price(Usage(), model, provider_id=provider_id, genai_request_timestamp=noon).model_price
        except (LookupError, ValueError):
            continue
        return FlatPrice(price) if _is_flat(price) else TieredPrice(price)
    return None


def _is_flat(price: ModelPrice) -> bool:
    return all(
        isinstance(getattr(price, name, None), Decimal | None)
        for name in ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
    ) and not getattr(price, "requests_kcount", None)


def _rate(price: ModelPrice, name: str, otherwise: Decimal = Decimal(0)) -> Decimal:
    amount = getattr(price, name, None)
    return otherwise if amount is None else amount / _MILLION
