"""CloudEvents 1.0: structured and batch JSON, and binary mode with ``ce_*`` (Kafka) or ``ce-*`` (HTTP) headers.

The event's `data` carries canonical field names; attributes fill what the data leave out.
"""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import orjson

from streamer.events import canonical
from streamer.events.formats.answers import counts_of
from streamer.events.formats.base import Context, Format, Item, Names, Unmappable, each, words_of
from streamer.events.formats.values import count, decoded, mapping, owners, with_reasoning

_PREFIXES = ("ce_", "ce-")
# What a structured event, or a batch of them, cannot do without.
MARK = b'"specversion"'
_ALIASES = {
    **{"cached_input_tokens": "cache_read_tokens", "run_id": "session"},
    **{"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"},
}
_REPEATED = (
    *(("input_tokens", "input_tokens"), ("output_tokens", "output_tokens")),
    *(("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")),
)
# Names of attributes are lower-case letters and digits by the specification.
NAMES = Names(
    tenant=("tenant", "tenantid"),
    use_case=("usecase", "use_case"),
    agent=("agent", "agentname"),
    session=("session", "sessionid"),
    user=("user", "userid"),
    tier=("servicetier", "service_tier", "usage.service_tier"),
)


def suspects(record: bytes, headers: Mapping[str, str]) -> bool:
    """Tell cheaply whether a record may hold CloudEvents, which with a `tenant` could pass for canonical ones."""
    return MARK in record or any(name.startswith(_PREFIXES) for name in headers)


def recognises(item: Item) -> bool:
    """Tell whether `item` has the attributes that every CloudEvent must have."""
    return "specversion" in item and "type" in item and "source" in item


def fields_of(item: Item, context: Context) -> dict[str, Any]:
    """Map one structured event onto the fields of a canonical event."""
    for name in ("specversion", "type", "source"):
        if not (isinstance(item[name], str) and item[name]):
            raise Unmappable("wrong_type", f"the CloudEvent's {name} is no text, or empty")
    data = _filled(_data(item))
    fields = {known: data[name] for name, known in _ALIASES.items() if name in data}
    fields |= {name: value for name, value in data.items() if name not in _ALIASES}
    for name, value in owners([item, data], context.names).items():
        if name == "tags" and isinstance(fields.get(name), dict):
            fields[name] = {**value, **fields[name]}
        else:
            fields.setdefault(name, value)
    fields |= {name: item[name] for name in ("id", "source") if name in item}
    if "time" in item:
        fields["time"] = item["time"]
    fields.setdefault("requests", 1 if fields.get("kind", "llm") == "llm" else 0)
    return fields


def _filled(data: Item) -> dict[str, Any]:
    """Fill what the data leave out from their usage; of a count that repeats one of the usage, what that leaves out."""
    usage = mapping(data.get("usage"))
    told = _told_by(usage)
    repeated = (name for name, known in _REPEATED if name in data and data[name] == usage.get(known) and name in told)
    return {**told, **data, **{name: told[name] for name in repeated}}


def _told_by(usage: Item) -> dict[str, int]:
    """Give the counts of a usage object, those that it has."""
    told = {name: count(value, name) for name, value in counts_of(usage).items()}
    beyond_input = told.pop("total_tokens", 0) - told.get("input_tokens", 0)
    if "output_tokens" in told:
        told["output_tokens"] = with_reasoning(told["output_tokens"], told.get("reasoning_tokens", 0), beyond_input)
    return told


def structured(headers: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
    """Turn a binary-mode message into the structured event it stands for; None if it is not in binary mode.

    Header values are percent-encoded, as the HTTP and Kafka bindings ask. Raises ValueError for data that are not JSON.
    """
    attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith(_PREFIXES) and value}
    if not recognises(attributes):
        return None
    return {**attributes, "data": orjson.loads(body)}


def _data(item: Item) -> dict[str, Any]:
    data, packed = item.get("data"), item.get("data_base64")
    if item.get("datacontentencoding") == "base64":  # as version 0.3 has it
        packed, data = data, None
    if data is None and isinstance(packed, str):
        try:
            data = orjson.loads(base64.b64decode(packed, validate=True))
        except ValueError:
            data = None
    if isinstance(data, str):  # JSON in text, which some producers make of it
        data = decoded(data)
    if not isinstance(data, dict):
        raise Unmappable("wrong_type", "the data of the CloudEvent are no JSON object")
    return data


# Attributes, and what the data have in common with canonical events.
_ATTRIBUTES = ("id", "source", "type", "time", "specversion", "datacontenttype", "subject")
FORMAT = Format(
    "cloudevents", NAMES, recognises, each(fields_of), words_of(NAMES, *_ATTRIBUTES, *_ALIASES, *canonical.WORDS)
)
