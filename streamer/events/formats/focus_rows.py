"""What a row of a FOCUS bill says, 1.0 to 1.4, whatever file it is from: for events and for reconciliation alike."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from streamer.events.formats.base import Item
from streamer.events.formats.values import amount, count, first, inclusive, is_given, listed, mapping, moment, text

Cells = Mapping[str, Any]
MODEL = (
    *("x_AIModel", "x_Model", "x_ModelName", "x_ModelId", "SkuPriceDetails.x_AIModel", "SkuPriceDetails.x_Model"),
    "Tags.model",
)
TOKENS = {
    "input_tokens": ("x_InputTokens", "x_PromptTokens"),
    "output_tokens": ("x_OutputTokens", "x_CompletionTokens"),
    "cache_read_tokens": ("x_CachedTokens", "x_CachedInputTokens", "x_CacheReadTokens"),
    "cache_write_tokens": ("x_CacheWriteTokens", "x_CacheCreationTokens"),
    "reasoning_tokens": ("x_ReasoningTokens",),
}
# What is read of a row; warehouses spell columns in lower case, or with underscores.
_READ = (
    *("BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "BillingCurrency", "Tags", "SkuPriceDetails"),
    *("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd", "ChargeDescription"),
    *("BillingAccountId", "BillingAccountName", "SubAccountId", "SubAccountName", "ChargeCategory", "ChargeClass"),
    *("ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit", "ProviderName", "ServiceProviderName"),
    *("HostProviderName", "PublisherName", "InvoiceIssuerName", "ServiceName", "ServiceCategory", "RegionId"),
    *("ResourceId", "ResourceName", "ResourceType", "SkuMeter", "x_ServiceTier", "x_Requests", "x_RequestCount"),
    *(name for name in MODEL if "." not in name),
    *(name for names in TOKENS.values() for name in names),
)
_NUMBERS, _TIMES = ("Cost", "Quantity", "Price"), ("Start", "End")
_UNIT = re.compile(r"(?:([\d,]+)\s*)?(k|m|thousand|million)?\s*(?:\w+\s+)?tokens?", re.IGNORECASE)
_SCALES = {"": 1, "k": 1000, "thousand": 1000, "m": 1_000_000, "million": 1_000_000}


def plain(name: str) -> str:
    """Spell a column's name as all its spellings have it in common.

    >>> plain("charge_period_start") == plain("ChargePeriodStart")
    True
    """
    return name.replace("_", "").lower()


_NAMES = {plain(name): name for name in _READ}


def named(item: Item) -> Item:
    """Give a row with the names of its columns as the specification spells them."""
    if "ChargePeriodStart" in item or "BillingPeriodStart" in item:
        return item
    return {_NAMES.get(plain(name), name): value for name, value in item.items()}


def cells_of(item: Item) -> dict[str, Any]:
    """Spell the cells that are there alike: numbers as decimals, times in UTC, objects decoded, tags as one object.

    Raises Unmappable for a number or a time that is none.
    """
    return {name: _value(name, value) for name, value in named(item).items() if is_given(value)}


def begin_of(cells: Cells) -> datetime | None:
    """Give the beginning of the charge period."""
    return moment(cells.get("ChargePeriodStart") or cells.get("BillingPeriodStart"))


def model_of(cells: Cells) -> str:
    """Name the model that was billed; "" where the row is about none."""
    named = text(first([cells], MODEL))
    is_model = text(cells.get("ResourceType")).lower() in ("llm", "model", "ai model")
    return named or (text(cells.get("ResourceName") or cells.get("ResourceId")) if is_model else "")


def tokens_of(cells: Cells) -> dict[str, int]:
    """Take tokens from vendors' columns, else from the quantity where that is in tokens; empty where none are told.

    Corrections take none back. Raises Unmappable for a count that is none.
    """
    given = {name: first([cells], names) for name, names in TOKENS.items()}
    found = {name: max(0, count(value, name)) for name, value in given.items()}
    if not any(found.values()):
        found |= (consumed := _consumed_tokens(cells))
        if not consumed and all(value is None for value in given.values()):
            return {}
    found["input_tokens"] = inclusive(found["input_tokens"], found["cache_read_tokens"], found["cache_write_tokens"])
    return found


def _value(name: str, value: Any) -> Any:
    if name == "Tags":
        return _tags(value)
    if name.endswith(_NUMBERS) and isinstance(value, str | int | float | Decimal):
        return amount(value, name)
    if name.endswith(_TIMES):
        return moment(value)
    if isinstance(value, str):
        return value if value[:1] != "{" else mapping(value) or value
    return text(value) if isinstance(value, int | float | Decimal) else value


def _tags(value: Any) -> Any:
    """Tags are an object, or as some warehouses have it a list of objects with key and value."""
    pairs = [mapping(pair) for pair in listed(value)]
    return {text(pair.get("key")): pair.get("value") for pair in pairs} if pairs else mapping(value) or value


def _consumed_tokens(cells: Cells) -> dict[str, int]:
    """Read the quantity consumed, else the one priced, where its unit is tokens, or so many of them."""
    for what in ("Consumed", "Pricing"):
        unit = _UNIT.fullmatch(text(cells.get(f"{what}Unit")))
        quantity = amount(cells.get(f"{what}Quantity"), f"{what}Quantity")
        if unit and quantity and quantity > 0:
            return _split(
                int(quantity * int((unit[1] or "1").replace(",", "")) * _SCALES[(unit[2] or "").lower()]), cells
            )
    return {}


def _split(tokens: int, cells: Cells) -> dict[str, int]:
    """Tell output from input, and what was read from the cache or written into it, by what the row calls them."""
    about = " ".join(text(cells.get(name)) for name in _ABOUT).lower()
    # Chat completions have input, too.
    if "output" in about or ("completion" in about and "input" not in about):
        return {"output_tokens": tokens}
    if "cache" not in about:
        return {"input_tokens": tokens}
    written = "write" in about or "creation" in about
    return {"input_tokens": tokens, "cache_write_tokens" if written else "cache_read_tokens": tokens}


_ABOUT = ("ConsumedUnit", "PricingUnit", "SkuMeter", "ChargeDescription")
