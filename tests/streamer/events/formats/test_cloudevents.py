"""CloudEvents in structured, batch and binary mode, as the SDK writes them, become the same usage event."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from streamer.events.decoder import Decoded, Decoder
from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent
from tests.streamer.samples import NOW, event

EXPECTED = UsageEvent(
    id="evt-0001",
    source="/agents/trip-planner",
    time=datetime(2026, 11, 20, 8, 30, 0, 123456, UTC),
    tenant="acme",
    session="42",
    provider="openai",
    model="gpt-4o-2024-08-06",
    input_tokens=1221,
    cache_read_tokens=1024,
    output_tokens=17,
    requests=1,
    cost_usd=Decimal("0.00194"),
    user="alice",
)


def decode(body: bytes, headers: dict[str, str] | None = None) -> list[Decoded]:
    return Decoder(default_tenant="acme").decode(body, NOW, headers)


def sent(folder: Path, name: str) -> tuple[bytes, dict[str, str]]:
    """The body and headers that a descriptor of a request or a Kafka record tells of."""
    descriptor = json.loads((folder / "cloudevents" / name).read_text())
    if "body_file" in descriptor:
        return (folder / "cloudevents" / descriptor["body_file"]).read_bytes(), descriptor["headers"]
    return descriptor.get("body", descriptor.get("value")).encode(), descriptor["headers"]


@pytest.mark.parametrize(
    "name", ["structured.http.json", "binary.http.json", "kafka-binary.json", "kafka-structured.json"]
)
def test_every_mode_and_transport_gives_the_same_event(payloads: Path, name: str) -> None:
    assert decode(*sent(payloads, name)) == [EXPECTED]


def test_a_structured_event_needs_no_headers(payloads: Path) -> None:
    assert decode((payloads / "cloudevents" / "structured.json").read_bytes()) == [EXPECTED]


def test_a_batch_gives_all_its_events(payloads: Path) -> None:
    results = decode(*sent(payloads, "batch.http.json"))
    events = [result for result in results if isinstance(result, UsageEvent)]
    assert [(e.id, e.input_tokens) for e in events] == [(f"evt-000{n}", 1220 + n) for n in range(1, 6)]


def test_binary_headers_are_percent_decoded(payloads: Path) -> None:
    _, headers = sent(payloads, "binary-nonascii.http.json")
    (result,) = decode(b'{"input_tokens": 3}', headers)
    assert isinstance(result, UsageEvent)
    assert result.source == "/agents/ünïcode agent"


def test_binary_data_that_are_no_json_are_rejected(payloads: Path) -> None:
    _, headers = sent(payloads, "binary-nonascii.http.json")
    (result,) = decode(b"\x00\x01\xfe\xff", headers)
    assert isinstance(result, Rejected)
    assert result.reason == "undecodable"


@pytest.mark.parametrize("name", ["structured-data_base64.json", "structured-text.json"])
def test_data_that_are_no_json_object_are_rejected(payloads: Path, name: str) -> None:
    (result,) = decode((payloads / "cloudevents" / name).read_bytes())
    assert isinstance(result, Rejected)
    assert result.reason == "wrong_type"


def test_an_event_with_other_data_than_usage_counts_as_one_request(payloads: Path) -> None:
    (result,) = decode((payloads / "cloudevents" / "structured-minimal-autofilled.json").read_bytes())
    assert isinstance(result, UsageEvent)
    assert (result.requests, result.tokens) == (1, 0)


def test_without_a_tenant_anywhere_an_event_is_rejected(payloads: Path) -> None:
    (result,) = Decoder().decode((payloads / "cloudevents" / "structured.json").read_bytes(), NOW)
    assert isinstance(result, Rejected)
    assert result.reason == "missing_tenant"


def wrapped(**changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": "usage",
        "source": "s",
        "id": "1",
        "time": "2026-11-20T08:30:00Z",
        "data": {"input_tokens": 5},
        **changes,
    }


@pytest.mark.parametrize("name", ["specversion", "type", "source"])
@pytest.mark.parametrize("value", [1.0, "", None])
def test_an_attribute_that_must_be_text_is_refused_where_it_is_none(name: str, value: Any) -> None:
    (result,) = decode(orjson.dumps({**wrapped(), name: value}))
    assert isinstance(result, Rejected)
    assert (result.reason, result.detail) == ("wrong_type", f"the CloudEvent's {name} is no text, or empty")


def test_a_tenant_among_the_attributes_does_not_hide_the_data() -> None:
    """With id, time and tenant outside, a CloudEvent looks canonical; its tokens are in the data all the same."""
    attributed = wrapped(tenant="beta", agent="triage", session="7")
    for record in (attributed, [attributed, attributed]):
        for result in decode(orjson.dumps(record)):
            assert isinstance(result, UsageEvent)
            assert (result.tenant, result.agent, result.session) == ("beta", "triage", "7")
            assert (result.input_tokens, result.requests) == (5, 1)


def test_the_headers_of_binary_mode_name_the_event_even_if_the_data_are_canonical() -> None:
    headers = {"ce_specversion": "1.0", "ce_type": "usage", "ce_source": "gateway", "ce_id": "outer"}
    (result,) = decode(orjson.dumps({"id": "inner", "time": "2026-11-20T08:30:00Z", "tenant": "beta"}), headers)
    assert isinstance(result, UsageEvent)
    assert (result.source, result.id, result.tenant) == ("gateway", "outer", "beta")


def test_base64_data_are_decoded() -> None:
    (result,) = decode(orjson.dumps(wrapped(data=None, data_base64="eyJpbnB1dF90b2tlbnMiOiA5fQ==")))
    assert isinstance(result, UsageEvent)
    assert result.input_tokens == 9


@pytest.mark.parametrize("data", [None, 5, "text", [], {"input_tokens": -1}])
def test_data_that_are_no_usage_are_rejected(data: Any) -> None:
    (result,) = decode(orjson.dumps(wrapped(data=data)))
    assert isinstance(result, Rejected)


def test_other_kinds_than_llm_are_no_requests() -> None:
    (result,) = decode(orjson.dumps(wrapped(data={"kind": "tool", "tool_calls": 1})))
    assert isinstance(result, UsageEvent)
    assert (result.requests, result.tool_calls) == (0, 1)


def test_headers_of_others_change_nothing() -> None:
    record = b'{"id": "1", "source": "test", "tenant": "acme", "time": "2026-11-22T12:00:00Z"}'
    assert decode(record, {"content-type": "application/json"}) == [event()]


def test_data_may_hold_the_usage_of_an_answer() -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 3}, "completion_tokens_details": {"reasoning_tokens": 2}}
    data = {"model": "gpt-4o", "usage": {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11, **details}}
    attributes = {"specversion": "1.0", "type": "t", "source": "s", "id": "1", "time": "2026-11-20T00:00:00Z"}
    (found,) = decode(orjson.dumps({**attributes, "data": data}))
    assert isinstance(found, UsageEvent)
    assert (found.input_tokens, found.output_tokens, found.cache_read_tokens, found.reasoning_tokens) == (5, 6, 3, 2)
    (found,) = decode(orjson.dumps({**attributes, "data": {**data, "input_tokens": 9}}))
    assert isinstance(found, UsageEvent)
    assert found.input_tokens == 9


def test_a_count_that_repeats_the_usages_gains_what_that_leaves_out() -> None:
    attributes = {"specversion": "1.0", "type": "t", "source": "s", "id": "1", "time": "2026-11-20T00:00:00Z"}
    usage = {"input_tokens": 10, "output_tokens": 6, "cache_read_input_tokens": 3000}
    (found,) = decode(orjson.dumps({**attributes, "data": {"model": "m", "input_tokens": 10, "usage": usage}}))
    assert isinstance(found, UsageEvent)
    assert (found.input_tokens, found.cache_read_tokens) == (3010, 3000)
    xai = {"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 94}}
    (found,) = decode(orjson.dumps({**attributes, "data": {"model": "m", "output_tokens": 9, "usage": xai}}))
    assert isinstance(found, UsageEvent)
    assert (found.output_tokens, found.reasoning_tokens) == (103, 94)
