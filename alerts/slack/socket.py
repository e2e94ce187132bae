"""Answers by Socket Mode: a WebSocket to Slack that is opened from here, so that nothing has to be let in."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from alerts.slack.dialog import Mistaken

log = structlog.get_logger()
#: Takes a payload; False where it is to be pressed again. May raise Mistaken.
Take = Callable[[Mapping[str, Any]], Awaitable[bool]]
# slack-sdk's own log would hold the address with its ticket.
_SILENT = logging.getLogger(f"{__name__}.sdk")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False
_SILENT.setLevel(logging.CRITICAL)


class SocketMode:
    """Hands over what people press. slack-sdk keeps the connection; one that stays away is made anew.

    An envelope is acknowledged when `take` has taken it: of what was not Slack tells the person who pressed.
    `patience` is how many seconds slack-sdk has to come back by itself, `ping` how often it makes sure.
    """

    def __init__(self, app_token: str, take: Take, *, base_url: str, ping: float = 5.0, patience: float = 30.0) -> None:
        self._token, self._take, self._base_url = app_token, take, base_url
        self._ping, self._patience = ping, patience
        self._client: SocketModeClient | None = None

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            client = self._made()
            try:
                await self._stay(client)
            except Exception as error:  # whatever it is, people want to answer
                log.warning("Slack's socket is lost", why=type(error).__name__)
                await asyncio.sleep(min(1.0, self._patience))
            finally:
                self._client = None
                await client.close()  # type: ignore[no-untyped-call]

    async def connected(self) -> bool:
        """Tell whether answers can come."""
        return self._client is not None and await self._client.is_connected()

    def _made(self) -> SocketModeClient:
        web = AsyncWebClient(base_url=self._base_url, logger=_SILENT)
        client = SocketModeClient(self._token, logger=_SILENT, web_client=web, ping_interval=self._ping)
        client.socket_mode_request_listeners.append(self._heard)
        return client

    async def _stay(self, client: SocketModeClient) -> None:
        """Connect, and return with a TimeoutError when the connection was away for too long."""
        async with asyncio.timeout(self._patience):
            await client.connect()  # type: ignore[no-untyped-call]
        self._client = client
        log.info("Slack's socket is open")
        away = 0.0
        while away < self._patience:
            await asyncio.sleep(self._ping)
            away = 0.0 if await client.is_connected() else away + self._ping
        raise TimeoutError

    async def _heard(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        response: dict[str, Any] | None = None
        try:
            if request.type == "interactive" and not await self._take(request.payload):
                return
        except Mistaken as mistake:
            response = mistake.response
        await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, response))
