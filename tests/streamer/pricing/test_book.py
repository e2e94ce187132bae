"""Every event has a cost, and it is said where the cost is from."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import PriceConfig, PricingConfig
from streamer.events.usage import UsageEvent
from streamer.pricing.book import PriceBook
from streamer.pricing.money import dollars, femtodollars
from tests.streamer.samples import NOON, event

BOOK = PriceBook()
MODELS = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-2024-08-06"),
    ("openai", "o4-mini"),
    ("openai", "text-embedding-3-small"),
    ("anthropic", "claude-sonnet-4-20250514"),
    ("anthropic", "claude-sonnet-4-5-20250929"),  # dearer over 200,000 input tokens
    ("google", "gemini-2.5-pro"),  # likewise
    ("bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0"),
    ("azure", "gpt-4o"),
    ("moonshotai", "kimi-k2-0905-preview"),
    ("mistral", "mistral-large-latest"),
    ("perplexity", "sonar-pro"),  # asks for something a request, too
]
TOKENS = st.integers(0, 400_000)


def usd(usage: UsageEvent) -> Decimal:
    """What an event costs, in dollars."""
    return dollars(BOOK.cost(usage)[0])


def test_a_given_cost_beats_a_computed_one() -> None:
    given_cost = event(provider="openai", model="gpt-4o", input_tokens=1000, cost_usd=Decimal("0.5"))
    assert BOOK.cost(given_cost) == (femtodollars(Decimal("0.5")), "given")


@pytest.mark.parametrize("amount", ["0", "-3.25"])
def test_a_cost_of_zero_and_a_credit_are_given_costs(amount: str) -> None:
    given_cost = event(provider="openai", model="gpt-4o", input_tokens=1000, cost_usd=Decimal(amount))
    assert BOOK.cost(given_cost) == (femtodollars(Decimal(amount)), "given")


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(MODELS), TOKENS, TOKENS, TOKENS, TOKENS)
def test_computed_is_what_genai_prices_says(
    model: tuple[str, str], fresh: int, output: int, read: int, written: int
) -> None:
    provider, name = model
    tokens = {
        "input_tokens": fresh + read + written,
        "output_tokens": output,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
    }
    if not fresh + read + written + output:
        return
    theirs = calc_price(Usage(**tokens), name, provider_id=provider, genai_request_timestamp=NOON).total_price
    assert BOOK.cost(event(provider=provider, model=name, **tokens)) == (femtodollars(theirs), "computed")


def test_cached_tokens_are_cheaper_and_written_ones_dearer_than_fresh() -> None:
    def cost(**tokens: int) -> Decimal:
        claude = event(provider="anthropic", model="claude-sonnet-4-20250514", input_tokens=1000, **tokens)
        return usd(claude)

    assert cost(cache_read_tokens=1000) < cost() < cost(cache_write_tokens=1000)


def test_a_long_request_costs_more_a_token_where_the_price_has_tiers() -> None:
    def rate(tokens: int) -> Decimal:
        claude = event(provider="anthropic", model="claude-sonnet-4-5-20250929", input_tokens=tokens)
        return usd(claude) / tokens

    assert rate(300_000) == 2 * rate(100_000)


def test_the_name_of_a_model_is_enough_where_its_provider_is_unknown() -> None:
    known = BOOK.cost(event(provider="openai", model="gpt-4o", input_tokens=1000))
    assert BOOK.cost(event(provider="our-proxy", model="gpt-4o", input_tokens=1000)) == known
    assert BOOK.cost(event(model="gpt-4o", input_tokens=1000)) == known


def test_the_price_is_that_of_the_events_day() -> None:
    """o3 was made cheaper on 10 June 2025."""

    def cost(day: int) -> Decimal:
        return usd(event(time=datetime(2025, 6, day, tzinfo=UTC), provider="openai", model="o3", input_tokens=1000))

    assert cost(1) > cost(20)


def test_an_unknown_model_is_unpriced_and_named_once() -> None:
    book = PriceBook()
    for number in range(3):
        assert book.cost(event(number, provider="us", model="in-house", input_tokens=5)) == (0, "unpriced")
    assert book.news() == ["model us/in-house"]
    book.cost(event(provider="us", model="in-house", input_tokens=5))
    book.cost(event(provider="us", model="another", input_tokens=5))
    assert book.news() == ["model us/another"]
    assert book.news() == []


def test_a_tenant_that_invents_models_fills_no_memory() -> None:
    book = PriceBook()
    for number in range(1100):
        assert book.cost(event(model=f"no-such-model-{number}", input_tokens=1))[1] == "unpriced"
    assert len(book.news()) == 1000


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_no_name_of_a_model_or_provider_breaks_the_book(provider: str, model: str) -> None:
    assert usd(event(provider=provider, model=model, input_tokens=1)) >= 0


def test_a_kind_without_a_unit_price_is_unpriced_and_named() -> None:
    book = PriceBook(PricingConfig(prices=(PriceConfig(kind="tool", each=Decimal(1)),)))
    assert book.cost(event(kind="vector")) == (0, "unpriced")
    assert book.news() == ["kind vector"]


def test_an_evaluation_by_a_model_costs_its_tokens() -> None:
    book = PriceBook(PricingConfig(prices=(PriceConfig(kind="evaluation", each=Decimal(100)),)))
    judged = book.cost(event(kind="evaluation", model="gpt-4o", input_tokens=1000))
    assert judged == book.cost(event(model="gpt-4o", input_tokens=1000))


@pytest.mark.parametrize("cost", ["12.5", "-1"])
def test_a_cost_without_tokens_is_unpriced_where_given_costs_are_ignored(cost: str) -> None:
    """A line of OpenAI's costs names its model and its amount, and nothing to price it by."""
    book = PriceBook(PricingConfig(given_costs="ignore"))
    line = event(provider="openai", model="gpt-4o", cost_usd=Decimal(cost))
    assert book.cost(line) == (0, "unpriced")
    assert book.news() == ["model openai/gpt-4o"]
    assert book.cost(event(provider="openai", model="gpt-4o", cost_usd=Decimal(0))) == (0, "free")


def test_outcomes_and_calls_without_tokens_are_free() -> None:
    book = PriceBook()
    assert book.cost(event(kind="outcome")) == (0, "free")
    assert book.cost(event(kind="outcome", cost_usd=Decimal(9))) == (0, "free")
    assert book.cost(event(model="no-such-model")) == (0, "free")
    assert book.news() == []
