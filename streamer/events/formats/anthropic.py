"""Anthropic's usage and cost reports: pages of buckets, or buckets one by one.

Their `uncached_input_tokens` leave the cached tokens out, which are added here; amounts are in cents, as text.
"""

from decimal import Decimal
from typing import Any

from streamer.events.formats import buckets
from streamer.events.formats.base import Context, Format, Item, Names, each, words_of
from streamer.events.formats.buckets import Result, given
from streamer.events.formats.values import amount, count, dollars, mapping, moment, text
from streamer.events.usage import REQUEST_INPUT
from streamer.pricing.money import product

NAMES = Names(
    tenant=("workspace_name", "workspace_id", "organization_id"),
    use_case=("product",),
    user=("user_id", "actor.email_address"),
    tier=("service_tier",),
    tags=("context_window", "inference_geo", "cost_type", "token_type"),
)
_OF_A_CENT = Decimal("0.01")
# The input tokens that each request of a context window has at least, where that is more than none.
_LEAST = {"200k-1M": "200001"}


def recognises(item: Item) -> bool:
    """Tell whether `item` is a page of buckets, or a bucket."""
    is_ours = buckets.is_page(item, "starting_at") or buckets.is_bucket(item, "starting_at")
    return is_ours or (item.get("data") == [] and "has_more" in item)


def fields_of(part: Result, context: Context) -> dict[str, Any]:
    """Map one result onto the fields of a canonical event; a result of a cost report has an amount and no tokens."""
    fields = {"provider": "anthropic", **buckets.fields_of(part, context, "anthropic-usage")}
    if "amount" in part.result:
        return given(fields | _cost(part, context))
    fields["tags"] = {**fields.get("tags", {}), **_length(part.result)}
    return given(fields | _usage(part.result))


def _cost(part: Result, context: Context) -> dict[str, Any]:
    result = part.result
    cents = amount(result.get("amount"), "the amount")
    given = None if cents is None else product(cents, _OF_A_CENT)
    at = moment(part.start) or context.latest
    cost = dollars(given, result.get("currency"), at, context.rate)
    return {"cost_usd": cost, "requests": count(result.get("requests"), "requests")}


def _length(result: Item) -> dict[str, str]:
    """Say how long the requests of a result were: it tells of no requests, but perhaps of their context window."""
    window = text(result.get("context_window"))
    return {REQUEST_INPUT: _LEAST.get(window, "0")} if window or not result.get("requests") else {}


def _usage(result: Item) -> dict[str, Any]:
    created, tools = mapping(result.get("cache_creation")), mapping(result.get("server_tool_use"))
    written = sum(count(tokens, "cache_creation") for tokens in created.values())
    written = written or count(result.get("cache_creation_input_tokens"), "cache_creation_input_tokens")
    read = count(result.get("cache_read_input_tokens"), "cache_read_input_tokens")
    return {
        "input_tokens": count(result.get("uncached_input_tokens"), "uncached_input_tokens") + read + written,
        "output_tokens": count(result.get("output_tokens"), "output_tokens"),
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "requests": count(result.get("requests"), "requests"),
        "tool_calls": sum(count(calls, "server_tool_use") for calls in tools.values()),
    }


FORMAT = Format(
    "anthropic",
    NAMES,
    recognises,
    each(fields_of),
    words_of(NAMES, "start", "end", "model", "api_key_id", "currency", "amount", "list_amount"),
    buckets.results_of("starting_at", "ending_at"),
    buckets.kept,
)
