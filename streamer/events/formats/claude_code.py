"""Anthropic's report of Claude Code: what a person, or an API key, used on a day, by model.

Its `input` leaves the cached tokens out, which are added here; amounts are an estimate, in cents.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from streamer.events.formats.base import Context, Format, Item, Names, Unmappable, each, words_of
from streamer.events.formats.identity import identity_of
from streamer.events.formats.values import amount, count, dollars, listed, mapping, moment, owners, text
from streamer.events.usage import REQUEST_INPUT
from streamer.pricing.money import product

NAMES = Names(
    tenant=("organization_name", "organization_id"),
    use_case=("product",),
    user=("actor.email_address",),
    tags=("customer_type", "subscription_type", "terminal_type"),
)
_OF_A_CENT = Decimal("0.01")
_DAY = timedelta(days=1)


class _Used(NamedTuple):
    """Whose record it is, without the models, and one of these."""

    record: Mapping[str, Any]
    model: Mapping[str, Any]


def recognises(item: Item) -> bool:
    """Tell whether `item` is a page of records, or a record."""
    data = item.get("data")
    first = data[0] if isinstance(data, list) and data else item
    return isinstance(first, Mapping) and "model_breakdown" in first and "actor" in first


def parts(item: Item) -> Sequence[_Used]:
    """Give each model of each record."""
    return list(_parts(listed(item["data"]) if "data" in item else [item]))


def _parts(records: Sequence[Any]) -> Iterator[_Used]:
    for record in map(mapping, records):
        whose = {name: value for name, value in record.items() if name != "model_breakdown"}
        yield from (_Used(whose, mapping(model)) for model in listed(record.get("model_breakdown")))


def fields_of(part: _Used, context: Context) -> dict[str, Any]:
    """Map one model of a record onto the fields of a canonical event; its time is the beginning of its day."""
    record, at = part.record, moment(part.record.get("date"))
    if at and at > context.latest - _DAY:
        raise Unmappable("impossible_time", "the day is not over: send its report when it is")
    actor, model = mapping(record.get("actor")), text(part.model.get("model"))
    whose = [actor, *(record.get(name) for name in ("organization_id", "customer_type", "terminal_type"))]
    paid = mapping(part.model.get("estimated_cost"))
    cents = amount(paid.get("amount"), "the amount")
    given = None if cents is None else product(cents, _OF_A_CENT)
    told = owners([{"product": "claude_code", **record}], context.names)
    fields = {
        "id": identity_of({"day": at, "whose": whose, "model": model}),
        "source": "claude-code",
        "time": at,
        "provider": "anthropic",
        "model": model,
        "api_key": text(actor.get("api_key_name")),
        "cost_usd": dollars(given, paid.get("currency"), at or context.latest, context.rate),
        **_tokens(mapping(part.model.get("tokens"))),
        **told,
        # A day of requests, of which it tells no number.
        "tags": {**told.get("tags", {}), REQUEST_INPUT: "0"},
    }
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _tokens(tokens: Item) -> dict[str, int]:
    fresh, out, read, written = (count(tokens.get(name), name) for name in _COUNTS)
    return {
        "input_tokens": fresh + read + written,
        "output_tokens": out,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
    }


_COUNTS = ("input", "output", "cache_read", "cache_creation")
FORMAT = Format(
    "claude_code",
    NAMES,
    recognises,
    each(fields_of),
    words_of(NAMES, "date", "actor", "type", "model", "currency", "api_key_name"),
    parts,
    lambda part: {**part.record, "model": part.model},
)
