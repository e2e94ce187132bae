"""The front door's OpenAPI 3.1 document, made of the types that the code uses."""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

import msgspec
from aiohttp import web

from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent
from streamer.ingest.firehose import Delivered

_REF = "#/components/schemas/{name}"
_JSON = "application/json"
_RETRY = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}


class Accepted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Every item of the request is on Kafka."""

    accepted: int


class PartlyRejected(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What was `accepted` is on Kafka. `rejected` names the first 100 others; `item` is the place in the batch."""

    accepted: int
    rejected: list[Rejected]
    rejected_in_all: int


class Failed(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Nothing of the request was taken."""

    error: str


def document() -> dict[str, Any]:
    """Give the document; the same for the same version of the code."""
    types = (UsageEvent, Accepted, PartlyRejected, Failed, Delivered)
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tidegate's front door",
            "version": version("tidegate").partition("+")[0],
            "description": "Takes usage events. What it answers with 202 is on Kafka, acknowledged by all replicas.",
        },
        "paths": {
            "/v1/events": {"post": _events()},
            "/v1/traces": {"post": _traces()},
            "/v1/firehose": {"post": _firehose()},
        },
        "components": {
            "schemas": {**schemas, "CloudEvent": _CLOUD_EVENT, "LiteLLM": _LITELLM, "Delivery": _DELIVERY, **_OTLP},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "accessKey": {"type": "apiKey", "in": "header", "name": "X-Amz-Firehose-Access-Key"},
            },
        },
    }


def handler() -> Callable[[web.Request], Awaitable[web.Response]]:
    """Make the handler that serves the document."""
    text = msgspec.json.encode(document())

    async def served(_: web.Request) -> web.Response:
        return web.Response(body=text, content_type=_JSON)

    return served


def _events() -> dict[str, Any]:
    return {
        "operationId": "postEvents",
        "summary": "Send usage events: one, a JSON array, or NDJSON; plain, gzip or zstd",
        # Without tokens in its configuration the front door asks for none.
        "security": [{"token": []}, {}],
        "requestBody": {"required": True, "content": {_JSON: {"schema": _body()}}},
        "responses": {
            "202": _answer("All items are on Kafka.", "Accepted"),
            "400": _answer("The body could not be unpacked, or the request is no HTTP.", "Failed"),
            "401": _answer("There is no token, or none of this front door.", "Failed"),
            "408": _answer("The body took too long.", "Failed"),
            "413": _answer("The body is too large, packed or unpacked.", "Failed"),
            "415": _answer("The content encoding is none of gzip, zstd.", "Failed"),
            "422": _answer("Some items are no events, or of tenants that are not the token's.", "PartlyRejected"),
            "429": {**_answer("Too much is waiting; come again.", "Failed"), "headers": _RETRY},
            "503": {**_answer("Kafka does not acknowledge, or we stop; come again.", "Failed"), "headers": _RETRY},
        },
    }


def _traces() -> dict[str, Any]:
    spans = {"schema": {"$ref": _REF.format(name="ExportTraceServiceRequest")}}
    return {
        "operationId": "exportTraces",
        "summary": "Send spans, as OTLP/HTTP has it: protobuf or JSON; plain, gzip or zstd",
        "security": [{"token": []}, {}],
        "requestBody": {"required": True, "content": {_JSON: spans, **_PROTOBUF}},
        "responses": {
            "200": _told(
                "All that is usage is on Kafka, but for what a partial success names.", "ExportTraceServiceResponse"
            ),
            "400": _told("The body is no export request, or could not be unpacked.", "Status"),
            "401": _told("There is no token, or none of this front door.", "Status"),
            "408": _told("The body took too long.", "Status"),
            "413": _told("The body is too large, packed or unpacked.", "Status"),
            "415": _told("The content encoding is none of gzip, zstd.", "Status"),
            "429": {**_told("Too much is waiting; come again.", "Status"), "headers": _RETRY},
            "503": {**_told("Kafka does not acknowledge, or we stop; come again.", "Status"), "headers": _RETRY},
        },
    }


def _firehose() -> dict[str, Any]:
    delivery = {"schema": {"$ref": _REF.format(name="Delivery")}}
    return {
        "operationId": "deliver",
        "summary": "Send what Amazon Data Firehose delivers to HTTP endpoints: records of any format; plain or gzip",
        "security": [{"token": []}, {"accessKey": []}, {}],
        "requestBody": {"required": True, "content": {_JSON: delivery}},
        "responses": {
            "200": _answer("All that is usage is on Kafka.", "Delivered"),
            "400": _answer(
                "The body could not be unpacked, or some records are no usage: see errorMessage.", "Delivered"
            ),
            "401": _answer("There is no token, or none of this front door.", "Delivered"),
            "408": _answer("The body took too long.", "Delivered"),
            "413": _answer("The body is too large, packed or unpacked.", "Delivered"),
            "415": _answer("The content encoding is none of gzip, zstd.", "Delivered"),
            "429": {**_answer("Too much is waiting; come again.", "Delivered"), "headers": _RETRY},
            "503": {**_answer("Kafka does not acknowledge, or we stop; come again.", "Delivered"), "headers": _RETRY},
        },
    }


def _told(description: str, schema: str) -> dict[str, Any]:
    """Answer in the encoding of the request."""
    return {
        "description": description,
        "content": {_JSON: {"schema": {"$ref": _REF.format(name=schema)}}, **_PROTOBUF},
    }


def _body() -> dict[str, Any]:
    one = [{"$ref": _REF.format(name=name)} for name in ("UsageEvent", "CloudEvent", "LiteLLM")]
    return {"anyOf": [*one, {"type": "array", "minItems": 1, "items": {"anyOf": one}}]}


def _answer(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": {"$ref": _REF.format(name=schema)}}}}


_PROTOBUF = {"application/x-protobuf": {"schema": {"type": "string", "format": "binary"}}}
_OTLP = {
    "ExportTraceServiceRequest": {
        "description": "OpenTelemetry's spans in OTLP JSON.",
        "type": "object",
        "required": ["resourceSpans"],
        "properties": {"resourceSpans": {"type": "array", "items": {"type": "object"}}},
    },
    "ExportTraceServiceResponse": {
        "description": "Empty, or with the number of spans that were refused, and why.",
        "type": "object",
        "properties": {
            "partialSuccess": {
                "type": "object",
                "properties": {"rejectedSpans": {"type": "string"}, "errorMessage": {"type": "string"}},
            }
        },
    },
    "Status": {
        "description": "What is wrong, with a code of google.rpc.Code.",
        "type": "object",
        "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
    },
}
_DELIVERY = {
    "description": "Records of any format, each in base64 and perhaps packed.",
    "type": "object",
    "required": ["requestId", "timestamp", "records"],
    "properties": {
        "requestId": {"type": "string"},
        "timestamp": {"type": "integer"},
        "records": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["data"], "properties": {"data": {"type": "string"}}},
        },
    },
}
_CLOUD_EVENT = {
    "description": "A structured CloudEvent 1.0 whose data have the fields of a UsageEvent; also in binary mode.",
    "type": "object",
    "required": ["specversion", "type", "source", "id", "time", "data"],
    "properties": {
        **{name: {"type": "string", "minLength": 1} for name in ("specversion", "type", "source", "id")},
        "time": {"type": "string", "format": "date-time"},
        "data": {"type": "object"},
    },
}
_LITELLM = {
    "description": "LiteLLM's StandardLoggingPayload, as its generic API callback posts it.",
    "type": "object",
    "required": ["id", "call_type", "startTime", "endTime", "model"],
    "properties": {
        **{name: {"type": "string", "minLength": 1} for name in ("id", "call_type", "model")},
        **{name: {"type": ["number", "string"]} for name in ("startTime", "endTime")},
        **{name: {"type": "integer", "minimum": 0} for name in ("prompt_tokens", "completion_tokens")},
    },
}
