"""`tidegate gateway`: the client's decisions over HTTP, for gateways that are not written in Python."""

import asyncio
import json
import signal
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import structlog
from aiohttp import web

from alerts.throttle.admission import Decision, Request
from streamer.clock import wall
from streamer.config import Config
from streamer.events.rejected import rejected_by
from streamer.gateway.client import GatewayClient
from streamer.web.metrics import Metrics
from streamer.web.server import operations, serving

log = structlog.get_logger()
_MOST_BYTES = 64 << 10
# The headers by which a proxy says whose request it is: X-Tidegate-Tenant, X-Tidegate-Use-Case, ...
_HEADER = "X-Tidegate-"


class DecideDoor:
    """Answers whether a request may go through: as JSON, and as proxies ask that authorise by a subrequest."""

    def __init__(self, client: GatewayClient) -> None:
        self._client = client

    async def decide(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/decide`: a Request in, a Decision out, 200 whether it may go through or not."""
        try:
            asked = msgspec.json.decode(await request.read(), type=Request)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            return _json(400, {"error": rejected_by(error).detail})
        except web.HTTPRequestEntityTooLarge:
            return _json(413, {"error": f"the body is over {_MOST_BYTES} bytes"})
        return _json(200, self._client.decide(asked))

    async def authorise(self, request: web.Request) -> web.Response:
        """Answer `/v1/authz/...` by its headers: 200 if it may go through, else what its caller is to get."""
        asked = _asked(request.headers)
        if asked is None:
            return _json(400, {"error": f"the header {_HEADER}Tenant is missing"})
        decision = self._client.decide(asked)
        answer = _json(200, decision) if decision.allowed else _json(status_of(decision), body_of(decision))
        answer.headers.update(headers_of(decision))
        return answer


def status_of(decision: Decision) -> int:
    """Give the HTTP status of a refusal: 429 by a command, 503 for want of news."""
    return 503 if decision.verdict == "outage" else 429


def body_of(decision: Decision) -> dict[str, Any]:
    """Give what the caller of a refused request is told, in the words of the APIs of models."""
    return {"error": {"message": decision.reason, "type": "tidegate_throttled", "code": decision.verdict}}


def headers_of(decision: Decision) -> dict[str, str]:
    """Give the headers of an answer: what was decided, by which command, what to change, and what to answer."""
    named = {
        "Verdict": decision.verdict,
        "Model": decision.model,
        "Without": ",".join(decision.without),
        "Command": decision.command,
        "Incident": decision.incident,
    }
    headers = {f"{_HEADER}{name}": value for name, value in named.items() if value and value.isprintable()}
    if decision.allowed:
        return headers
    # In ASCII, which escapes whatever must not stand in a header.
    answer = json.dumps(body_of(decision))
    return {**headers, f"{_HEADER}Answer": answer, "Retry-After": str(decision.retry_after)}


def routes(client: GatewayClient, metrics: Metrics) -> list[web.AbstractRouteDef]:
    """Give the routes of a gateway's side, of operation too; it is ready when the topic was read."""
    door = DecideDoor(client)
    return [
        web.post("/v1/decide", door.decide),
        web.route("*", "/v1/authz{path:.*}", door.authorise),
        *operations(metrics, lambda: client.why_blind(wall())),
    ]


def listening(client: GatewayClient, metrics: Metrics, host: str, port: int) -> AbstractAsyncContextManager[int]:
    """Answer while the context lasts; gives the port."""
    return serving(routes(client, metrics), host, port, most_bytes=_MOST_BYTES)


async def _serve(config: Config) -> None:
    metrics, stopped = Metrics(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    client = GatewayClient(config.kafka, config.gateway, metrics)
    reading = asyncio.create_task(client.run())
    waiting = asyncio.create_task(stopped.wait())
    gateway = config.gateway
    async with listening(client, metrics, gateway.host, gateway.port):
        await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
    reading.cancel()
    waiting.cancel()
    for end in await asyncio.gather(reading, waiting, return_exceptions=True):
        if isinstance(end, Exception):
            raise end


def start(config: Config) -> int:
    """Serve until SIGTERM or SIGINT; gives the exit status."""
    asyncio.run(_serve(config))
    return 0


def _asked(headers: Any) -> Request | None:
    """Read who asks from the headers; None where they name no tenant."""
    tenant = headers.get(f"{_HEADER}Tenant", "")
    if not tenant:
        return None
    names = ("use_case", "agent", "session", "model", "tool")
    named = {name: headers.get(_HEADER + name.replace("_", "-"), "") for name in names}
    tools = tuple(tool.strip() for tool in headers.get(f"{_HEADER}Tools", "").split(",") if tool.strip())
    return Request(tenant=tenant, tools=tools, **named)


def _json(status: int, answer: Any) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(answer), content_type="application/json")
