"""LiteLLM's StandardLoggingPayload, as its proxy 1.x posts it and as older versions spelled it.

Only the fields named here are read; prompts, answers and tool arguments are left behind (arguments as a hash).
Facts: an unpriced model reports a cost of 0.0, so a zero cost is believed of cache hits and failures only.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from streamer.events.formats.base import Context, Format, Item, Names, Outcome, each, words_of
from streamer.events.formats.calls import calls_of, work_of
from streamer.events.formats.identity import is_unique
from streamer.events.formats.values import (
    count,
    first,
    inclusive,
    is_given,
    listed,
    mapping,
    moment,
    owners,
    text,
    with_reasoning,
)
from streamer.events.skipped import Skipped

_USAGE = {
    "input_tokens": ("prompt_tokens", "input_tokens"),
    "output_tokens": ("completion_tokens", "output_tokens"),
    "cache_read_tokens": (
        *("prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens", "cache_read_input_tokens"),
    ),
    "cache_write_tokens": (
        *("cache_creation_input_tokens", "prompt_tokens_details.cache_creation_tokens"),
        *("prompt_tokens_details.cache_write_tokens", "input_tokens_details.cache_write_tokens"),
    ),
    "reasoning_tokens": (*("completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens"),),
}
# Calls about a job of many calls: what they report is what the job has cost, once it is over.
_JOB = "_batch"
_STEPLESS = ("embedding", "image_generation", "rerank", "transcription", "speech", "moderation", _JOB)
# What the caller said in its request's metadata and tags goes before whom the proxy bills.
_ASKED = ("metadata.requester_metadata", "metadata.spend_logs_metadata")
_BILLED = ("team_alias", "team_id", "org_alias", "org_id", "alias", "user_id", "hash")
NAMES = Names(
    tenant=(
        *(f"{place}.tenant" for place in _ASKED),
        "request_tags.tenant",
        *(f"metadata.user_api_key_{name}" for name in _BILLED),
    ),
    use_case=(
        *(f"{place}.use_case" for place in _ASKED),
        "request_tags.use_case",
        "metadata.user_api_key_project_alias",
    ),
    agent=(*(f"{place}.{name}" for name in ("agent", "agent_name") for place in _ASKED), "request_tags.agent"),
    session=(*(f"{place}.session_id" for place in _ASKED), "session_id", "trace_id"),
    user=("end_user", "metadata.user_api_key_user_id"),
    cost=("response_cost", "cost", "spend", "cost_breakdown.total_cost"),
    tier=(
        *("cost_breakdown.service_tier", "response.service_tier", "response.usage.service_tier"),
        *("metadata.usage_object.service_tier", "model_parameters.service_tier"),
    ),
    tags=("request_tags.*", "request_labels.*"),
)


def recognises(item: Item) -> bool:
    """Tell whether `item` has the shape of a StandardLoggingPayload."""
    return "call_type" in item and ("litellm_call_id" in item or "startTime" in item)


def fields_of(item: Item, context: Context) -> Outcome:
    """Map one payload onto the fields of a canonical event; what is absent stays absent."""
    if text(item.get("call_type")).endswith(_JOB) and not _is_over(item, context):
        return Skipped("no_usage")
    metadata = mapping(item.get("metadata"))
    # Early versions say no status, but what went wrong.
    failed = item.get("status", "failure" if item.get("error_str") else "success") != "success"
    fields = {
        "id": _id(item),
        "source": "litellm",
        "time": moment(item.get("endTime") or item.get("startTime")),
        "status": "error" if failed else "ok",
        "api_key": text(metadata.get("user_api_key_alias") or metadata.get("user_api_key_hash")),
        "cost_usd": _cost(item, context, free=failed or item.get("cache_hit") is True),
        **owners_of(item, context.names),
        **_model(item),
        **_tokens(item, metadata),
        **_work(item, metadata, context),
    }
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _is_over(job: Item, context: Context) -> bool:
    return bool(_cost(job, context, free=False) or any(_tokens(job, mapping(job.get("metadata"))).values()))


def _id(item: Item) -> Any:
    """Give the id of the answer, with that of the call where answers of the same id may be others.

    A call that is tried again has one id for all its attempts, so it does not do by itself.
    """
    answer, call = item.get("id"), item.get("litellm_call_id") or item.get("request_id")
    if not isinstance(answer, str) or not isinstance(call, str) or answer == call:
        return answer or call
    return answer if is_unique(answer) else f"{call}-{answer}" if answer else call


def owners_of(item: Item, names: Names = NAMES) -> dict[str, Any]:
    """Say whose call it is; also of a call that is yet to be made, so that both go by the same names."""
    told = dict(_tags(item.get("request_tags")))
    # A tag without a value names nobody, also where it is called "tenant" or "agent".
    named = {name: value for name, value in told.items() if value}
    labels = {name: "true" for name, value in told.items() if not value}
    return owners([{**item, "request_tags": named, "request_labels": labels}], names)


def _tags(tags: Any) -> Iterable[tuple[str, str]]:
    for tag in listed(tags):
        if isinstance(tag, str) and not tag.startswith("User-Agent:"):
            name, _, value = tag.partition(":")
            if name.strip():
                yield name.strip(), value.strip()


def _model(item: Item) -> dict[str, Any]:
    model, provider = text(item.get("model")), text(item.get("custom_llm_provider"))
    if "/" in model:
        prefix, _, rest = model.partition("/")
        provider = provider or prefix
        model = rest if prefix == provider else model
    return {"model": model, "provider": provider}


def _tokens(item: Item, metadata: Item) -> dict[str, int]:
    """Read the counts that LiteLLM made itself, and their parts from the provider's usage, in each of its shapes."""
    usage = mapping(metadata.get("usage_object")) or mapping(mapping(item.get("response")).get("usage"))
    told = (item, usage)
    found = {field: count(first(told, names), names[0]) for field, names in _USAGE.items()}
    # Early versions leave the cached tokens out for some providers, and those of reasoning for xAI.
    beyond_input = count(item.get("total_tokens"), "total_tokens") - found["input_tokens"]
    found["output_tokens"] = with_reasoning(found["output_tokens"], found["reasoning_tokens"], beyond_input)
    found["input_tokens"] = inclusive(found["input_tokens"], found["cache_read_tokens"], found["cache_write_tokens"])
    return found


