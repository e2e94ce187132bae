"""Every export request that a real instrumentation sent becomes events that say what its spans say."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from streamer.events.decoder import Decoded, Decoder
from streamer.events.formats import otel
from streamer.events.formats.base import Names
from streamer.events.formats.spans import MOST_SPANS
from streamer.events.rejected import Rejected
from streamer.events.skipped import Skipped
from streamer.events.usage import UsageEvent
from tests.streamer.samples import NOW

PROTOBUF = {"content-type": "application/x-protobuf"}
REQUESTS = [
    "agent-sdk/traces.pb",
    "agent-sdk/traces.converted.json",
    "agent-sdk-json/traces.otlp.json",
    "genai-openai-default/traces.pb",
    "genai-openai-default/traces.converted.json",
    "genai-openai-default/traces.WRONG-plain-json_format.json",
    "genai-openai-json/traces.otlp.json",
    "openai-v2-latest/traces.pb",
    "openai-v2-latest/traces.converted.json",
    "traceloop-default/traces.pb",
    "traceloop-default/traces.converted.json",
]
SAME = [
    ("agent-sdk/traces.pb", "agent-sdk/traces.converted.json"),
    ("genai-openai-default/traces.pb", "genai-openai-default/traces.converted.json"),
    ("genai-openai-default/traces.pb", "genai-openai-default/traces.WRONG-plain-json_format.json"),
    ("openai-v2-latest/traces.pb", "openai-v2-latest/traces.converted.json"),
    ("traceloop-default/traces.pb", "traceloop-default/traces.converted.json"),
]
# What only OpenLLMetry says, by the names of today's conventions.
ALSO = {"gen_ai.usage.reasoning.output_tokens": "gen_ai.usage.reasoning_tokens", "user.id": "gen_ai.user"}


def decode(record: bytes, headers: dict[str, str] | None = None) -> list[Decoded]:
    return Decoder(hash_key="k").decode(record, NOW, headers)


def decoded(payloads: Path, name: str) -> list[Decoded]:
    return decode((payloads / "otel" / name).read_bytes(), PROTOBUF if name.endswith(".pb") else None)


def spans(payloads: Path, name: str) -> list[dict[str, Any]]:
    """The spans of a file as JSON, their attributes and their resource's as plain objects, ids in hex."""
    record = (payloads / "otel" / name).read_bytes()
    if name.endswith(".pb"):
        record = MessageToJson(ExportTraceServiceRequest.FromString(record)).encode()
    found = []
    for resource in json.loads(record)["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                plain = {pair["key"]: next(iter(pair["value"].values())) for pair in span["attributes"]}
                above = {pair["key"]: next(iter(pair["value"].values())) for pair in resource["resource"]["attributes"]}
                found.append({**span, "attributes": plain, "resource": above})
    return found


@pytest.mark.parametrize("name", REQUESTS)
def test_each_call_of_a_model_or_a_tool_is_an_event_and_nothing_else_is(payloads: Path, name: str) -> None:
    for span, item in zip(spans(payloads, name), decoded(payloads, name), strict=True):
        operation = span["attributes"].get("gen_ai.operation.name", "")
        counts = operation in ("chat", "embeddings", "execute_tool")
        assert isinstance(item, UsageEvent if counts else Skipped), (span["name"], item)


def events(payloads: Path, name: str) -> list[tuple[dict[str, Any], UsageEvent]]:
    """Each span that counts beside its event."""
    both = zip(spans(payloads, name), decoded(payloads, name), strict=True)
    return [(span, item) for span, item in both if isinstance(item, UsageEvent)]


@pytest.mark.parametrize("name", REQUESTS)
def test_tokens_model_and_provider_are_the_spans_own(payloads: Path, name: str) -> None:
    for span, event in events(payloads, name):
        own = span["attributes"]
        given = {
            field: own.get(field, own.get(ALSO.get(field, ""), 0))
            for field in (
                "gen_ai.usage.input_tokens",
                "gen_ai.usage.output_tokens",
                "gen_ai.usage.cache_read.input_tokens",
                "gen_ai.usage.reasoning.output_tokens",
            )
        }
        counted = (event.input_tokens, event.output_tokens, event.cache_read_tokens, event.reasoning_tokens)
        assert counted == tuple(map(int, given.values()))
        assert event.model == own.get("gen_ai.response.model", own.get("gen_ai.request.model", ""))
        assert event.provider == own.get("gen_ai.provider.name", "")


@pytest.mark.parametrize("name", REQUESTS)
def test_time_status_and_kind_are_the_spans_own(payloads: Path, name: str) -> None:
    for span, event in events(payloads, name):
        own, nanoseconds = span["attributes"], int(span["endTimeUnixNano"])
        assert abs(event.time - datetime.fromtimestamp(nanoseconds / 1e9, UTC)).total_seconds() < 1e-5
        failed = span["status"].get("code") in (2, "STATUS_CODE_ERROR") or "error.type" in own
        assert event.status == ("error" if failed else "ok")
        tool = own["gen_ai.operation.name"] == "execute_tool"
        assert (event.kind, event.tool_calls) == (("tool", 1) if tool else ("llm", event.tool_calls))
        assert event.tool == own.get("gen_ai.tool.name", event.tool if event.tool_args_hash else "")
        assert event.requests == int(not tool)
        assert event.steps == int(own["gen_ai.operation.name"] == "chat")


@pytest.mark.parametrize("name", REQUESTS)
def test_who_it_was_is_told_by_the_resource_and_the_spans_above(payloads: Path, name: str) -> None:
    for span, event in events(payloads, name):
        resource = span["resource"]
        assert event.source == "otel"
        assert event.tenant == resource["team"]
        assert event.use_case == resource["service.name"]
        assert event.tags["deployment.environment.name"] == resource["deployment.environment.name"]
        assert event.session in ("sess-1", "conv-42")
        if "agent" not in name:
            assert event.user == "alice"


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_encoding_makes_no_difference(payloads: Path, one: str, other: str) -> None:
    assert decoded(payloads, one) == decoded(payloads, other)


@pytest.mark.parametrize("name", ["agent-sdk/traces.pb", "agent-sdk-json/traces.otlp.json"])
def test_steps_and_tools_are_of_the_agent_right_above(payloads: Path, name: str) -> None:
    found = [event for _, event in events(payloads, name)]
    assert [(event.agent, event.tool or event.model, event.tags.get("parent_agent")) for event in found] == [
        ("trip-planner", "gpt-4o-2024-08-06", None),
        ("trip-planner", "get_weather", None),
        ("trip-planner", "book_train", None),
        ("hotel-finder", "gpt-4o-mini-2024-07-18", "trip-planner"),
    ]
    # The planner's own span tells of 1,300 tokens in, which its calls tell of again.
    assert sum(event.input_tokens for event in found) == 23 + 1222


def test_a_tool_call_in_an_answer_is_hashed(payloads: Path) -> None:
    (event,) = [event for _, event in events(payloads, "traceloop-default/traces.pb") if event.tool]
    assert (event.tool, event.tool_calls, len(event.tool_args_hash)) == ("get_weather", 1, 32)


@pytest.mark.parametrize("name", ["agent-sdk/traces.pb", "traceloop-default/traces.pb"])
def test_protobuf_is_recognised_without_a_content_type(payloads: Path, name: str) -> None:
    record = (payloads / "otel" / name).read_bytes()
    assert decode(record) == decode(record, PROTOBUF)


@pytest.mark.parametrize("folder", ["genai-openai-default", "openai-v2-latest", "traceloop-default"])
@pytest.mark.parametrize("headers", [PROTOBUF, None])
def test_metrics_are_no_spans(payloads: Path, folder: str, headers: dict[str, str] | None) -> None:
    for item in decode((payloads / "otel" / folder / "metrics.pb").read_bytes(), headers):
        assert isinstance(item, Rejected)
    (item,) = decode((payloads / "otel" / folder / "metrics.converted.json").read_bytes())
    assert isinstance(item, Rejected)
    assert item.reason == "unknown_format"


def request(*spans: dict[str, Any], resource: dict[str, str] | None = None) -> bytes:
    """An export request of our own; attributes are given as plain objects."""
    made = [
        {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": f"{n:016x}", **span}
        for n, span in enumerate(spans, 1)
    ]
    owner = {"attributes": resource or {"service.name": "s"}}
    return orjson.dumps({"resourceSpans": [{"resource": owner, "scopeSpans": [{"scope": {}, "spans": made}]}]})


CHAT = {
    "endTimeUnixNano": "1795305600000000000",
    "attributes": {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 5},
}


def with_attributes(**attributes: Any) -> dict[str, Any]:
    return {**CHAT, "attributes": {**CHAT["attributes"], **{k.replace("__", "."): v for k, v in attributes.items()}}}  # type: ignore[dict-item]


def one(record: bytes, names: Names | None = None) -> Decoded:
    (item,) = Decoder(names={"otel": names} if names else None).decode(record, NOW)
    return item


def test_names_are_tried_in_order_and_may_be_configured() -> None:
    span = with_attributes(tenant__id="acme", customer="beta", plan="gold")
    assert getattr(one(request(span)), "tenant", "") == "acme"
    names = Names(tenant=("nowhere", "customer", "tenant.id"), tags=("plan",))
    event = one(request(span), names)
    assert isinstance(event, UsageEvent)
    assert (event.tenant, event.use_case, event.tags) == ("beta", "", {"plan": "gold"})


def test_a_cost_that_a_gateway_reports_is_given_and_its_zero_is_not() -> None:
    assert getattr(one(request(with_attributes(gen_ai__cost__total_cost=0.25))), "cost_usd", None) is not None
    assert getattr(one(request(with_attributes(gen_ai__cost__total_cost=0.0))), "cost_usd", 1) is None
    hit = with_attributes(gen_ai__cost__total_cost=0.0, litellm__cache_hit="True")
    assert getattr(one(request(hit)), "cost_usd", None) == 0


def test_input_tokens_that_leave_out_the_cached_ones_are_made_whole() -> None:
    span = with_attributes(gen_ai__usage__cache_read__input_tokens=100, gen_ai__usage__cache_creation__input_tokens=20)
    event = one(request(span))
    assert isinstance(event, UsageEvent)
    assert (event.input_tokens, event.cache_read_tokens, event.cache_write_tokens) == (125, 100, 20)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"traceId": ""}, "missing_id"),
        ({"traceId": "no id"}, "wrong_type"),
        ({"endTimeUnixNano": "soon"}, "wrong_type"),
        ({"endTimeUnixNano": "17953056000000000000"}, "impossible_time"),
        ({"endTimeUnixNano": 0}, "impossible_time"),
        ({"attributes": {**CHAT["attributes"], "gen_ai.usage.input_tokens": -5}}, "negative_count"),  # type: ignore[dict-item]
        ({"attributes": {**CHAT["attributes"], "gen_ai.usage.input_tokens": "many"}}, "wrong_type"),  # type: ignore[dict-item]
    ],
)
def test_a_bad_span_is_rejected_alone(change: dict[str, Any], reason: str) -> None:
    good, bad = decode(request(CHAT, {**CHAT, **change}))
    assert isinstance(good, UsageEvent)
    assert isinstance(bad, Rejected)
    assert (bad.reason, bad.item) == (reason, 1)


