"""The endpoint to which Slack posts what people press, where Socket Mode is not used."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiohttp import web

from alerts.slack.dialog import Mistaken
from alerts.slack.signed import Forged, Signed, Unreadable
from streamer.clock import wall

log = structlog.get_logger()
PATH = "/slack/actions"


def actions(secret: str, take: Callable[[Mapping[str, Any]], Awaitable[bool]]) -> list[web.RouteDef]:
    """Give the route. `take` gives False for what is to be pressed again; forged requests are refused with 401."""
    signed = Signed(secret)

    async def pressed(request: web.Request) -> web.Response:
        try:
            payload = signed.payload(await request.read(), request.headers, wall())
        except Forged as why:
            log.warning("refused what Slack did not sign", why=str(why))
            return web.Response(status=401)
        except Unreadable:
            return web.Response(status=400)
        try:
            return web.Response(status=200 if await take(payload) else 503)
        except Mistaken as mistake:
            return web.json_response(mistake.response)

    return [web.post(PATH, pressed)]
