"""OTLP's export requests, protobuf or JSON, as their instrumentations fill them."""

import base64
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.streamer.events.formats.payloads.told import Expected, LeftOut, Told, at, digest, hashed, told

Span = dict[str, Any]
_STEPS = {"chat": 1, "embeddings": 0}
# Of the models of the calls, the one whose public price holds.
_LISTED = {"gpt-4o-2024-08-06": "gpt-4o", "gpt-4o-mini-2024-07-18": "gpt-4o-mini", "claude-sonnet": ""}


def expected(path: Path) -> list[Expected]:
    spans = list(_spans(path))
    return [_expected(span, spans) for span in spans]


def _spans(path: Path) -> Iterator[Span]:
    """The spans, ids as they are written, attributes and resource as plain objects."""
    record = path.read_bytes()
    if path.suffix == ".pb":
        record = MessageToJson(ExportTraceServiceRequest.FromString(record)).encode()
    for resource in json.loads(record)["resourceSpans"]:
        above = _plain(resource["resource"])
        yield from (
            {**span, "own": _plain(span), "resource": above}
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        )


def _plain(holder: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values())) for pair in holder.get("attributes", ())}


def _expected(span: Span, spans: list[Span]) -> Expected:
    operation = span["own"].get("gen_ai.operation.name")
    if operation in ("chat", "embeddings"):
        return _model(span, spans)
    if operation == "execute_tool":
        return _tool(span, spans)
    # An agent's own usage is that of the calls below it.
    return LeftOut("repeated" if "gen_ai.usage.input_tokens" in span["own"] else "no_usage")


def _model(span: Span, spans: list[Span]) -> Told:
    own = span["own"]
    model, tier = own.get("gen_ai.response.model", own["gen_ai.request.model"]), own.get("openai.response.service_tier")
    counted = "gen_ai.usage.input_tokens" in own and "gen_ai.response.id" in own
    call = digest(response=own["gen_ai.response.id"]) if counted else _hex(span["spanId"])
    reasoning = own.get("gen_ai.usage.reasoning.output_tokens", own.get("gen_ai.usage.reasoning_tokens", 0))
    return told(
        listed=_LISTED.get(model, model),
        id=f"{_hex(span['traceId'])}-{call}",
        provider=own["gen_ai.provider.name"],
        model=model,
        input_tokens=int(own.get("gen_ai.usage.input_tokens", 0)),
        output_tokens=int(own.get("gen_ai.usage.output_tokens", 0)),
        cache_read_tokens=int(own.get("gen_ai.usage.cache_read.input_tokens", 0)),
        reasoning_tokens=int(reasoning),
        requests=1,
        steps=_STEPS[own["gen_ai.operation.name"]],
        **_whose(span, spans, {"service_tier": tier} if tier else {}),
        **_answered_calls(own),
    )


def _tool(span: Span, spans: list[Span]) -> Told:
    name = span["own"]["gen_ai.tool.name"]
    return told(
        id=f"{_hex(span['traceId'])}-{_hex(span['spanId'])}",
        kind="tool",
        tool=name,
        tool_calls=1,
        **_whose(span, spans, {}),
    )


def _answered_calls(own: dict[str, Any]) -> dict[str, Any]:
    parts = [part for message in json.loads(own.get("gen_ai.output.messages", "[]")) for part in message["parts"]]
    calls = [part for part in parts if part["type"] == "tool_call"]
    if not calls:
        return {}
    (call,) = calls
    return {"tool": call["name"], "tool_calls": 1, "tool_args_hash": hashed(call["arguments"])}


def _whose(span: Span, spans: list[Span], tags: dict[str, str]) -> dict[str, Any]:
    way = list(_way_up(span, spans))
    words = {name: value for one in reversed(way) for name, value in one["own"].items()}
    agents = [one["own"]["gen_ai.agent.name"] for one in way if "gen_ai.agent.name" in one["own"]]
    resource, nanoseconds = span["resource"], int(span["endTimeUnixNano"])
    failed = span["status"].get("code") in (2, "STATUS_CODE_ERROR") or "error.type" in span["own"]
    known = {name: resource[name] for name in ("service.name", "deployment.environment.name", "team")}
    return {
        "source": "otel",
        "time": at(round(Fraction(nanoseconds, 1000))),
        "tenant": resource["team"],
        "use_case": resource["service.name"],
        "agent": agents[0] if agents else "",
        "session": words.get("gen_ai.conversation.id", words.get("session.id")),
        "user": words.get("user.id", words.get("gen_ai.user")),
        "status": "error" if failed else "ok",
        "tags": known | tags | ({"parent_agent": agents[1]} if len(agents) > 1 else {}),
    }


def _way_up(span: Span, spans: list[Span]) -> Iterator[Span]:
    yield span
    for other in spans:
        if other["spanId"] == span.get("parentSpanId"):
            yield from _way_up(other, spans)


def _hex(written: str) -> str:
    """An id in hex; plain protobuf-to-JSON writes base64."""
    if len(written) in (16, 32) and not set(written) - set("0123456789abcdef"):
        return written
    return base64.b64decode(written).hex()
