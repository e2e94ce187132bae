"""A small HTTP server for health, readiness and metrics; the front door adds its own routes to it."""

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streamer.web.metrics import Metrics

log = structlog.get_logger()


class _WithoutBytes(logging.Filter):
    """What is no HTTP is logged without the bytes at fault: they may be those of a token."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
            record.msg, record.args = f"{record.getMessage()}: {type(record.exc_info[1]).__name__}", None
            record.exc_info = record.exc_text = None
        return True


_of_requests = logging.getLogger("tidegate.web")
_of_requests.addFilter(_WithoutBytes())
# What is still to be answered at the end may take so many seconds: orchestrators wait for 30.
_LAST_SECONDS = 20.0
#: Of how many ports workers take the first that is free: two of one machine share a configuration.
OF_WORKERS = 20


def operations(metrics: Metrics, ready: Callable[[], str]) -> list[web.RouteDef]:
    """Give the routes of operation. `ready` says why the process is not ready, "" if it is."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        why_not = ready()
        return web.Response(text=f"{why_not or 'ready'}\n", status=503 if why_not else 200)

    async def prometheus(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", prometheus)]


@asynccontextmanager
async def serving(
    routes: Iterable[web.AbstractRouteDef],
    host: str,
    port: int,
    *,
    ports: int = 1,
    most_bytes: int = 1 << 20,
    **server: Any,
) -> AsyncIterator[int]:
    """Serve `routes` while the context lasts; gives the port: the first of so many `ports` from `port` on that is free.

    Raises OSError where none is. Who is sent to by others has one: elsewhere nobody would look for it. A body may have
    `most_bytes`; `server` is for aiohttp's handler of connections.
    """
    app = web.Application(client_max_size=most_bytes)
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, logger=_of_requests, shutdown_timeout=_LAST_SECONDS, **server)
    await runner.setup()
    try:
        bound = await _bind(runner, host, range(port, min(port + ports, 1 << 16)))
        log.info("listening", host=host, port=bound)
        yield bound
    finally:
        await runner.cleanup()


async def _bind(runner: web.AppRunner, host: str, candidates: range) -> int:
    for candidate in candidates:
        try:
            await web.TCPSite(runner, host, candidate, reuse_address=True).start()
        except OSError:
            if candidate in (0, candidates[-1]):
                raise
        else:
            break
    return int(runner.addresses[0][1])