def test_what_is_no_span_is_rejected_alone() -> None:
    items = orjson.loads(request(CHAT))
    items["resourceSpans"][0]["scopeSpans"][0]["spans"].append("no span")
    good, bad = decode(orjson.dumps(items))
    assert (type(good), type(bad)) == (UsageEvent, Rejected)


def test_a_request_of_too_many_spans_is_too_large() -> None:
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    for _ in range(MOST_SPANS + 1):
        scope.spans.add()
    (item,) = decode(message.SerializeToString(), PROTOBUF)
    assert isinstance(item, Rejected)
    assert item.reason == "too_large"


def test_an_empty_request_has_nothing_to_count() -> None:
    assert decode(b"", PROTOBUF) == [Skipped("no_usage")]
    assert decode(b'{"resourceSpans": []}') == [Skipped("no_usage")]


def test_values_of_every_type_are_read_and_none_is_too_deep() -> None:
    deep: dict[str, Any] = {"stringValue": "x"}
    for _ in range(60):
        deep = {"kvlistValue": {"values": [{"key": "a", "value": deep}]}}
    pairs = [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"doubleValue": 5.0}},
        {"key": "plan", "value": {"kvlistValue": {"values": [{"key": "name", "value": {"boolValue": True}}]}}},
        {"key": "list", "value": {"arrayValue": {"values": [{"intValue": 1}, {"bytesValue": "AA=="}]}}},
        {"key": "deep", "value": deep},
    ]
    event = one(request({**CHAT, "attributes": pairs}), Names(tenant=("service.name",), tags=("plan.name",)))
    assert isinstance(event, UsageEvent)
    assert (event.input_tokens, event.tags) == (5, {"plan.name": "true"})


def test_every_default_name_is_spelled_as_an_attribute() -> None:
    for field in otel.NAMES.__struct_fields__:
        assert all(name.replace("_", "").replace(".", "").isalnum() for name in getattr(otel.NAMES, field))
