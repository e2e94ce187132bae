"""Every payload that a real LiteLLM proxy posted becomes an event that says what the payload says."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from streamer.events.decoder import Decoder
from streamer.events.rejected import Rejected
from streamer.events.skipped import Skipped
from streamer.events.usage import UsageEvent
from tests.streamer.samples import NOW

FOLDER = "litellm/1.109.1"
SINGLE = f"{FOLDER}/single"
Payload = dict[str, Any]


def records(payloads: Path) -> Iterator[tuple[str, bytes, list[Payload]]]:
    """Each file that holds payloads: its name, its bytes, the payloads in it."""
    for path in sorted((payloads / FOLDER).rglob("*json")):
        if not path.name.endswith((".headers.json", "_results.json")):
            body = path.read_bytes()
            yield path.name, body, list(_items(path, body))


def _items(path: Path, body: bytes) -> Iterator[Payload]:
    if path.suffix == ".ndjson":
        yield from map(json.loads, body.splitlines())
        return
    whole = json.loads(body)
    yield from whole if isinstance(whole, list) else [whole]


@pytest.fixture
def pairs(payloads: Path) -> list[tuple[Payload, UsageEvent]]:
    """Each payload beside the event that came of it."""
    found: list[tuple[Payload, UsageEvent]] = []
    for name, body, items in records(payloads):
        decoded = Decoder(hash_key="k").decode(body, NOW)
        assert len(decoded) == len(items), name
        for item, result in zip(items, decoded, strict=True):
            assert isinstance(result, UsageEvent), (name, result)
            found.append((item, result))
    return found


def one(payloads: Path, name: str) -> tuple[Payload, UsageEvent]:
    """The one payload of a file, and its event."""
    body = (payloads / SINGLE / name).read_bytes()
    (result,) = Decoder().decode(body, NOW)
    assert isinstance(result, UsageEvent)
    return json.loads(body), result


def usage_of(payload: Payload) -> Payload:
    return payload["metadata"].get("usage_object") or {}


def test_there_is_an_event_for_each_payload(pairs: list[tuple[Payload, UsageEvent]]) -> None:
    assert len(pairs) == 101
    assert [event.id for _, event in pairs] == [payload["id"] for payload, _ in pairs]


def test_tokens_are_the_payloads_own(pairs: list[tuple[Payload, UsageEvent]]) -> None:
    for payload, event in pairs:
        assert (event.input_tokens, event.output_tokens) == (payload["prompt_tokens"], payload["completion_tokens"])
        assert event.tokens == payload["total_tokens"]


def test_cached_and_reasoning_tokens_are_those_of_the_usage_object(pairs: list[tuple[Payload, UsageEvent]]) -> None:
    for payload, event in pairs:
        usage = usage_of(payload)
        details = usage.get("prompt_tokens_details") or {}
        outcome = usage.get("completion_tokens_details") or {}
        assert event.cache_read_tokens == (details.get("cached_tokens") or 0)
        assert event.cache_write_tokens == (usage.get("cache_creation_input_tokens") or 0)
        assert event.reasoning_tokens == (outcome.get("reasoning_tokens") or 0)
    assert sum(event.cache_read_tokens for _, event in pairs) > 0
    assert sum(event.cache_write_tokens for _, event in pairs) > 0
    assert sum(event.reasoning_tokens for _, event in pairs) > 0


def test_costs_are_the_payloads_own_but_for_models_without_a_price(pairs: list[tuple[Payload, UsageEvent]]) -> None:
    """A zero of a success that no cache answered means that LiteLLM has no price: then the cost is left open."""
    for payload, event in pairs:
        unpriced = not payload["response_cost"] and payload["status"] == "success" and not payload["cache_hit"]
        assert event.cost_usd == (None if unpriced else Decimal(str(payload["response_cost"])))


def test_model_and_provider_are_told_apart(pairs: list[tuple[Payload, UsageEvent]]) -> None:
    for payload, event in pairs:
        assert event.provider == (payload["custom_llm_provider"] or "")
        assert event.model == payload["model"].removeprefix(f"{event.provider}/")
        assert "/" not in event.model


def test_session_time_status_and_user_are_the_payloads_own(pairs: list[tuple[Payload, UsageEvent]]) -> None:
    for payload, event in pairs:
        asked = payload["metadata"].get("requester_metadata") or {}
        assert event.session == asked.get("session_id", payload["trace_id"])
        assert event.time == datetime.fromtimestamp(round(payload["endTime"], 6), UTC)
        assert event.status == ("ok" if payload["status"] == "success" else "error")
        assert event.user == (payload["end_user"] or payload["metadata"]["user_api_key_user_id"] or "")


def test_each_call_is_one_request_and_embeddings_are_no_step(pairs: list[tuple[Payload, UsageEvent]]) -> None:
    for payload, event in pairs:
        assert event.requests == 1
        assert event.steps == (0 if "embedding" in payload["call_type"] else 1)


def test_a_session_header_is_the_session(payloads: Path) -> None:
    payload, event = one(payloads, "25-session-header.json")
    assert event.session == payload["trace_id"]
    assert event.session


def test_tags_lose_the_user_agent(payloads: Path) -> None:
    payload, event = one(payloads, "03-mock-tags.json")
    own = [tag for tag in payload["request_tags"] if not tag.startswith("User-Agent:")]
    assert own
    assert [f"{name}:{value}" if value else name for name, value in event.tags.items()] == own


def test_tool_calls_are_counted_and_their_arguments_hashed(payloads: Path) -> None:
    payload, event = one(payloads, "14-up-tools.json")
    (call,) = payload["response"]["choices"][0]["message"]["tool_calls"]
    assert (event.tool, event.tool_calls) == (call["function"]["name"], 1)
    assert len(event.tool_args_hash) == 32
    assert call["function"]["arguments"] not in str(event)


def test_the_arguments_hash_depends_on_the_key(payloads: Path) -> None:
    body = (payloads / SINGLE / "14-up-tools.json").read_bytes()
    hashes = [Decoder(hash_key=key).decode(body, NOW)[0].tool_args_hash for key in ("a", "a", "b")]  # type: ignore[union-attr]
    assert hashes[0] == hashes[1] != hashes[2]


def plain(**changes: Any) -> bytes:
    """A small payload of our own."""
    payload: Payload = {
        "id": "1",
        "call_type": "acompletion",
        "startTime": 1795310972.0,
        "endTime": 1795310973.5,
        "status": "success",
        "model": "openai/gpt-4o",
        "custom_llm_provider": "openai",
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "response_cost": 0.1,
        "metadata": {"user_api_key_team_alias": "growth"},
    }
    return orjson.dumps({**payload, **changes})


def decoded(**changes: Any) -> UsageEvent:
    (result,) = Decoder().decode(plain(**changes), NOW)
    assert isinstance(result, UsageEvent), result
    return result


def test_what_the_caller_said_in_its_metadata_goes_before_whom_the_proxy_bills() -> None:
    said = {"tenant": "acme", "use_case": "support", "agent": "triage", "session_id": "s1"}
    event = decoded(metadata={"user_api_key_team_alias": "growth", "requester_metadata": said})
    assert (event.tenant, event.use_case, event.agent, event.session) == ("acme", "support", "triage", "s1")
    assert decoded().tenant == "growth"


def test_tags_may_name_tenant_use_case_and_agent() -> None:
    event = decoded(request_tags=["tenant:acme", "use_case: support", "agent:triage", 7])
    assert (event.tenant, event.use_case, event.agent) == ("acme", "support", "triage")


@pytest.mark.parametrize("value", ["2026-11-22T01:29:33.500000Z", "2026-11-22T01:29:33.500", 1795310973.5])
def test_times_come_as_seconds_or_as_text_that_may_lack_its_zone(value: Any) -> None:
    assert decoded(endTime=value).time == datetime(2026, 11, 22, 1, 29, 33, 500_000, UTC)


@pytest.mark.parametrize("value", [1e300, -1e300, "yesterday", ""])
def test_a_time_that_is_none_is_rejected(value: Any) -> None:
    (result,) = Decoder().decode(plain(endTime=value, startTime=value), NOW)
    assert isinstance(result, Rejected)
    assert result.reason in ("impossible_time", "missing_time")


def test_an_mcp_call_is_an_event_of_kind_tool() -> None:
    call = {"name": "search_orders", "arguments": {"customer": 7}, "result": "secret"}
    event = decoded(metadata={"user_api_key_team_id": "t1", "mcp_tool_call_metadata": call})
    assert (event.kind, event.tool, event.tool_calls, event.requests) == ("tool", "search_orders", 1, 0)
    assert event.tool_args_hash


def test_without_anybody_to_bill_the_default_tenant_owns_the_event() -> None:
    (result,) = Decoder().decode(plain(metadata={}), NOW)
    assert isinstance(result, Rejected)
    assert result.reason == "missing_tenant"
    (owned,) = Decoder(default_tenant="nobody").decode(plain(metadata={}), NOW)
    assert isinstance(owned, UsageEvent)
    assert owned.tenant == "nobody"


def test_calls_whose_provider_draws_ids_from_a_few_hundred_are_told_apart_by_litellms_own() -> None:
    first, second = decoded(id="chatcmpl-712", litellm_call_id="a1"), decoded(id="chatcmpl-712", litellm_call_id="b2")
    assert first.id != second.id
    assert decoded(id="chatcmpl-712", litellm_call_id="a1").id == first.id


def test_a_call_that_failed_and_was_tried_again_is_two_of_the_same_call() -> None:
    assert decoded(id="a1", litellm_call_id="a1").id != decoded(id="chatcmpl-712", litellm_call_id="a1").id


@pytest.mark.parametrize("missing", [{"id": ""}, {"id": None}, {"litellm_call_id": None}])
def test_one_of_the_two_ids_will_do(missing: dict[str, Any]) -> None:
    assert decoded(**{"id": "chatcmpl-712", "litellm_call_id": "a1", **missing}).id in ("a1", "chatcmpl-712")


JOB: dict[str, Any] = {"id": "batch_abc1234567890123", "model": "", "prompt_tokens": 0, "completion_tokens": 0}


@pytest.mark.parametrize("call_type", ["acreate_batch", "aretrieve_batch", "retrieve_batch"])
def test_a_batch_that_is_not_over_is_no_usage(call_type: str) -> None:
    (result,) = Decoder().decode(plain(**JOB, call_type=call_type, response_cost=0.0), NOW)
    assert result == Skipped("no_usage")


def test_what_a_batch_cost_counts_once_it_is_over_however_often_it_was_asked_for() -> None:
    done = {**JOB, "call_type": "aretrieve_batch", "response_cost": 4.25, "prompt_tokens": 2_000_000}
    event, again = decoded(**done, litellm_call_id="p20"), decoded(**done, litellm_call_id="p21")
    assert (event.cost_usd, event.input_tokens, event.steps) == (Decimal("4.25"), 2_000_000, 0)
    assert event.id == again.id


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "sNaN", "1e9999999"])
def test_a_cost_that_is_no_amount_is_rejected(value: str) -> None:
    (result,) = Decoder().decode(plain(response_cost=value), NOW)
    assert isinstance(result, Rejected)
    assert result.reason == "wrong_type"
