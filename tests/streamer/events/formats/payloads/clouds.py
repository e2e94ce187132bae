"""Pages of the usage and cost APIs of OpenAI and Anthropic, and Bedrock's invocation log."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.streamer.events.formats.payloads.told import HASHED, Expected, Refused, Told, told

Result = dict[str, Any]
_LISTED = {
    **{"gpt-4o-2024-08-06": "gpt-4o", "o4-mini-2025-04-16": "o4-mini"},
    **{"claude-sonnet-4-5-20250929": "claude-sonnet-4-5", "claude-sonnet-4-5": "claude-sonnet-4-5"},
}


def _results(path: Path) -> Iterator[tuple[Any, Result]]:
    """Each result with the beginning of its bucket."""
    for bucket in json.loads(path.read_text())["data"]:
        for result in bucket["results"]:
            yield bucket.get("start_time") or bucket["starting_at"], result


def openai_usage(path: Path) -> list[Expected]:
    return [
        told(
            listed=_LISTED[result["model"]],
            share="0.5" if result["batch"] else "1",
            model=result["model"],
            input_tokens=result["input_tokens"],
            output_tokens=result["output_tokens"],
            cache_read_tokens=result["input_cached_tokens"],
            cache_write_tokens=result.get("input_cache_write_tokens", 0),
            requests=result["num_model_requests"],
            tags={
                "batch": str(result["batch"]).lower(),
                "service_tier": "batch" if result["batch"] else result["service_tier"],
            },
            **_of_openai(start, result),
        )
        for start, result in _results(path)
    ]


def openai_costs(path: Path) -> list[Expected]:
    return [
        told(
            model=result["line_item"].split(",")[0],
            cost_usd=Decimal(str(result["amount"]["value"])),
            tags={"line_item": result["line_item"]},
            **_of_openai(start, result),
        )
        for start, result in _results(path)
    ]


def _of_openai(start: int, result: Result) -> dict[str, Any]:
    return {
        **{"id": HASHED, "source": "openai-usage", "provider": "openai", "time": datetime.fromtimestamp(start, UTC)},
        **{"tenant": result["project_id"], "user": result.get("user_id"), "api_key": result.get("api_key_id")},
    }


def anthropic_usage(path: Path) -> list[Expected]:
    return [
        told(
            listed=_LISTED[result["model"]],
            input_tokens=result["uncached_input_tokens"] + result["cache_read_input_tokens"] + _written(result),
            output_tokens=result["output_tokens"],
            cache_read_tokens=result["cache_read_input_tokens"],
            cache_write_tokens=_written(result),
            requests=result.get("requests", 0),
            tool_calls=result["server_tool_use"]["web_search_requests"],
            **_of_anthropic(start, result),
        )
        for start, result in _results(path)
    ]


def _written(result: Result) -> int:
    return sum(result["cache_creation"].values())


def anthropic_costs(path: Path) -> list[Expected]:
    return [
        told(cost_usd=Decimal(result["amount"]) / 100, **_of_anthropic(start, result))
        for start, result in _results(path)
    ]


def _of_anthropic(start: str, result: Result) -> dict[str, Any]:
    tags = ("context_window", "inference_geo", "cost_type", "token_type", "service_tier")
    told_of = {name: result[name] for name in tags if result.get(name)}
    if "uncached_input_tokens" in result and not result.get("requests"):  # of nobody knows how many requests
        told_of["request_input_tokens"] = "0"
    return {
        **{"id": HASHED, "source": "anthropic-usage", "provider": "anthropic", "time": datetime.fromisoformat(start)},
        **{"tenant": result.get("workspace_id", "nobody"), "use_case": result.get("product"), "model": result["model"]},
        **{"api_key": result.get("api_key_id"), "tags": told_of},
    }


def bedrock(path: Path) -> list[Expected]:
    log = json.loads(path.read_text())
    read, written = log["input"]["cacheReadInputTokenCount"], log["input"]["cacheWriteInputTokenCount"]
    made: Told = told(
        listed="claude-3-5-sonnet",
        id=log["requestId"],
        source="bedrock",
        time=datetime.fromisoformat(log["timestamp"]),
        tenant=log["requestMetadata"]["team"],
        provider="bedrock",
        model=log["modelId"],
        input_tokens=log["input"]["inputTokenCount"] + read + written,
        output_tokens=log["output"]["outputTokenCount"],
        cache_read_tokens=read,
        cache_write_tokens=written,
        requests=1,
        steps=1,
        user=log["identity"]["arn"],
        tags={"team": log["requestMetadata"]["team"], "region": log["region"]},
    )
    return [made]


def no_log(_: Path) -> list[Expected]:
    """An answer of Bedrock's API: it says neither whose it is nor when it was."""
    return [Refused("unknown_format")]
