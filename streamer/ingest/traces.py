"""`POST /v1/traces`: OTLP over HTTP, in protobuf or JSON: taken as events are, and answered as OTLP asks."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from streamer.ingest.refused import reasons

Handler = Callable[[web.Request], Awaitable[web.Response]]
# Reasons that say that the request as a whole could not be read: no exporter is to send it again.
_UNREADABLE = frozenset(("undecodable", "too_large", "unknown_format"))
_PASSED_ON = ("Retry-After", "WWW-Authenticate")
# google.rpc.Code by HTTP status; what is none of these is UNKNOWN.
_CODES = {400: 3, 401: 16, 403: 7, 413: 8, 415: 3, 429: 8, 503: 14}
_UNKNOWN = 2


class Traces:
    """Takes export requests by the front door's own way for events: the same limits, the same acknowledgement.

    Spans that were refused are a partial success, which exporters do not send again; 429 and 503 they do.
    """

    def __init__(self, events: Handler) -> None:
        self._events = events

    async def post(self, request: web.Request) -> web.Response:
        """Take one export request."""
        answer = await self._events(request)
        told: Mapping[str, Any] = orjson.loads(answer.body) if isinstance(answer.body, bytes) and answer.body else {}
        status, message = _message(answer.status, told)
        spoken = _spoken(status, message, request.content_type)
        spoken.headers.update({name: answer.headers[name] for name in _PASSED_ON if name in answer.headers})
        return spoken


def _message(status: int, told: Mapping[str, Any]) -> tuple[int, Message]:
    """Turn the front door's answer into OTLP's status and message."""
    rejected: Sequence[Mapping[str, Any]] = told.get("rejected", ())
    if "accepted" not in told:
        return status, Status(code=_CODES.get(status, _UNKNOWN), message=str(told.get("error", "")))
    if not told["accepted"] and rejected and all(item["reason"] in _UNREADABLE for item in rejected):
        return 400, Status(code=_CODES[400], message=reasons(rejected, told["rejected_in_all"], "span"))
    response = ExportTraceServiceResponse()
    if rejected:
        many: int = told["rejected_in_all"]
        partial = ExportTracePartialSuccess(rejected_spans=many, error_message=reasons(rejected, many, "span"))
        response.partial_success.CopyFrom(partial)
    return 200, response


def _spoken(status: int, message: Message, content_type: str) -> web.Response:
    """Answer in the encoding that was asked in."""
    if content_type == "application/json":
        text = json_format.MessageToJson(message, indent=None)
        return web.Response(status=status, text=text, content_type="application/json")
    return web.Response(status=status, body=message.SerializeToString(), content_type="application/x-protobuf")
