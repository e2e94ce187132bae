"""FOCUS, the FinOps Open Cost and Usage Specification, 1.0 to 1.4: rows of a cloud's bill, from CSV, Parquet or JSON.

A row has no id: it is named by all that it says of what was billed, amounts included, so that a row that comes again is
known and a correction is not. Credits and corrections are negative, and are counted as they stand.
"""

import decimal
import re
from decimal import Decimal
from typing import Any

from streamer.events.formats.base import Context, Format, Item, Names, each, words_of
from streamer.events.formats.identity import identity_of
from streamer.events.formats.values import (
    amount,
    count,
    dollars,
    first,
    inclusive,
    is_given,
    mapping,
    moment,
    owners,
    text,
)

NAMES = Names(
    tenant=("Tags.tenant", "SubAccountName", "SubAccountId", "BillingAccountName", "BillingAccountId"),
    use_case=("Tags.use_case", "Tags.application", "Tags.app", "Tags.project", "ServiceName"),
    agent=("Tags.agent",),
    user=("Tags.user_id", "Tags.user"),
    cost=("BilledCost", "EffectiveCost", "ContractedCost", "ListCost"),
    tags=("ServiceName", "ServiceCategory", "ChargeCategory", "ChargeClass", "RegionId", "Tags.*"),
)
_PROVIDER = ("ServiceProviderName", "ProviderName", "HostProviderName", "PublisherName", "InvoiceIssuerName")
_MODEL = ("x_AIModel", "x_Model", "x_ModelName", "x_ModelId", "SkuPriceDetails.x_AIModel", "SkuPriceDetails.x_Model")
_TOKENS = {
    "input_tokens": ("x_InputTokens", "x_PromptTokens"),
    "output_tokens": ("x_OutputTokens", "x_CompletionTokens"),
    "cache_read_tokens": ("x_CachedTokens", "x_CachedInputTokens", "x_CacheReadTokens"),
    "cache_write_tokens": ("x_CacheWriteTokens", "x_CacheCreationTokens"),
    "reasoning_tokens": ("x_ReasoningTokens",),
}
_COUNTED = frozenset((*_MODEL, *(name for names in _TOKENS.values() for name in names)))
_REQUESTS = ("x_Requests", "x_RequestCount")
# What a bill learns or renames later, and what a sample adds: no part of what was billed.
_VOLATILE = frozenset(("InvoiceId", "Id"))
_NUMBERS, _TIMES = ("Cost", "Quantity", "Price"), ("Start", "End")
# Decimal digits that a double keeps, whatever they are.
_DOUBLE = decimal.Context(prec=15)
_UNIT = re.compile(r"(?:(\d+)\s*)?(k|m|thousand|million)?\s*(?:\w+\s+)?tokens?", re.IGNORECASE)
_SCALES = {"": 1, "k": 1000, "thousand": 1000, "m": 1_000_000, "million": 1_000_000}
# Columns whose values are terms, names or numbers; descriptions and tags may be anybody's words.
_WORDS = words_of(
    NAMES,
    *("ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart", "BillingPeriodEnd", "BillingCurrency"),
    *("ChargeFrequency", "ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit", "PricingCategory"),
    *("SkuId", "SkuMeter", "SkuPriceId", "ResourceType", "ServiceSubcategory", *_PROVIDER, *_REQUESTS),
    *_COUNTED,
)


def recognises(item: Item) -> bool:
    """Tell whether `item` is a row of a bill."""
    return "ChargePeriodStart" in item or ("BillingPeriodStart" in item and any(name in item for name in NAMES.cost))


def fields_of(item: Item, context: Context) -> dict[str, Any]:
    """Map one row onto the fields of a canonical event; its time is the beginning of the charge period."""
    row = {name: _value(name, value) for name, value in item.items() if is_given(value)}
    tokens = _tokens(row)
    model = text(first([row], _MODEL)) or _resource_model(row)
    given = amount(first([row], context.names.cost), "the cost")
    at = moment(row.get("ChargePeriodStart") or row.get("BillingPeriodStart"))
    fields = {
        "id": identity_of({name: _spelled(value) for name, value in row.items() if _identifies(name)}),
        "source": "focus",
        "time": at,
        "kind": "llm" if model or any(tokens.values()) else "saas",
        "provider": text(first([row], _PROVIDER)),
        "model": model,
        "cost_usd": dollars(given, row.get("BillingCurrency"), at, context),
        "requests": _requests(row),
        **tokens,
        **_quantity(row),
        **owners([row], context.names),
    }
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _value(name: str, value: Any) -> Any:
    """Spell a cell alike whatever file it is from: numbers without trailing zeros, times in UTC, objects decoded."""
    if name.endswith(_NUMBERS) and isinstance(value, str | int | float | Decimal):
        return amount(value, name)
    if name.endswith(_TIMES):
        return moment(value)
    if isinstance(value, str):
        return value if value[:1] != "{" else mapping(value) or value
    return text(value) if isinstance(value, int | float | Decimal) else value


def _spelled(value: Any) -> Any:
    """Spell a number as exactly as binary files hold it, without trailing zeros."""
    return str(value.normalize(_DOUBLE)) if isinstance(value, Decimal) else value


def _identifies(name: str) -> bool:
    return name in _COUNTED or not (name.startswith("x_") or name in _VOLATILE)


def _resource_model(row: Item) -> str:
    named = text(row.get("ResourceType")).lower() in ("llm", "model", "ai model")
    return text(row.get("ResourceName") or row.get("ResourceId")) if named else ""


def _tokens(row: Item) -> dict[str, int]:
    """Take tokens from vendors' columns, else from the quantity where that is in tokens; corrections take none back."""
    found = {name: max(0, count(first([row], names), name)) for name, names in _TOKENS.items()}
    if not any(found.values()):
        found |= _consumed_tokens(row)
    found["input_tokens"] = inclusive(found["input_tokens"], found["cache_read_tokens"], found["cache_write_tokens"])
    return found


def _consumed_tokens(row: Item) -> dict[str, int]:
    unit = _UNIT.fullmatch(text(row.get("ConsumedUnit")))
    quantity = amount(row.get("ConsumedQuantity"), "ConsumedQuantity")
    if not unit or not quantity or quantity < 0:
        return {}
    tokens = int(quantity * int(unit[1] or 1) * _SCALES[(unit[2] or "").lower()])
    about = " ".join(text(row.get(name)) for name in ("ConsumedUnit", "SkuMeter", "ChargeDescription")).lower()
    if "output" in about or "completion" in about:
        return {"output_tokens": tokens}
    return {"input_tokens": tokens, "cache_read_tokens": tokens if "cache" in about and "write" not in about else 0}


def _requests(row: Item) -> int:
    if is_given(given := first([row], _REQUESTS)):
        return max(0, count(given, "the requests"))
    if text(row.get("ConsumedUnit")).lower() not in ("requests", "request"):
        return 0
    return max(0, int(amount(row.get("ConsumedQuantity"), "ConsumedQuantity") or 0))


def _quantity(row: Item) -> dict[str, Any]:
    """The quantity consumed, else the one priced; that of a correction is no consumption."""
    for what in ("Consumed", "Pricing"):
        quantity = amount(row.get(f"{what}Quantity"), f"{what}Quantity")
        if quantity and quantity > 0:
            return {"quantity": quantity, "unit": text(row.get(f"{what}Unit"))}
    return {}


FORMAT = Format("focus", NAMES, recognises, each(fields_of), _WORDS)
