"""OpenTelemetry spans, read from OTLP protobuf and from OTLP JSON in each of the spellings that are sent."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from streamer.events.formats.base import Unmappable
from streamer.events.formats.values import text

# The key of an item that holds a decoded protobuf message; no JSON can have it, for it holds no JSON.
MESSAGE = "otlp-protobuf"
# More spans or attributes than this in one record are not worth its memory: exporters send some hundred spans.
MOST_SPANS, _MOST_ATTRIBUTES = 50_000, 1_000_000
# Values nest so deep at most; what lies deeper is left out.
_DEEPEST = 16
_KINDS = {"SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3}
_ERROR = (2, "2", "STATUS_CODE_ERROR")
_INTERNAL = 1

Attributes = Mapping[str, Any]


class Span(msgspec.Struct, frozen=True):
    """One span: ids in lower-case hex, `kind` as the protocol numbers it (1 internal, 3 client), times in ns."""

    trace: str
    id: str
    parent: str
    kind: int
    start: int
    end: int
    failed: bool
    scope: str
    attributes: Attributes
    resource: Attributes
    name: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What names the span among all spans."""
        return self.trace, self.id


def spans_of(item: Mapping[str, Any]) -> list[Span | Unmappable]:
    """Give the spans of an export request, in their order; a mistake in the place of one that is none.

    Raises Unmappable for more than MOST_SPANS.
    """
    message = item.get(MESSAGE)
    spans = _of_message(message) if isinstance(message, ExportTraceServiceRequest) else _of_json(item)
    found = list(islice(spans, MOST_SPANS + 1))
    if len(found) > MOST_SPANS:
        raise Unmappable("too_large", f"more than {MOST_SPANS} spans")
    return found


def _of_message(request: ExportTraceServiceRequest) -> Iterator[Span | Unmappable]:
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield Span(
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    kind=span.kind or _INTERNAL,
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    failed=span.status.code in _ERROR,
                    scope=scope_spans.scope.name,
                    attributes=_attributes(span.attributes),
                    resource=resource,
                    name=span.name,
                )


def size_of(request: ExportTraceServiceRequest) -> int:
    """Count the spans of a request; more than MOST_SPANS also where there are more attributes than are read."""
    spans, attributes = 0, len(request.resource_spans)
    for resource_spans in request.resource_spans:
        attributes += len(resource_spans.resource.attributes) + len(resource_spans.scope_spans)
        for scope_spans in resource_spans.scope_spans:
            spans += len(scope_spans.spans)
            if spans <= MOST_SPANS:
                attributes += sum(len(span.attributes) for span in scope_spans.spans)
            if spans > MOST_SPANS or attributes > _MOST_ATTRIBUTES:
                return MOST_SPANS + 1
    return spans if attributes <= _MOST_ATTRIBUTES else MOST_SPANS + 1


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value, 0) for pair in pairs}


def _value(value: AnyValue, depth: int) -> Any:
    kind = value.WhichOneof("value")
    if kind is None or kind == "bytes_value" or depth > _DEEPEST:
        return None
    if kind == "array_value":
        return [_value(inner, depth + 1) for inner in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value, depth + 1) for pair in value.kvlist_value.values}
    return getattr(value, kind)


def _of_json(item: Mapping[str, Any]) -> Iterator[Span | Unmappable]:
    for resource_spans in _list(item, "resourceSpans", "resource_spans"):
        resource = _json_attributes(_get(resource_spans, "resource"))
        for scope_spans in _list(resource_spans, "scopeSpans", "scope_spans", "instrumentationLibrarySpans"):
            scope = _get(scope_spans, "scope", "instrumentationLibrary")
            name = _get(scope, "name")
            for span in _list(scope_spans, "spans"):
                yield _json_span(span, name if isinstance(name, str) else "", resource)


def _json_span(span: Any, scope: str, resource: Attributes) -> Span | Unmappable:
    if not isinstance(span, Mapping):
        return Unmappable("wrong_type", "a span must be a JSON object")
    try:
        return Span(
            trace=_hex(_get(span, "traceId", "trace_id"), 16),
            id=_hex(_get(span, "spanId", "span_id"), 8),
            parent=_hex(_get(span, "parentSpanId", "parent_span_id"), 8),
            kind=_kind(span.get("kind")),
            start=int(_get(span, "startTimeUnixNano", "start_time_unix_nano") or 0),
            end=int(_get(span, "endTimeUnixNano", "end_time_unix_nano") or 0),
            failed=_get(_get(span, "status"), "code") in _ERROR,
            scope=scope,
            attributes=_json_attributes(span),
            resource=resource,
            name=text(span.get("name")),
        )
    except (ValueError, TypeError, OverflowError):
        return Unmappable("wrong_type", "the ids or times of the span are not as OTLP spells them")


def _hex(value: Any, size: int) -> str:
    """An id in hex as OTLP JSON has it, or in base64 as plain protobuf JSON does; raises ValueError for all else."""
    if not value:
        return ""
    raw = bytes.fromhex(value) if len(value) == 2 * size else base64.b64decode(value, validate=True)
    return raw.hex()


def _kind(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else _KINDS.get(str(value), _INTERNAL)


def _get(value: Any, *names: str) -> Any:
    if isinstance(value, Mapping):
        for name in names:
            if name in value:
                return value[name]
    return None


def _list(value: Any, *names: str) -> list[Any]:
    found = _get(value, *names)
    return found if isinstance(found, list) else []


def _json_attributes(holder: Any) -> dict[str, Any]:
    found = _get(holder, "attributes")
    if isinstance(found, Mapping):  # plain objects, as some exporters write them
        return dict(found)
    pairs = (pair for pair in _list(holder, "attributes") if isinstance(pair, Mapping))
    return {str(pair.get("key")): _json_value(pair.get("value"), 0) for pair in pairs}


def _json_value(value: Any, depth: int) -> Any:
    if not isinstance(value, Mapping) or depth > _DEEPEST:
        return value if isinstance(value, str | int | float) else None
    for kind in ("string", "int", "double", "bool"):
        for name in (f"{kind}Value", f"{kind}_value"):
            if name in value:
                return value[name]
    if (array := _get(value, "arrayValue", "array_value")) is not None:
        return [_json_value(inner, depth + 1) for inner in _list(array, "values")]
    pairs = _list(_get(value, "kvlistValue", "kvlist_value"), "values")
    return {str(_get(pair, "key")): _json_value(_get(pair, "value"), depth + 1) for pair in pairs}
