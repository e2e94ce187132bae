"""`POST /v1/firehose`: what Amazon Data Firehose delivers, taken as events are, and answered as Firehose asks."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import orjson
from aiohttp import web

from streamer.clock import wall
from streamer.ingest.refused import reasons

Handler = Callable[[web.Request], Awaitable[web.Response]]
_REQUEST = "X-Amz-Firehose-Request-Id"
_PASSED_ON = ("Retry-After", "WWW-Authenticate")


class Delivered(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """The id that the request came with, milliseconds since 1970, and what went wrong."""

    request_id: str
    timestamp: int
    error_message: str = ""


class Firehose:
    """Takes deliveries by the front door's own way for events: the same limits, tokens and acknowledgement.

    200 says that all is on Kafka. Anything else has Firehose come again with the request, and in the end put it into
    its backup bucket: so nothing that was rejected is lost, and what was taken of it counts once.
    """

    def __init__(self, events: Handler) -> None:
        self._events = events

    async def post(self, request: web.Request) -> web.Response:
        """Take one delivery."""
        answer = await self._events(request)
        told: Mapping[str, Any] = orjson.loads(answer.body) if isinstance(answer.body, bytes) and answer.body else {}
        status, why = _said(answer.status, told)
        delivered = Delivered(request_id=request.headers.get(_REQUEST, ""), timestamp=int(wall() * 1000))
        headers = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
        body = msgspec.json.encode(msgspec.structs.replace(delivered, error_message=why))
        return web.Response(status=status, body=body, headers={**headers, "Content-Type": "application/json"})


def _said(status: int, told: Mapping[str, Any]) -> tuple[int, str]:
    if status == 202:
        return 200, ""
    if rejected := told.get("rejected"):
        return 400, reasons(rejected, told["rejected_in_all"], "item")
    return status, str(told.get("error", ""))
