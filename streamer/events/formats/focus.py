"""FOCUS, the FinOps Open Cost and Usage Specification, 1.0 to 1.4: rows of a cloud's bill, from CSV, Parquet or JSON.

A row has no id: it is named by all that it says of what was billed, amounts included, so that a row that comes again is
known and a correction is not. Credits and corrections are negative, and are counted as they stand.
"""

import decimal
from decimal import Decimal
from typing import Any

from streamer.events.formats.base import Context, Format, Item, Names, each, words_of
from streamer.events.formats.focus_rows import MODEL, TOKENS, begin_of, cells_of, model_of, named, tokens_of
from streamer.events.formats.identity import identity_of
from streamer.events.formats.values import amount, count, dollars, first, is_given, owners, text

NAMES = Names(
    tenant=("Tags.tenant", "SubAccountName", "SubAccountId", "BillingAccountName", "BillingAccountId"),
    use_case=("Tags.use_case", "Tags.application", "Tags.app", "Tags.project", "ServiceName"),
    agent=("Tags.agent",),
    user=("Tags.user_id", "Tags.user"),
    cost=("BilledCost", "EffectiveCost", "ContractedCost", "ListCost"),
    tier=("x_ServiceTier", "Tags.service_tier"),
    tags=("ServiceName", "ServiceCategory", "ChargeCategory", "ChargeClass", "RegionId", "Tags.*"),
)
_PROVIDER = ("ServiceProviderName", "ProviderName", "HostProviderName", "PublisherName", "InvoiceIssuerName")
_COUNTED = frozenset((*MODEL, *(name for names in TOKENS.values() for name in names)))
_REQUESTS = ("x_Requests", "x_RequestCount")
# What a bill learns or renames later, and what a sample adds: no part of what was billed.
_VOLATILE = frozenset(("InvoiceId", "Id"))
# Decimal digits that a double keeps, whatever they are.
_DOUBLE = decimal.Context(prec=15)
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
    item = item if "ChargePeriodStart" in item else named(item)
    return "ChargePeriodStart" in item or ("BillingPeriodStart" in item and any(name in item for name in NAMES.cost))


def fields_of(item: Item, context: Context) -> dict[str, Any]:
    """Map one row onto the fields of a canonical event; its time is the beginning of the charge period."""
    row = cells_of(item)
    tokens, model, at = tokens_of(row), model_of(row), begin_of(row)
    given = amount(first([row], context.names.cost), "the cost")
    fields = {
        "id": identity_of({name: _spelled(value) for name, value in row.items() if _identifies(name)}),
        "source": "focus",
        "time": at,
        "kind": "llm" if model or any(tokens.values()) else "saas",
        "provider": text(first([row], _PROVIDER)),
        "model": model,
        "cost_usd": dollars(given, row.get("BillingCurrency"), at or context.latest, context.rate),
        "requests": _requests(row),
        **tokens,
        **_quantity(row),
        **owners([row], context.names),
    }
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _spelled(value: Any) -> Any:
    """Spell a number as exactly as binary files hold it, without trailing zeros."""
    return str(value.normalize(_DOUBLE)) if isinstance(value, Decimal) else value


def _identifies(name: str) -> bool:
    return name in _COUNTED or not (name.startswith("x_") or name in _VOLATILE)


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


FORMAT = Format("focus", NAMES, recognises, each(fields_of), _WORDS, kept=named)
