"""Agreed prices: the one that names most of what an event is about holds, on the event's own day, in dollars."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from streamer.config import PricingConfig
from streamer.events.usage import UsageEvent
from streamer.pricing.book import PriceBook
from streamer.pricing.money import FEMTODOLLARS, dollars, femtodollars
from tests.streamer.samples import event

TOKENS = {"input_mtok": "2", "output_mtok": "8"}
DAYS = [date(2026, 1, day) for day in (1, 5, 9)]
MODELS = ["alpha-large", "alpha-large-2", "beta-1"]
AMOUNTS = st.decimals(0, 1000, places=7)


def book(*prices: dict[str, Any], **fields: Any) -> PriceBook:
    return PriceBook(PricingConfig.model_validate({"prices": prices, **fields}))


def call(model: str = "alpha-large", **fields: Any) -> UsageEvent:
    return event(**{"model": model, "input_tokens": 1_000_000, **fields})


def usd(prices: PriceBook, one: UsageEvent) -> Decimal:
    return dollars(prices.cost(one)[0])


def on(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def test_a_model_nobody_lists_has_the_price_that_was_agreed() -> None:
    prices = book({"model": "alpha-large", **TOKENS})
    assert usd(prices, call(output_tokens=500_000)) == 6
    assert prices.cost(call("beta-1")) == (0, "unpriced")
    assert prices.news() == ["model /beta-1"]


def test_an_agreed_price_comes_before_the_public_one_and_holds_for_its_provider_only() -> None:
    prices = book({"provider": "azure", "model": "gpt-4o", **TOKENS})
    public = usd(PriceBook(), call("gpt-4o", provider="openai"))
    assert usd(prices, call("gpt-4o", provider="azure")) == 2 != public
    assert usd(prices, call("gpt-4o", provider="openai")) == public


def test_a_price_for_a_tenant_is_for_no_other() -> None:
    prices = book({"model": "alpha*", **TOKENS}, {"tenant": "beta", "model": "alpha*", **TOKENS, "input_mtok": 1})
    assert [usd(prices, call(tenant=tenant)) for tenant in ("acme", "beta", "gamma")] == [2, 1, 2]


def test_a_name_without_a_star_is_of_one_model_only() -> None:
    prices = book({"model": "alpha-large", **TOKENS})
    others = [call(model) for model in ("alpha-large-2", "alpha-largo", "alpha-larg")]
    assert [prices.cost(one) for one in others] == [(0, "unpriced")] * 3


def test_a_price_of_each_for_a_tenant_is_for_no_other() -> None:
    prices = book({"kind": "tool", "each": "2"}, {"tenant": "beta", "kind": "tool", "each": "1"})
    called = [event(kind="tool", tool_calls=1, tenant=tenant) for tenant in ("acme", "beta", "gamma")]
    assert [usd(prices, one) for one in called] == [2, 1, 2]


def test_a_price_holds_from_its_first_day_to_before_its_last() -> None:
    first, second, third = DAYS
    prices = book(
        {"effective_from": first, "effective_to": second, **TOKENS, "input_mtok": 1},
        {"effective_from": second, "effective_to": third, **TOKENS, "input_mtok": 2},
    )
    days = [first - timedelta(days=1), first, second - timedelta(days=1), second, third]
    assert [usd(prices, call(time=on(day))) for day in days] == [0, 1, 1, 2, 0]


def test_the_day_is_that_of_utc_in_whatever_zone_the_time_is_written() -> None:
    """00:30 in Vienna on the 5th is the 4th in UTC."""
    prices = book({"effective_from": DAYS[1], **TOKENS})
    vienna = datetime(2026, 1, 5, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert prices.cost(call(time=vienna))[1] == "unpriced"
    assert prices.cost(call(time=vienna.astimezone(UTC)))[1] == "unpriced"
    assert prices.cost(call(time=vienna + timedelta(hours=1)))[1] == "computed"


def test_a_batch_costs_half_and_an_agreed_price_of_a_batch_what_it_says() -> None:
    batch = {"service_tier": "batch"}
    public = usd(PriceBook(), call("gpt-4o"))
    assert usd(PriceBook(), call("gpt-4o", tags=batch)) == public / 2
    assert usd(PriceBook(), call("gpt-4o", tags={"service_tier": "standard"})) == public
    prices = book({"model": "alpha*", **TOKENS}, {"model": "alpha*", "tier": "batch", **TOKENS, "input_mtok": "1.2"})
    assert usd(prices, call(tags=batch)) == Decimal("1.2")
    assert usd(book({"model": "alpha*", **TOKENS}), call(tags=batch)) == 1
    assert usd(book({"model": "alpha*", **TOKENS}, tiers={"flex": "0.25"}), call(tags=batch)) == 2


def test_a_share_of_the_public_price_is_exact() -> None:
    prices = book({"provider": "openai", "of_list": "0.123456789"})
    public = usd(PriceBook(), call("gpt-4o", provider="openai", output_tokens=77))
    expected = femtodollars(public * Decimal("0.123456789"))
    assert prices.cost(call("gpt-4o", provider="openai", output_tokens=77)) == (expected, "computed")
    assert prices.cost(call("nobodys", provider="openai"))[1] == "unpriced"


def test_a_share_of_a_price_that_asks_for_something_a_request_is_a_share_of_all_of_it() -> None:
    sonar = call("sonar-pro", provider="perplexity")
    assert usd(book({"of_list": "0.5"}), sonar) == usd(PriceBook(), sonar) / 2 > 0


def test_cached_tokens_cost_what_was_agreed_or_what_others_do() -> None:
    half = {"cache_read_tokens": 500_000}
    assert usd(book({**TOKENS, "cache_read_mtok": "0.2"}), call(**half)) == Decimal("1.1")
    assert usd(book(TOKENS), call(**half)) == 2


def test_other_currencies_count_by_the_rate_of_the_day() -> None:
    rates = [
        {"currency": "EUR", "usd": "1.1", "effective_to": DAYS[1]},
        {"currency": "EUR", "usd": "1.2", "effective_from": DAYS[1], "effective_to": DAYS[2]},
    ]
    prices = book({**TOKENS, "currency": "EUR"}, exchange_rates=rates)
    costs = [prices.cost(call(time=on(day))) for day in DAYS]
    assert costs == [
        (femtodollars(Decimal("2.2")), "computed"),
        (femtodollars(Decimal("2.4")), "computed"),
        (0, "unpriced"),
    ]
    assert "exchange rate of EUR on 2026-01-09" in prices.news()


@pytest.mark.parametrize("kind", ["tool", "vector", "evaluation", "human_review", "saas"])
def test_kinds_without_tokens_cost_their_unit_price(kind: str) -> None:
    prices = book({"kind": kind, "each": "0.25"})
    assert usd(prices, event(kind=kind, quantity=Decimal("2.5"))) == Decimal("0.625")
    assert usd(prices, event(kind=kind, tool_calls=3)) == Decimal("0.75")
    assert usd(prices, event(kind=kind)) == Decimal("0.25")


def test_a_price_of_minutes_is_none_of_hours() -> None:
    prices = book({"kind": "human_review", "unit": "minute", "each": "1.5"})
    assert usd(prices, event(kind="human_review", unit="minute", quantity=Decimal(10))) == 15
    assert prices.cost(event(kind="human_review", unit="hour", quantity=Decimal(1))) == (0, "unpriced")


def test_a_tool_of_its_own_price_comes_before_the_others() -> None:
    prices = book({"kind": "tool", "each": "0.002"}, {"kind": "tool", "tool": "web_search", "each": "0.01"})
    costs = [usd(prices, event(kind="tool", tool=tool, tool_calls=1)) for tool in ("grep", "web_search")]
    assert costs == [Decimal("0.002"), Decimal("0.01")]


def test_calls_of_a_model_without_tokens_are_free_unless_each_has_a_price() -> None:
    speech = event(model="whisper", requests=3)
    assert PriceBook().cost(speech) == (0, "free")
    assert usd(book({"kind": "llm", "model": "whisper", "each": "0.006"}), speech) == Decimal("0.018")


def test_given_costs_hold_unless_they_are_to_be_ignored() -> None:
    one = call(cost_usd=Decimal("0.5"))
    assert book(TOKENS).cost(one) == (femtodollars(Decimal("0.5")), "given")
    anew = book(TOKENS, given_costs="ignore")
    assert anew.cost(one) == (femtodollars(Decimal(2)), "computed")
    assert book(given_costs="ignore").cost(one) == (0, "unpriced")


@pytest.mark.parametrize("quantity", ["1e-9999999", "999999999999.999999999999", "0.1e-40"])
def test_no_quantity_is_too_small_or_too_long(quantity: str) -> None:
    prices = book({"kind": "saas", "each": "0.3333333"})
    assert prices.cost(event(kind="saas", quantity=Decimal(quantity)))[1] == "computed"


@st.composite
def agreements(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Prices of tokens for all sorts of things, no two of which are for the same."""
    some = st.sampled_from
    about = st.tuples(
        some(["", "acme", "beta"]),
        some(["", "one", "two"]),
        some(["", "*", "alpha*", "alpha-large", "alpha-large*", "beta-1"]),
        some(["", "batch"]),
        some([None, *DAYS[:2]]),
    )
    found = draw(st.lists(about, max_size=12, unique_by=lambda one: one[:4]))
    names = ("tenant", "provider", "model", "tier", "effective_from")
    return [
        {**dict(zip(names, one, strict=True)), "input_mtok": draw(AMOUNTS), "output_mtok": draw(AMOUNTS)}
        for one in found
    ]


