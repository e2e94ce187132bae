"""What of LiteLLM's payloads is sent to Tidegate: no prompts, no answers, of tool arguments a hash."""

from collections.abc import Mapping, Sequence
from typing import Any

from streamer.events.formats.base import Names
from streamer.events.formats.calls import calls_of
from streamer.events.formats.litellm import NAMES
from streamer.events.formats.values import find, listed, mapping
from streamer.events.hashing import ArgumentHash

# What the decoder reads of a StandardLoggingPayload; everything else stays where it is.
_FIELDS = (
    *("id", "litellm_call_id", "trace_id", "session_id", "call_type", "status", "startTime", "endTime", "model"),
    *("model_group", "custom_llm_provider", "response_cost", "cache_hit", "prompt_tokens", "completion_tokens"),
    *("total_tokens", "end_user"),
)
_KEY = ("metadata.user_api_key_alias", "metadata.user_api_key_hash")
_LONGEST = 256
# Of a caller's tags, so many and so much: a batch of calls has to be a record that Kafka takes.
_MOST_TAGS, _LONGEST_TAG = 128, 1024


def stripped(payload: Mapping[str, Any], argument_hash: ArgumentHash, names: Names = NAMES) -> dict[str, Any]:
    """Give of a StandardLoggingPayload what Tidegate reads: no prompts, no answers, of tool arguments a hash.

    `names` say where it names whose call it is; what stands there is sent, if it is a single value.
    """
    sent = {name: payload[name] for name in _FIELDS if payload.get(name) is not None}
    if tags := _tags(payload.get("request_tags")):
        sent["request_tags"] = tags
    sent["metadata"] = _metadata(_dict(payload.get("metadata")), argument_hash)
    for name in (*_KEY, *(name for field in names.__struct_fields__ for name in getattr(names, field))):
        if name.endswith(".*"):
            for inner, value in mapping(find(payload, name[:-2])).items():
                _put(sent, [*name[:-2].split("."), inner], value)
        else:
            _put(sent, name.split("."), find(payload, name))
    # Whatever the API: an answer of the provider's own shape is told as one of Chat Completions.
    calls = [
        {"function": {"name": call.name, "arguments": argument_hash(call.arguments)}}
        for call in calls_of(payload.get("response"))
    ]
    if calls:
        sent.setdefault("response", {})["choices"] = [{"message": {"tool_calls": calls}}]
    return sent


def _tags(tags: Any) -> list[str]:
    return [tag[:_LONGEST_TAG] for tag in listed(tags)[:_MOST_TAGS] if isinstance(tag, str)]


def _put(into: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Put a single value where its dotted name leads; what is nested or nothing is left behind."""
    if not isinstance(value, str | int | float):
        return
    for part in path[:-1]:
        into = into.setdefault(part, {})
        if not isinstance(into, dict):
            return
    into.setdefault(path[-1], value[:_LONGEST] if isinstance(value, str) else value)


def _metadata(metadata: Mapping[str, Any], argument_hash: ArgumentHash) -> dict[str, Any]:
    sent: dict[str, Any] = {"usage_object": dict(_dict(metadata.get("usage_object")))}
    mcp = _dict(metadata.get("mcp_tool_call_metadata"))
    if mcp.get("name"):
        sent["mcp_tool_call_metadata"] = {"name": mcp["name"], "arguments": argument_hash(mcp.get("arguments"))}
    return {name: value for name, value in sent.items() if value}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
