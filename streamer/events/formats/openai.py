"""OpenAI's organization usage and costs: pages of buckets, or buckets one by one. Input includes what was cached."""

from typing import Any

from streamer.events.formats import buckets
from streamer.events.formats.base import Context, Format, Item, Names, each, words_of
from streamer.events.formats.buckets import Result, given
from streamer.events.formats.values import amount, count, dollars, mapping, moment, text
from streamer.events.usage import TIER

NAMES = Names(
    tenant=("project_name", "project_id", "organization_id"),
    user=("user_id",),
    tier=("service_tier",),
    tags=("batch", "line_item"),
)
# What the results of other services than completions count.
_UNITS = ("images", "characters", "seconds", "usage_bytes", "num_sessions", "sessions", "num_requests")


def recognises(item: Item) -> bool:
    """Tell whether `item` is a page of buckets, or a bucket."""
    is_ours = buckets.is_page(item, "start_time") or buckets.is_bucket(item, "start_time")
    return is_ours or (item.get("object") == "page" and item.get("data") == [])


def fields_of(part: Result, context: Context) -> dict[str, Any]:
    """Map one result onto the fields of a canonical event; a result of the costs has an amount and no tokens."""
    fields = {"provider": "openai", **buckets.fields_of(part, context, "openai-usage")}
    if part.result.get("batch") is True:  # of which service_tier says nothing
        fields["tags"] = {**fields.get("tags", {}), TIER: "batch"}
    return given(fields | (_cost(part, context) if "amount" in part.result else _usage(part.result)))


def _cost(part: Result, context: Context) -> dict[str, Any]:
    result = part.result
    paid = mapping(result.get("amount"))
    at = moment(part.start) or context.latest
    cost = dollars(amount(paid.get("value"), "the amount"), paid.get("currency"), at, context.rate)
    return {"model": text(result.get("line_item")).partition(",")[0], "cost_usd": cost}


def _usage(result: Item) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "input_tokens": count(result.get("input_tokens"), "input_tokens"),
        "output_tokens": count(result.get("output_tokens"), "output_tokens"),
        "cache_read_tokens": count(result.get("input_cached_tokens"), "input_cached_tokens"),
        "cache_write_tokens": count(result.get("input_cache_write_tokens"), "input_cache_write_tokens"),
        "requests": count(result.get("num_model_requests"), "num_model_requests"),
    }
    unit = next((name for name in _UNITS if name in result), None)
    if unit and "input_tokens" not in result:
        fields |= {"kind": "saas", "quantity": amount(result[unit], unit), "unit": unit.removeprefix("num_")}
    return fields


FORMAT = Format(
    "openai",
    NAMES,
    recognises,
    each(fields_of),
    words_of(NAMES, "start", "end", "object", "model", "api_key_id", "currency", "value", *_UNITS),
    buckets.results_of("start_time", "end_time"),
    buckets.kept,
)