CALLS = st.builds(
    lambda tenant, provider, model, tier, day, tokens: call(
        model,
        tenant=tenant,
        provider=provider,
        tags={"service_tier": tier} if tier else {},
        time=on(day),
        input_tokens=tokens[0],
        output_tokens=tokens[1],
    ),
    st.sampled_from(["acme", "beta", "gamma"]),
    st.sampled_from(["one", "two"]),
    st.sampled_from(MODELS),
    st.sampled_from(["", "batch"]),
    st.sampled_from(DAYS),
    st.tuples(st.integers(1, 10**7), st.integers(0, 10**7)),
)


def fits(price: dict[str, Any], one: UsageEvent) -> bool:
    model = price["model"]
    named = one.model.startswith(model[:-1]) if model.endswith("*") else model in ("", one.model)
    begun = price["effective_from"] is None or price["effective_from"] <= one.time.date()
    tier = one.tags.get("service_tier", "")
    others = (("tenant", one.tenant), ("provider", one.provider), ("tier", tier))
    return named and begun and all(price[name] in ("", value) for name, value in others)


def closest(prices: Sequence[dict[str, Any]], one: UsageEvent) -> dict[str, Any] | None:
    """The rule as docs/prices.md words it, name by name."""
    left = [price for price in prices if fits(price, one)]
    for name in ("tenant", "tier"):
        left = [price for price in left if price[name]] or left
    left = [price for price in left if price["model"] == one.model] or left
    longest = max((len(price["model"]) for price in left), default=0)
    left = [price for price in left if len(price["model"]) == longest]
    return next(iter([price for price in left if price["provider"]] or left), None)


