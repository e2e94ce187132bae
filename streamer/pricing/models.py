"""Prices of language models, from the genai-prices data that are installed with it (nothing is fetched)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import NamedTuple, Protocol

from genai_prices import Usage
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices, TimeOfDateConstraint

from streamer.events.usage import REQUEST_INPUT, UsageEvent
from streamer.pricing.money import FEMTODOLLARS, quotient
from streamer.pricing.names import model_of

# Prices are given for a million tokens.
_SCALE = FEMTODOLLARS // 1_000_000
_RATES = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
# Nothing is asked for: not to be mistaken for a price of something else than tokens.
_FREE = ModelPrice()
_Price = Decimal | TieredPrices | None


class TokenPrice(Protocol):
    """The price of one model on one day."""

    def cost(self, event: UsageEvent) -> int:
        """Give the femtodollars of the event's tokens."""

    def times(self, factor: Fraction) -> "TokenPrice":
        """Give the price with a discount, or surcharge."""


class _Rates(NamedTuple):
    """Femtodollars a token, each a whole number, or of a part of one: see `LinearPrice`."""

    input: int
    output: int
    read: int
    write: int


class LinearPrice:
    """Rates a token that depend on nothing, or on a request's length: past a tier's start all its tokens pay its rate.

    `bands` gives the input tokens above which rates hold, the longest first and 0 or less last. Rates that are finer
    than a femtodollar are given in the part of one that `parts` says; the sum is rounded once, halves to the even one.
    """

    def __init__(self, bands: Sequence[tuple[int, _Rates]], parts: int = 1) -> None:
        self._tiers, (_, self._base) = bands[:-1], bands[-1]
        self._parts = parts

    @classmethod
    def of_mtok(cls, *dollars: Fraction) -> "LinearPrice":
        """Make a price of the dollars of a million tokens: input, output, cache read and cache write."""
        femto = [rate * _SCALE for rate in dollars]
        parts = lcm(*(rate.denominator for rate in femto))
        return cls([(-1, _Rates(*(int(rate * parts) for rate in femto)))], parts)

    def times(self, factor: Fraction) -> "LinearPrice":
        """Give the price with a discount, or surcharge."""
        if factor == 1:
            return self
        bands = [
            (start, _Rates(*(rate * factor.numerator for rate in rates)))
            for start, rates in (*self._tiers, (-1, self._base))
        ]
        return LinearPrice(bands, self._parts * factor.denominator)

    def cost(self, event: UsageEvent) -> int:
        """Give the femtodollars of the event's tokens; cached ones are part of the input tokens."""
        tokens, rates = event.input_tokens, self._base
        if self._tiers:
            length = _length(event)
            rates = next((above for start, above in self._tiers if length > start), rates)
        femto = tokens * rates.input + event.output_tokens * rates.output
        read, write = event.cache_read_tokens, event.cache_write_tokens
        if read or write:
            femto += read * (rates.read - rates.input) + write * (rates.write - rates.input)
        return femto if self._parts == 1 else quotient(femto, self._parts)


class OtherPrice:
    """A price that is not by tokens alone, or finer than a femtodollar a token; the library itself computes it."""

    def __init__(self, price: ModelPrice, factor: Fraction = Fraction(1)) -> None:
        self._price, self._factor = price, factor
        self._request = Fraction(sum(_amounts(getattr(price, "requests_kcount", None)))) / 1000

    def times(self, factor: Fraction) -> "OtherPrice":
        """Give the price with a discount, or surcharge."""
        return OtherPrice(self._price, self._factor * factor)

    def cost(self, event: UsageEvent) -> int:
        """Give the femtodollars of the event's tokens."""
        usage = Usage(
            input_tokens=event.input_tokens,
            output_tokens=event.output_tokens,
            cache_read_tokens=event.cache_read_tokens,
            cache_write_tokens=event.cache_write_tokens,
        )
        # The library takes any usage for that of one request.
        others = self._request * max(0, event.requests - 1)
        usd = Fraction(self._price.calc_price(usage)["total_price"]) + others
        femto = usd * self._factor * FEMTODOLLARS
        return quotient(femto.numerator, femto.denominator)


