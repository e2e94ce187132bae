"""Bedrock's model invocation logs, one by one as S3 has them, or in CloudWatch's envelope; bodies are never kept.

Bedrock's `inputTokenCount` leaves the cached tokens out, as the API's `totalTokens` shows: here they are added.
"""

from collections.abc import Sequence
from typing import Any

from streamer.events.formats.base import Context, Format, Item, Names, Unmappable, each, words_of
from streamer.events.formats.calls import Call, calls_of, work_of
from streamer.events.formats.values import count, decoded, first, listed, mapping, moment, owners, text

NAMES = Names(
    tenant=("requestMetadata.tenant", "requestMetadata.team", "accountId"),
    use_case=("requestMetadata.use_case", "requestMetadata.application", "requestMetadata.project"),
    agent=("requestMetadata.agent",),
    session=("requestMetadata.session_id", "requestMetadata.session"),
    user=("requestMetadata.user", "identity.arn"),
    tier=(
        *("serviceTier.type", "serviceTier", "output.outputBodyJson.serviceTier.type"),
        *("output.outputBodyJson.service_tier", "output.outputBodyJson.usage.service_tier"),
        *("input.inputBodyJson.serviceTier.type", "input.inputBodyJson.service_tier"),
    ),
    tags=("requestMetadata.*", "region", "inferenceRegion"),
)
_TOKENS = {
    "input": ("input.inputTokenCount", "output.outputBodyJson.usage.inputTokens"),
    "read": ("input.cacheReadInputTokenCount", "output.outputBodyJson.usage.cacheReadInputTokens"),
    "write": ("input.cacheWriteInputTokenCount", "output.outputBodyJson.usage.cacheWriteInputTokens"),
    "output": ("output.outputTokenCount", "output.outputBodyJson.usage.outputTokens"),
}


def recognises(item: Item) -> bool:
    """Tell whether `item` is an invocation log, or CloudWatch's envelope of some."""
    if item.get("schemaType") == "ModelInvocationLog" or ("modelId" in item and "requestId" in item):
        return True
    return "logEvents" in item and "logGroup" in item


def parts(item: Item) -> Sequence[Any]:
    """Give the logs in CloudWatch's envelope, or the one log."""
    if "logEvents" not in item:
        return (item,)
    return [_log(mapping(entry).get("message")) for entry in listed(item["logEvents"])]


def fields_of(item: Any, context: Context) -> dict[str, Any]:
    """Map one log onto the fields of a canonical event."""
    if not recognises(item):
        raise Unmappable("unknown_format", "an event of the log group is no model invocation log")
    provider, model = _model(text(item.get("modelId")))
    failed = bool(item.get("errorCode")) or text(item.get("status")).lower() in ("failed", "error")
    fields = {
        "id": item.get("requestId"),
        "source": "bedrock",
        "time": moment(item.get("timestamp")),
        "provider": provider,
        "model": model,
        "status": "error" if failed else "ok",
        "requests": 1,
        "steps": int("embed" not in model),
        **_tokens(item),
        **work_of(_calls(item), context.argument_hash),
        **owners([item], context.names),
    }
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _log(message: Any) -> Item:
    return mapping(decoded(message) if isinstance(message, str) else message)


def _tokens(item: Item) -> dict[str, int]:
    found = {what: count(first([item], names), names[0]) for what, names in _TOKENS.items()}
    return {
        "input_tokens": found["input"] + found["read"] + found["write"],
        "output_tokens": found["output"],
        "cache_read_tokens": found["read"],
        "cache_write_tokens": found["write"],
    }


def _model(model: str) -> tuple[str, str]:
    """A model's id is its name, or the ARN of a model or profile that ends in it."""
    return "bedrock", model.rpartition("/")[2] if model.startswith("arn:") else model


def _calls(item: Item) -> list[Call]:
    body = mapping(mapping(item.get("output")).get("outputBodyJson"))
    content = mapping(mapping(body.get("output")).get("message")).get("content")
    uses = (mapping(mapping(block).get("toolUse")) for block in listed(content))
    return [Call(text(use.get("name")), use.get("input")) for use in uses if use] or calls_of(body)


_WORDS = words_of(
    NAMES,
    *("schemaType", "schemaVersion", "timestamp", "requestId", "operation", "modelId", "status", "errorCode"),
    *(name.rpartition(".")[2] for names in _TOKENS.values() for name in names),
)
FORMAT = Format("bedrock", NAMES, recognises, each(fields_of), _WORDS, parts)