@given(agreements(), CALLS)
def test_the_price_that_names_most_holds_whatever_the_order(prices: list[dict[str, Any]], one: UsageEvent) -> None:
    found = closest(prices, one)
    shuffled = Random(1).sample(prices, len(prices))
    costs = {book(*order).cost(one) for order in (prices, shuffled)}
    if found is None:
        assert costs == {(0, "unpriced")}
        return
    exact = Fraction(found["input_mtok"]) * one.input_tokens + Fraction(found["output_mtok"]) * one.output_tokens
    if one.tags and not found["tier"]:
        exact /= 2
    assert costs == {(round(exact * FEMTODOLLARS / 10**6), "computed")}


@given(agreements(), st.lists(CALLS, min_size=1, max_size=20), st.integers())
def test_a_price_depends_on_the_event_alone(prices: list[dict[str, Any]], calls: list[UsageEvent], seed: int) -> None:
    """Whatever was priced before it: so replay gives what live gave."""
    once, again = book(*prices), book(*prices)
    live = [once.cost(one) for one in calls]
    places = Random(seed).sample(range(len(calls)), len(calls))
    replayed = {place: again.cost(calls[place]) for place in places}
    assert live == [replayed[place] for place in range(len(calls))]


def test_a_price_is_looked_up_once_a_model_and_day_however_many_tenants_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from streamer.pricing import book as module

    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(module, "price_of", lambda *about: asked.append(about))
    prices = book({"tenant": "acme", "model": "alpha-large", **TOKENS})
    for number in range(50):
        prices.cost(call("gpt-4o", tenant=f"tenant-{number}"))
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("price", "why"),
    [
        ({}, "tokens .*, or each, or of_list"),
        ({**TOKENS, "each": 1}, "tokens .*, or each, or of_list"),
        ({"input_mtok": 1}, "output_mtok, 0 where there are none"),
        ({"each": 1}, "needs a kind"),
        ({"kind": "tool", **TOKENS}, "only llm and evaluation have tokens"),
        ({"kind": "tool", "each": 1, "tier": "batch"}, "a tier is one of tokens"),
        ({"tool": "grep", **TOKENS}, "belong to a price of each"),
        ({"of_list": 1, "currency": "EUR"}, "has its currency"),
        ({**TOKENS, "currency": "EUR"}, "no exchange rate is given of EUR"),
        ({**TOKENS, "effective_from": DAYS[1], "effective_to": DAYS[1]}, "comes after"),
        ({**TOKENS, "input_mtok": -1}, "greater than or equal to 0"),
        ({**TOKENS, "input_mtok": "NaN"}, "finite"),
    ],
)
def test_what_is_no_price_is_said(price: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        book(price)


def test_two_prices_of_the_same_for_one_day_are_a_mistake_and_two_in_turn_are_none() -> None:
    turn = ({**TOKENS, "effective_to": DAYS[1]}, {**TOKENS, "effective_from": DAYS[1]})
    book(*turn)
    with pytest.raises(ValidationError, match="two prices are for the same"):
        book({**TOKENS, "effective_to": DAYS[2]}, turn[1])
    rates = [{"currency": "EUR", "usd": 1}, {"currency": "EUR", "usd": 2, "effective_from": DAYS[0]}]
    with pytest.raises(ValidationError, match="two exchange rates"):
        book(exchange_rates=rates)