def _work(item: Item, metadata: Item, context: Context) -> dict[str, Any]:
    """Steps, requests and tool calls; a call of an MCP tool is an event of kind `tool`."""
    mcp = mapping(metadata.get("mcp_tool_call_metadata"))
    if mcp.get("name"):
        hashed = context.argument_hash(mcp.get("arguments"))
        return {"kind": "tool", "tool": text(mcp["name"]), "tool_args_hash": hashed, "tool_calls": 1}
    stepless = text(item.get("call_type")).endswith(_STEPLESS)
    return {"requests": 1, "steps": int(not stepless), **work_of(calls_of(item.get("response")), context.argument_hash)}


def _cost(item: Item, context: Context, *, free: bool) -> Decimal | None:
    given = first([item], context.names.cost)
    if isinstance(given, bool) or not isinstance(given, int | float | str) or not is_given(given):
        return None
    try:
        cost = Decimal(str(given))
    except ArithmeticError:
        return None
    return cost if cost or free else None


_WORDS = words_of(
    NAMES,
    *("id", "litellm_call_id", "call_type", "status", "startTime", "endTime", "completionStartTime", "request_tags"),
    *("model", "model_group", "model_id", "custom_llm_provider", "prompt_tokens", "completion_tokens", "total_tokens"),
)
FORMAT = Format("litellm", NAMES, recognises, each(fields_of), _WORDS)
