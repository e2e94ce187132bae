"""LiteLLM's payloads: an array, one a line, or one alone."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.streamer.events.formats.payloads.told import Told, at, deep, hashed, told


def expected(path: Path) -> list[Told]:
    return list(map(_told, _payloads(path)))


def _payloads(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".ndjson":
        return [json.loads(line) for line in path.read_text().splitlines()]
    whole = json.loads(path.read_text())
    return whole if isinstance(whole, list) else [whole]


def _told(payload: dict[str, Any]) -> Told:
    metadata, provider = payload["metadata"], payload["custom_llm_provider"] or ""
    usage, asked = metadata.get("usage_object") or {}, metadata.get("requester_metadata") or {}
    failed = payload["status"] != "success"
    # LiteLLM says 0 for what it has no price for; a failure costs nothing, nor does what its cache answers.
    believed = payload["response_cost"] or failed or payload["cache_hit"]
    key = metadata["user_api_key_alias"] or metadata["user_api_key_hash"]
    return told(
        id=payload["id"],
        source="litellm",
        time=at(round(Decimal(repr(payload["endTime"])) * 1_000_000)),
        tenant=_owner(metadata),
        session=asked.get("session_id") or payload["trace_id"],
        provider=provider,
        model=payload["model"].removeprefix(f"{provider}/"),
        input_tokens=payload["prompt_tokens"],
        output_tokens=payload["completion_tokens"],
        cache_read_tokens=deep(usage, "prompt_tokens_details", "cached_tokens") or 0,
        cache_write_tokens=usage.get("cache_creation_input_tokens") or 0,
        reasoning_tokens=deep(usage, "completion_tokens_details", "reasoning_tokens") or 0,
        requests=1,
        steps=0 if payload["call_type"] == "aembedding" else 1,
        status="error" if failed else "ok",
        user=payload["end_user"] or metadata["user_api_key_user_id"],
        api_key=key,
        cost_usd=Decimal(repr(payload["response_cost"])) if believed else None,
        tags=dict(_tags(payload)),
        **_calls(payload),
    )


def _owner(metadata: dict[str, Any]) -> str:
    billed = ("team_alias", "team_id", "org_alias", "org_id", "alias", "user_id", "hash")
    return next(filter(None, (metadata.get(f"user_api_key_{name}") for name in billed)), "nobody")


def _tags(payload: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for tag in payload["request_tags"]:
        name, _, value = tag.partition(":")
        if name != "User-Agent":
            yield name, value or "true"
    served = deep(payload, "response", "service_tier") or deep(payload, "metadata", "usage_object", "service_tier")
    if served:
        yield "service_tier", served


def _calls(payload: dict[str, Any]) -> dict[str, Any]:
    choices = deep(payload, "response", "choices") or []
    functions = [call["function"] for one in choices for call in deep(one, "message", "tool_calls") or []]
    if not functions:
        return {}
    (function,) = functions
    return {"tool": function["name"], "tool_calls": 1, "tool_args_hash": hashed(function["arguments"])}
