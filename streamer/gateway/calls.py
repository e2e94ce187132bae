"""LiteLLM's calls before they are made: whose they are, and what a decision changes about them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from alerts.throttle.admission import Decision, Request
from streamer.events.formats.base import Names
from streamer.events.formats.litellm import NAMES, owners_of

# How the types of calls end that a language model answers, whatever the API; others cannot be asked of another model.
_ANSWERED = ("completion", "responses", "anthropic_messages", "generate_content", "generate_content_stream")


def request_of(data: Mapping[str, Any], default_tenant: str = "", names: Names = NAMES) -> Request | None:
    """Say whose call it is, by the same names under which its usage is reported; None where that names no tenant."""
    metadata = {**_dict(data.get("metadata")), **_dict(data.get("litellm_metadata"))}
    named = {"metadata": {"requester_metadata": metadata, **metadata}, "request_tags": metadata.get("tags")}
    sessions = (
        *map(data.get, ("litellm_session_id", "litellm_trace_id")),
        *map(metadata.get, ("session_id", "trace_id")),
    )
    owners = owners_of({**named, "trace_id": next((session for session in sessions if session), "")}, names)
    tenant = owners.get("tenant") or default_tenant
    if not tenant:
        return None
    parts = {name: str(owners.get(name) or "") for name in ("use_case", "agent", "session")}
    tools = tuple(name for name in map(_tool_name, _list(data.get("tools"))) if name)
    tool = str(data.get("mcp_tool_name") or "")
    return Request(tenant=str(tenant), model=str(data.get("model") or ""), tool=tool, tools=tools, **parts)


def tool_request(
    data: Mapping[str, Any],
    caller: Request | None,
    *,
    key: Mapping[str, Any],
    session: str,
    default_tenant: str = "",
    names: Names = NAMES,
) -> Request | None:
    """Say whose call of an MCP tool it is: that of the `caller` in whose request it is made, where that is known.

    Else LiteLLM tells of it only its headers, which name the tags and the `session`, and the API key (as
    `user_api_key_...`).
    """
    if caller is not None:
        return msgspec.structs.replace(caller, model="", tool=str(data["mcp_tool_name"]), tools=())
    metadata = _dict(data.get("metadata"))
    tags = [tag.strip() for tag in str(_dict(metadata.get("headers")).get("x-litellm-tags") or "").split(",")]
    told = {**data, "model": "", "litellm_session_id": session, "metadata": {**metadata, **key, "tags": tags}}
    return request_of(told, default_tenant, names)


def changed(data: dict[str, Any], decision: Decision, call_type: str) -> dict[str, Any]:
    """Let a call go to another model, if a model answers it in words, or without some tools."""
    if decision.model and call_type.endswith(_ANSWERED):
        data["model"] = decision.model
    if decision.without:
        data["tools"] = [tool for tool in data["tools"] if _tool_name(tool) not in decision.without]
        if not data["tools"] or _tool_name(data.get("tool_choice")) in decision.without:
            data.pop("tool_choice", None)
        if not data["tools"]:
            del data["tools"]
            data.pop("parallel_tool_calls", None)
    return data


def _tool_name(tool: Any) -> str:
    """Name a tool, however the API spells it: chat completions within `function`, others by itself."""
    named = _dict(tool)
    return str(_dict(named.get("function")).get("name") or named.get("name") or "")


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