class HourlyPrice:
    """Prices that depend on the hour, as DeepSeek's, each with the time of day (UTC) it begins at, the latest first."""

    def __init__(self, prices: Sequence[tuple[time, TokenPrice]]) -> None:
        self._prices = prices

    def times(self, factor: Fraction) -> "HourlyPrice":
        """Give the price with a discount, or surcharge."""
        return HourlyPrice([(begin, price.times(factor)) for begin, price in self._prices])

    def cost(self, event: UsageEvent) -> int:
        """Give the femtodollars of the event's tokens."""
        at = event.time.astimezone(UTC).time()
        return next(price for begin, price in self._prices if begin <= at).cost(event)


def price_of(provider: str, model: str, day: date) -> TokenPrice | None:
    """Look up the price of `model` on `day`.

    None where nobody knows it, where it is not by tokens (minutes of audio, pages), and for what people run themselves.
    """
    found = model_of(provider, model)
    return _on(found, day) if found else None


def _on(model: ModelInfo, day: date) -> TokenPrice | None:
    """Give the price of a model of the data on a day; None where it is not by tokens."""
    by_hours = []
    for begin in sorted({time(), *_changes(model)}, reverse=True):
        price = model.get_prices(datetime.combine(day, begin, UTC))
        if price != _FREE and all(getattr(price, name) is None for name in _RATES):
            return None
        by_hours.append((begin, LinearPrice(_bands(price)) if _is_linear(price) else OtherPrice(price)))
    return HourlyPrice(by_hours) if len(by_hours) > 1 else by_hours[0][1]


def _changes(model: ModelInfo) -> Iterator[time]:
    """Give the times of day (UTC) at which the price of a model changes."""
    constraints = (price.constraint for price in model.prices) if isinstance(model.prices, list) else ()
    for constraint in constraints:
        if isinstance(constraint, TimeOfDateConstraint):
            yield from (constraint.start_time.replace(tzinfo=None), constraint.end_time.replace(tzinfo=None))


def _length(event: UsageEvent) -> int:
    """Give the input tokens of a request: at least so many as a tag says; else the mean of several, rounded up."""
    told = event.tags.get(REQUEST_INPUT, "") if event.tags else ""
    if told.isdecimal():
        return int(told)
    return -(-event.input_tokens // event.requests) if event.requests > 1 else event.input_tokens


def _is_linear(price: ModelPrice) -> bool:
    amounts = [amount for name in _RATES for amount in _amounts(getattr(price, name, None))]
    return all(amount * _SCALE == int(amount * _SCALE) for amount in amounts) and not getattr(
        price, "requests_kcount", None
    )


def _amounts(price: _Price) -> list[Decimal]:
    if isinstance(price, TieredPrices):
        return [price.base, *(tier.price for tier in price.tiers)]
    return [] if price is None else [price]


def _bands(price: ModelPrice) -> list[tuple[int, _Rates]]:
    prices: list[_Price] = [getattr(price, name, None) for name in _RATES]
    starts = {tier.start for found in prices if isinstance(found, TieredPrices) for tier in found.tiers}
    return [(start, _rates(prices, start + 1)) for start in (*sorted(starts, reverse=True), -1)]


def _rates(prices: Sequence[_Price], tokens: int) -> _Rates:
    fresh = _rate(prices[0], tokens, 0)
    # A provider without a price of its own for cached tokens bills them like any other input.
    return _Rates(fresh, _rate(prices[1], tokens, 0), _rate(prices[2], tokens, fresh), _rate(prices[3], tokens, fresh))


def _rate(price: _Price, tokens: int, otherwise: int) -> int:
    """Give the rate of an input of so many tokens."""
    if price is None:
        return otherwise
    if isinstance(price, TieredPrices):
        return int(next((tier.price for tier in reversed(price.tiers) if tokens > tier.start), price.base) * _SCALE)
    return int(price * _SCALE)
