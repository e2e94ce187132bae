"""The price of a model's tokens is what genai-prices says, for every model of its data and on both sides of a tier."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data import providers
from genai_prices.types import ConditionalPrice, ModelPrice, TieredPrices, TimeOfDateConstraint
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from streamer.events.usage import UsageEvent
from streamer.pricing.models import LinearPrice, OtherPrice, TokenPrice, price_of
from streamer.pricing.money import femtodollars
from tests.streamer.samples import NOON, event

RATES = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")


class Offer(NamedTuple):
    """One price of a model: ours, and the library's own."""

    name: str
    ours: TokenPrice
    theirs: ModelPrice


def days(prices: Any) -> set[date]:
    """The days on which a model's prices change, the days before them, and a day of this year."""
    found = {NOON.date()}
    for price in prices if isinstance(prices, list) else []:
        start = getattr(price.constraint, "start_date", None) if isinstance(price, ConditionalPrice) else None
        found |= {start, start - timedelta(days=1)} if start else set()
    return found


def found(provider: str, model: str, day: date) -> ModelPrice | None:
    """The library's price at noon; None where it does not find a model by the name that it has itself for it."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    try:
        return calc_price(Usage(), model, provider_id=provider, genai_request_timestamp=noon).model_price
    except LookupError:
        return None


def is_of_something_else(price: ModelPrice) -> bool:
    """Whether a model costs something, but its tokens nothing: minutes of audio do, or pages."""
    return price != ModelPrice() and all(getattr(price, name) is None for name in RATES)


def offers() -> Iterator[Offer]:
    """Every different price in the data, on every day that makes a difference."""
    seen: set[str] = set()
    for provider in providers:
        for model in provider.models:
            for day in days(model.prices):
                theirs = found(provider.id, model.id, day)
                if theirs and repr(theirs) not in seen:
                    seen.add(repr(theirs))
                    ours = price_of(provider.id, model.id, day)
                    assert (ours is None) == is_of_something_else(theirs), model.id
                    if ours:
                        yield Offer(f"{provider.id}/{model.id} on {day}", ours, theirs)


@pytest.fixture(scope="module")
def all_offers() -> list[Offer]:
    return list(offers())


def starts(price: ModelPrice) -> set[int]:
    """The input tokens at which the tiers of a price start."""
    found = (getattr(price, name, None) for name in RATES)
    return {tier.start for rate in found if isinstance(rate, TieredPrices) for tier in rate.tiers}


def calls(price: ModelPrice) -> Iterator[UsageEvent]:
    """Calls with no, some and only cached tokens, just below, at and just above every start of a tier."""
    for start in (1, 1_000_003, *starts(price)):
        for tokens in {max(1, start - 1), start, start + 1}:
            for read, written in ((0, 0), (tokens // 3, tokens // 7), (tokens, 0), (0, tokens)):
                yield event(input_tokens=tokens, output_tokens=777, cache_read_tokens=read, cache_write_tokens=written)
    yield event(output_tokens=1)


def in_the_library(price: ModelPrice, call: UsageEvent) -> Decimal:
    usage = Usage(
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        cache_read_tokens=call.cache_read_tokens,
        cache_write_tokens=call.cache_write_tokens,
    )
    return price.calc_price(usage)["total_price"]


@pytest.mark.slow
def test_every_price_of_the_data_is_computed_as_the_library_computes_it(all_offers: list[Offer]) -> None:
    wrong = [
        (name, call, ours.cost(call), in_the_library(theirs, call))
        for name, ours, theirs in all_offers
        for call in calls(theirs)
        if ours.cost(call) != femtodollars(in_the_library(theirs, call))
    ]
    assert wrong == []


def is_finer(price: ModelPrice) -> bool:
    """Whether a million tokens cost no whole number of billionths of a dollar."""
    rates = [rate for name in RATES if isinstance(rate := getattr(price, name, None), Decimal)]
    return any(rate % Decimal("1e-9") for rate in rates)


def test_flat_and_tiered_prices_need_no_library(all_offers: list[Offer]) -> None:
    """Only what asks for something a request, or is finer than a femtodollar a token, is left to it."""
    tiered = [offer for offer in all_offers if starts(offer.theirs)]
    flat = [offer for offer in all_offers if not starts(offer.theirs)]
    assert len(tiered) > 10
    assert len(flat) > 100
    assert all(isinstance(offer.ours, LinearPrice) for offer in tiered)
    others = [offer for offer in all_offers if isinstance(offer.ours, OtherPrice)]
    assert all(getattr(offer.theirs, "requests_kcount", None) or is_finer(offer.theirs) for offer in others)


LONG, SHORT = 300_000, 30_000


def priced(provider: str, model: str, **fields: Any) -> int:
    price = price_of(provider, model, NOON.date())
    assert price
    return price.cost(event(**fields))


@given(st.integers(1, 500), st.sampled_from([SHORT, 200_000, 200_001, LONG]))
def test_requests_that_are_told_of_together_cost_what_each_costs(requests: int, tokens: int) -> None:
    """A tier by length is about a request, whatever a day of requests sums up to."""
    one = {"input_tokens": tokens, "output_tokens": 100, "cache_read_tokens": 10}
    together = {name: count * requests for name, count in one.items()}
    for provider, model in (("google", "gemini-2.5-pro"), ("perplexity", "sonar-pro")):
        assert priced(provider, model, requests=requests, **together) == requests * priced(provider, model, **one)


@pytest.mark.parametrize(("least", "alike"), [("0", SHORT), ("200001", LONG), ("long", LONG)])
def test_a_tag_says_how_long_requests_were_of_which_nobody_tells_the_number(least: str, alike: int) -> None:
    tags = {"request_input_tokens": least}
    sums = priced("google", "gemini-2.5-pro", input_tokens=10 * LONG, tags=tags)
    assert sums == priced("google", "gemini-2.5-pro", input_tokens=alike) * (10 * LONG // alike)


HOURLY = [
    (provider.id, model.id)
    for provider in providers
    for model in provider.models
    if isinstance(model.prices, list)
    and any(isinstance(price.constraint, TimeOfDateConstraint) for price in model.prices)
]


@given(st.sampled_from(HOURLY), st.integers(-(10**7), 10**6).map(lambda seconds: NOON + timedelta(seconds=seconds)))
def test_a_price_that_depends_on_the_hour_is_that_of_the_events_time(model: tuple[str, str], at: datetime) -> None:
    ours = price_of(*model, at.date())
    theirs = calc_price(Usage(), model[1], provider_id=model[0], genai_request_timestamp=at).model_price
    call = event(input_tokens=1000, output_tokens=10, cache_read_tokens=100)
    there = at.astimezone(timezone(timedelta(hours=8)))
    assert ours
    assert ours.cost(structs.replace(call, time=there)) == femtodollars(in_the_library(theirs, call))
    half = ours.times(Fraction(1, 2)).cost(structs.replace(call, time=there))
    assert abs(2 * half - ours.cost(structs.replace(call, time=there))) <= 1
