"""LiteLLM's StandardLoggingPayload, as its proxy 1.x posts it and as older versions spelled it.

Only the fields named here are read; prompts, answers and tool arguments are left behind (arguments as a hash).
Facts: an unpriced model reports a cost of 0.0, so a zero cost is believed of cache hits and failures only.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from streamer.events.hashing import ArgumentHash

_STEPLESS = ("embedding", "aembedding", "image_generation", "rerank", "arerank", "transcription", "speech")


def recognises(item: Mapping[str, Any]) -> bool:
    """Tell whether `item` has the shape of a StandardLoggingPayload."""
    return "call_type" in item and ("litellm_call_id" in item or "startTime" in item)


def fields_of(item: Mapping[str, Any], argument_hash: ArgumentHash) -> dict[str, Any]:
    """Map one payload onto the fields of a canonical event; what is absent stays absent."""
    metadata = _dict(item.get("metadata"))
    fields = {
        "id": item.get("id") or item.get("litellm_call_id"),
        "source": "litellm",
        "time": _time(item.get("endTime") or item.get("startTime")),
        "user": item.get("end_user") or metadata.get("user_api_key_user_id"),
        "api_key": metadata.get("user_api_key_alias") or metadata.get("user_api_key_hash"),
        "status": "ok" if item.get("status") == "success" else "error",
        "tags": dict(_tags(item.get("request_tags"))),
        **identity_of(item),
        **_model(item),
        **_tokens(item, metadata),
        **_work(item, metadata, argument_hash),
    }
    fields["cost_usd"] = _cost(item, fields)
    return {name: value for name, value in fields.items() if value not in (None, "")}


def identity_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """Say whose call it is; also of a call that is yet to be made, so that both go by the same names."""
    metadata = _dict(item.get("metadata"))
    asked = {**_dict(metadata.get("spend_logs_metadata")), **_dict(metadata.get("requester_metadata"))}
    tags = dict(_tags(item.get("request_tags")))
    return {
        "tenant": asked.get("tenant") or tags.get("tenant") or _tenant(metadata),
        "use_case": asked.get("use_case") or tags.get("use_case") or metadata.get("user_api_key_project_alias"),
        "agent": asked.get("agent") or asked.get("agent_name") or tags.get("agent"),
        "session": asked.get("session_id") or item.get("session_id") or item.get("trace_id"),
    }


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _tenant(metadata: Mapping[str, Any]) -> Any:
    """Whoever the proxy bills: the team, else the organisation, else the key's alias, user or hash."""
    names = ("team_alias", "team_id", "org_alias", "org_id", "alias", "user_id", "hash")
    return next((metadata[f"user_api_key_{name}"] for name in names if metadata.get(f"user_api_key_{name}")), None)


def _tags(tags: Any) -> Iterable[tuple[str, str]]:
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, str) and not tag.startswith("User-Agent:"):
            name, _, value = tag.partition(":")
            yield name.strip(), value.strip()


def _time(value: Any) -> Any:
    """Times come as float seconds, or as ISO text that may lack its zone (then it is UTC)."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _moment(value)
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(seconds: float) -> Any:
    try:
        return datetime.fromtimestamp(round(seconds, 6), UTC)
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _model(item: Mapping[str, Any]) -> dict[str, Any]:
    model, provider = item.get("model"), item.get("custom_llm_provider")
    if isinstance(model, str) and "/" in model:
        prefix, _, rest = model.partition("/")
        provider = provider or prefix
        model = rest if prefix == provider else model
    return {"model": model, "provider": provider}


def _tokens(item: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    usage = _dict(metadata.get("usage_object"))
    read = _dict(usage.get("prompt_tokens_details")).get("cached_tokens") or usage.get("cache_read_input_tokens")
    written = usage.get("cache_creation_input_tokens")
    reasoning = _dict(usage.get("completion_tokens_details")).get("reasoning_tokens")
    return {
        "input_tokens": item.get("prompt_tokens"),
        "output_tokens": item.get("completion_tokens"),
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "reasoning_tokens": reasoning,
    }


def _work(item: Mapping[str, Any], metadata: Mapping[str, Any], argument_hash: ArgumentHash) -> dict[str, Any]:
    """Steps, requests and tool calls; a call of an MCP tool is an event of kind `tool`."""
    mcp = _dict(metadata.get("mcp_tool_call_metadata"))
    if mcp.get("name"):
        hashed = argument_hash(mcp.get("arguments"))
        return {"kind": "tool", "tool": mcp["name"], "tool_args_hash": hashed, "tool_calls": 1}
    calls = list(_calls(item.get("response")))
    work: dict[str, Any] = {"requests": 1, "steps": int(item.get("call_type") not in _STEPLESS)}
    if calls:
        work |= {
            "tool_calls": len(calls),
            "tool": str(calls[0].get("name")),
            "tool_args_hash": argument_hash(calls),
        }
    return work


def _calls(response: Any) -> Iterable[dict[str, Any]]:
    for choice in _list(_dict(response).get("choices")):
        for call in _list(_dict(_dict(choice).get("message")).get("tool_calls")):
            function = _dict(_dict(call).get("function"))
            yield {"name": function.get("name"), "arguments": function.get("arguments")}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _cost(item: Mapping[str, Any], fields: Mapping[str, Any]) -> Decimal | None:
    given = item.get("response_cost")
    given = item.get("cost") if given is None else given
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        cost = Decimal(str(given))
    except ArithmeticError:
        return None
    free = item.get("cache_hit") is True or fields["status"] == "error"
    return cost if cost or free else None
