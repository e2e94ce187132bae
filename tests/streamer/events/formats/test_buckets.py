"""Pages and buckets of the usage and cost APIs of OpenAI and Anthropic."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from streamer.events.decoder import Decoded, Decoder
from streamer.events.rejected import Rejected
from streamer.events.skipped import Skipped
from streamer.events.usage import UsageEvent
from tests.streamer.samples import NOW

# After the day whose costs the payload has.
LATER = NOW + 86_400


def decode(record: Any, now: float = NOW, **settings: Any) -> list[Decoded]:
    return Decoder(**settings).decode(record if isinstance(record, bytes) else orjson.dumps(record), now)


def events(record: Any, now: float = NOW, **settings: Any) -> list[UsageEvent]:
    found = decode(record, now, **settings)
    assert all(isinstance(item, UsageEvent) for item in found), found
    return [item for item in found if isinstance(item, UsageEvent)]


def payload(payloads: Path, name: str) -> Any:
    return json.loads((payloads / "other" / f"{name}.handmade.json").read_text())


def test_openais_results_are_events_of_their_buckets_beginning(payloads: Path) -> None:
    page = payload(payloads, "openai_usage_completions")
    bucket = page["data"][0]
    for result, event in zip(bucket["results"], events(page), strict=True):
        assert event.time == datetime.fromtimestamp(bucket["start_time"], UTC)
        assert (event.input_tokens, event.output_tokens) == (result["input_tokens"], result["output_tokens"])
        assert event.cache_read_tokens == result["input_cached_tokens"]
        assert event.cache_write_tokens == result.get("input_cache_write_tokens", 0)
        assert event.requests == result["num_model_requests"]
        assert (event.provider, event.model, event.tenant) == ("openai", result["model"], result["project_id"])
        assert (event.user, event.api_key) == (result["user_id"] or "", result["api_key_id"] or "")
        assert event.tags["batch"] == str(result["batch"]).lower()


def test_openais_costs_are_events_with_an_amount(payloads: Path) -> None:
    page = payload(payloads, "openai_costs")
    results = page["data"][0]["results"]
    found = events(page, LATER)
    assert [event.cost_usd for event in found] == [Decimal(str(result["amount"]["value"])) for result in results]
    assert {event.model for event in found} == {"gpt-4o-2024-08-06"}
    assert [event.tags["line_item"] for event in found] == [result["line_item"] for result in results]


def test_a_bucket_that_is_not_over_is_refused_until_it_is(payloads: Path) -> None:
    page = payload(payloads, "openai_costs")
    assert [item.reason for item in decode(page, NOW) if isinstance(item, Rejected)] == ["impossible_time"] * 2
    assert len(events(page, LATER)) == 2


@pytest.mark.parametrize("name", ["anthropic_admin_usage_report_messages", "anthropic_analytics_usage_report"])
def test_anthropics_input_gains_what_was_cached(payloads: Path, name: str) -> None:
    page = payload(payloads, name)
    (result,) = page["data"][0]["results"]
    (event,) = events(page, default_tenant="acme")
    written = sum(result["cache_creation"].values())
    assert event.input_tokens == result["uncached_input_tokens"] + result["cache_read_input_tokens"] + written
    assert (event.cache_read_tokens, event.cache_write_tokens) == (result["cache_read_input_tokens"], written)
    assert (event.output_tokens, event.requests) == (result["output_tokens"], result.get("requests", 0))
    assert event.tool_calls == result["server_tool_use"]["web_search_requests"]
    assert (event.provider, event.model) == ("anthropic", result["model"])
    assert event.time == datetime(2026, 11, 20, tzinfo=UTC)
    assert event.tenant == result.get("workspace_id", "acme")
    assert event.use_case == result.get("product", "")
    assert event.api_key == result.get("api_key_id", "")


@pytest.mark.parametrize("name", ["anthropic_admin_cost_report", "anthropic_analytics_cost_report"])
def test_anthropics_amounts_are_cents(payloads: Path, name: str) -> None:
    page = payload(payloads, name)
    (result,) = page["data"][0]["results"]
    (event,) = events(page, default_tenant="acme")
    assert event.cost_usd == Decimal(result["amount"]) / 100
    assert event.tags["token_type"] == result["token_type"]


@pytest.mark.parametrize("name", ["openai_usage_completions", "anthropic_admin_usage_report_messages"])
def test_buckets_may_come_one_by_one(payloads: Path, name: str) -> None:
    page = payload(payloads, name)
    filled = [bucket for bucket in page["data"] if bucket["results"]]
    assert events(filled) == events(page)
    assert decode({**filled[0], "results": []}) == [Skipped("no_usage")]


@pytest.mark.parametrize("page", [{"object": "page", "data": []}, {"data": [], "has_more": False}])
def test_an_empty_page_has_nothing_to_count(page: Any) -> None:
    assert decode(page) == [Skipped("no_usage")]


def test_a_bucket_that_comes_again_with_other_counts_is_the_same() -> None:
    bucket = {"start_time": 1795219200, "end_time": 1795222800, "results": [{"project_id": "p", "model": "m"}]}
    result = bucket["results"][0]  # type: ignore[index]
    (before,) = events({**bucket, "results": [{**result, "input_tokens": 5}]})
    (after,) = events({**bucket, "results": [{**result, "input_tokens": 6}]})
    (other,) = events({**bucket, "results": [{**result, "input_tokens": 5, "user_id": "u"}]})
    (next_one,) = events({**bucket, "start_time": 1795222800, "end_time": 1795226400})
    assert before.id == after.id
    assert len({before.id, other.id, next_one.id}) == 3


def test_other_services_count_what_they_count() -> None:
    bucket = {"start_time": 1795219200, "end_time": 1795222800}
    result = {"object": "organization.usage.code_interpreter_sessions.result", "num_sessions": 4, "project_id": "p"}
    (event,) = events({**bucket, "results": [result]})
    assert (event.kind, event.quantity, event.unit) == ("saas", 4, "sessions")


@pytest.mark.parametrize(
    ("told", "least"),
    [
        ({"context_window": "0-200k"}, "0"),
        ({"context_window": "200k-1M"}, "200001"),
        ({}, "0"),
        ({"requests": 5}, None),
        ({"requests": 5, "context_window": "200k-1M"}, "200001"),
    ],
)
def test_a_day_of_short_requests_at_anthropic_is_no_long_one(told: dict[str, Any], least: str | None) -> None:
    result = {"model": "claude-sonnet-4-5", "uncached_input_tokens": 9_000_000, **told}
    bucket = {"starting_at": "2026-11-20T00:00:00Z", "ending_at": "2026-11-21T00:00:00Z", "results": [result]}
    (event,) = events(bucket, default_tenant="acme")
    assert event.tags.get("request_input_tokens") == least
