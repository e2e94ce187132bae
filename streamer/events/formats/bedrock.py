"""Bedrock's model invocation logs, one by one as S3 has them, or in CloudWatch's envelope; bodies are never kept.

Bedrock's `inputTokenCount` leaves the cached tokens out, as the API's `totalTokens` shows: here they are added.
"""

from collections.abc import Sequence
from typing import Any

from streamer.events.formats.base import Context, Format, Item, Names, Unmappable, each, words_of
from streamer.events.formats.calls import Call, calls_of, work_of
from streamer.events.formats.values import count, decoded, find, first, listed, mapping, moment, owners, text

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
# The log's own counts, then those of the answer's body: of Converse, Claude, Llama, Titan and of OpenAI's kind.
_TOKENS = {
    "input": (
        *("input.inputTokenCount", "usage.inputTokens", "usage.input_tokens", "prompt_token_count"),
        *("inputTextTokenCount", "usage.prompt_tokens"),
    ),
    "read": (
        *("input.cacheReadInputTokenCount", "usage.cacheReadInputTokens", "usage.cacheReadInputTokenCount"),
        "usage.cache_read_input_tokens",
    ),
    "write": (
        *("input.cacheWriteInputTokenCount", "usage.cacheWriteInputTokens", "usage.cacheWriteInputTokenCount"),
        "usage.cache_creation_input_tokens",
    ),
    "output": (
        *("output.outputTokenCount", "usage.outputTokens", "usage.output_tokens", "generation_token_count"),
        "usage.completion_tokens",
    ),
}
# What comes last in the answer of a stream, and how it is called here.
_METRICS = {
    **{"inputTokenCount": "inputTokens", "outputTokenCount": "outputTokens"},
    **{"cacheReadInputTokenCount": "cacheReadInputTokens", "cacheWriteInputTokenCount": "cacheWriteInputTokens"},
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
    if item.get("messageType") == "CONTROL_MESSAGE":  # CloudWatch asks whether anybody is there
        return ()
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
        **_tokens(item, body := _body(item)),
        **work_of(_calls(body), context.argument_hash),
        **owners([item], context.names),
    }
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _log(message: Any) -> Item:
    return mapping(decoded(message) if isinstance(message, str) else message)


def _body(item: Item) -> Item:
    """Give the answer's body; that of a stream is put together from its chunks."""
    body = mapping(item.get("output")).get("outputBodyJson")
    return _streamed([mapping(chunk) for chunk in listed(body)]) if listed(body) else mapping(body)


def _streamed(chunks: Sequence[Item]) -> Item:
    usage: dict[str, Any] = {}
    blocks: list[dict[str, Any]] = []
    for chunk in chunks:
        metrics = mapping(chunk.get("amazon-bedrock-invocationMetrics"))
        for holder in (mapping(chunk.get("message")), chunk, mapping(chunk.get("metadata"))):
            usage |= mapping(holder.get("usage"))
        usage |= {known: metrics[name] for name, known in _METRICS.items() if name in metrics}
        if block := _begun(chunk):
            blocks.append({**block, "input": ""})
        if blocks and isinstance(part := _input(chunk), str):
            blocks[-1]["input"] += part
    return {"usage": usage, "content": blocks}


def _begun(chunk: Item) -> dict[str, Any]:
    """Give the block that a chunk begins: Claude's, or a call of a tool of Nova's."""
    if block := mapping(chunk.get("content_block")):
        return {"type": block.get("type"), "name": block.get("name")}
    use = mapping(find(chunk, "contentBlockStart.start.toolUse"))
    return {"type": "tool_use", "name": use.get("name")} if use else {}


def _input(chunk: Item) -> Any:
    found = find(chunk, "delta.partial_json")
    return find(chunk, "contentBlockDelta.delta.toolUse.input") if found is None else found


def _tokens(item: Item, body: Item) -> dict[str, int]:
    found = {what: count(first([item, body], names), names[0]) for what, names in _TOKENS.items()}
    if not found["output"]:  # Titan counts each of its results
        found["output"] = sum(
            count(mapping(one).get("tokenCount"), "tokenCount") for one in listed(body.get("results"))
        )
    return {
        "input_tokens": found["input"] + found["read"] + found["write"],
        "output_tokens": found["output"],
        "cache_read_tokens": found["read"],
        "cache_write_tokens": found["write"],
    }


def _model(model: str) -> tuple[str, str]:
    """A model's id is its name, or the ARN of a model or profile that ends in it."""
    return "bedrock", model.rpartition("/")[2] if model.startswith("arn:") else model


def _calls(body: Item) -> list[Call]:
    content = mapping(mapping(body.get("output")).get("message")).get("content")
    uses = (mapping(mapping(block).get("toolUse")) for block in listed(content))
    return [Call(text(use.get("name")), use.get("input")) for use in uses if use] or calls_of(body)


_WORDS = words_of(
    NAMES,
    *("schemaType", "schemaVersion", "timestamp", "requestId", "operation", "modelId", "status", "errorCode"),
    *(name.rpartition(".")[2] for names in _TOKENS.values() for name in names),
)
FORMAT = Format("bedrock", NAMES, recognises, each(fields_of), _WORDS, parts)
