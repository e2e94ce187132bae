"""What usage costs, beyond the public prices of models: agreed prices, the kinds without tokens, currencies."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Annotated, Literal, Protocol

from pydantic import Field, ValidationInfo, field_validator

from streamer.config.base import Section
from streamer.pricing.money import CostKind

Price = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Factor = Annotated[Decimal, Field(gt=0, le=1000, allow_inf_nan=False)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
_TOKENS = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")


class _Dated(Protocol):
    effective_from: date | None
    effective_to: date | None


class PriceConfig(Section):
    """One price: what it is for (empty fields match all), from which day to before which (UTC), and how much.

    `input_mtok` to `cache_write_mtok` are for a million tokens, `each` is for a unit or call, and `of_list` is a share
    of the public price of the model.
    """

    kind: CostKind | Literal[""] = ""
    tenant: str = ""
    provider: str = ""
    model: str = ""
    tool: str = ""
    unit: str = ""
    tier: str = ""
    effective_from: date | None = None
    effective_to: date | None = None
    currency: Currency = "USD"
    input_mtok: Price | None = None
    output_mtok: Price | None = None
    cache_read_mtok: Price | None = None
    cache_write_mtok: Price | None = None
    each: Price | None = None
    of_list: Factor | None = None

    @field_validator("effective_to")
    @classmethod
    def _ends_after_it_begins(cls, end: date | None, others: ValidationInfo) -> date | None:
        return _after(end, others)

    @field_validator("of_list")
    @classmethod
    def _is_one_price(cls, of_list: Decimal | None, others: ValidationInfo) -> Decimal | None:
        given = {name for name in (*_TOKENS, "each") if others.data.get(name) is not None}
        tokens = bool(given - {"each"})
        if tokens + ("each" in given) + (of_list is not None) != 1:
            raise ValueError("a price gives tokens (input_mtok and output_mtok), or each, or of_list")
        if tokens and not {"input_mtok", "output_mtok"} <= given:
            raise ValueError("a price of tokens gives input_mtok and output_mtok, 0 where there are none")
        if "each" in given:
            _check_units(others)
        else:
            _check_tokens(others)
        if of_list is not None and others.data.get("currency") != "USD":
            raise ValueError("of_list is a share of a price that has its currency")
        return of_list


class ExchangeRateConfig(Section):
    """Dollars for one unit of another currency, from one day to before another (UTC)."""

    currency: Currency
    usd: Factor
    effective_from: date | None = None
    effective_to: date | None = None

    @field_validator("effective_to")
    @classmethod
    def _ends_after_it_begins(cls, end: date | None, others: ValidationInfo) -> date | None:
        return _after(end, others)


class PricingConfig(Section):
    """What is not priced as the public prices of models say."""

    given_costs: Literal["keep", "ignore"] = "keep"
    tiers: dict[str, Factor] = Field(default={"batch": Decimal("0.5"), "flex": Decimal("0.5")})
    exchange_rates: tuple[ExchangeRateConfig, ...] = ()
    prices: tuple[PriceConfig, ...] = ()

    @field_validator("exchange_rates")
    @classmethod
    def _one_rate_a_day(cls, rates: tuple[ExchangeRateConfig, ...]) -> tuple[ExchangeRateConfig, ...]:
        if any(one.currency == two.currency and _overlap(one, two) for one, two in combinations(rates, 2)):
            raise ValueError("two exchange rates of one currency are for the same day")
        return rates

    @field_validator("prices")
    @classmethod
    def _one_price_a_day(cls, prices: tuple[PriceConfig, ...], others: ValidationInfo) -> tuple[PriceConfig, ...]:
        alike: dict[tuple[object, ...], list[PriceConfig]] = {}
        for price in prices:
            about = (price.kind, price.tenant, price.provider, price.model, price.tool, price.unit, price.tier)
            alike.setdefault((*about, price.each is None), []).append(price)
        for found in alike.values():
            _check_days(found)
        known = {rate.currency for rate in others.data.get("exchange_rates", ())} | {"USD"}
        if strange := sorted({price.currency for price in prices} - known):
            raise ValueError(f"no exchange rate is given of {', '.join(strange)}")
        return prices


def _check_units(price: ValidationInfo) -> None:
    if not price.data.get("kind"):
        raise ValueError("a price of each needs a kind")
    if price.data.get("tier"):
        raise ValueError("a tier is one of tokens")


def _check_tokens(price: ValidationInfo) -> None:
    if price.data.get("kind") not in ("", "llm", "evaluation"):
        raise ValueError("only llm and evaluation have tokens; other kinds have a price of each")
    if price.data.get("tool") or price.data.get("unit"):
        raise ValueError("tool and unit belong to a price of each")


def _check_days(prices: Sequence[PriceConfig]) -> None:
    if any(_overlap(one, two) for one, two in combinations(prices, 2)):
        raise ValueError("two prices are for the same and for the same day")


def _after(end: date | None, others: ValidationInfo) -> date | None:
    begin = others.data.get("effective_from")
    if begin and end and end <= begin:
        raise ValueError("effective_to is the first day without: it comes after effective_from")
    return end


def _overlap(one: _Dated, two: _Dated) -> bool:
    begin = max(one.effective_from or date.min, two.effective_from or date.min)
    return begin < min(one.effective_to or date.max, two.effective_to or date.max)
