"""Socket Mode of the stand-in: tickets, the WebSocket, envelopes and their acknowledgements."""

import asyncio
import itertools
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import WSMsgType, web

APP_TOKEN = "xapp-1-the-other-secret-of-tests"


class Sockets:
    """The open connections of one app. Tickets are good for one connection each, as Slack's are.

    `responses` is what was said with acknowledgements.
    """

    def __init__(self) -> None:
        self.tickets: set[str] = set()
        self.open: list[web.WebSocketResponse] = []
        self.opened = asyncio.Event()
        self.refuse = 0
        self._numbers = itertools.count(1)
        self._acks: dict[str, asyncio.Future[None]] = {}
        self.responses: list[Any] = []

    def ticket(self) -> str:
        """A new ticket."""
        ticket = f"ticket-{next(self._numbers)}"
        self.tickets.add(ticket)
        return ticket

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Take in a connection, and keep it until it ends."""
        ticket = request.query.get("ticket", "")
        if ticket not in self.tickets:
            return web.Response(status=404)
        self.tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": len(self.open) + 1})
        self.open.append(socket)
        self.opened.set()
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    self._acknowledged(json.loads(message.data))
        finally:
            self.open.remove(socket)
            if not self.open:
                self.opened.clear()
        return socket

    async def deliver(self, payload: Mapping[str, Any], kind: str = "interactive", patience: float = 3.0) -> bool:
        """Send an envelope to one of the connections; True if it was acknowledged in Slack's three seconds."""
        envelope = f"envelope-{next(self._numbers)}"
        acked = self._acks[envelope] = asyncio.get_running_loop().create_future()
        await self.opened.wait()
        await self.open[-1].send_json(
            {
                "type": kind,
                "envelope_id": envelope,
                "payload": payload,
                "accepts_response_payload": payload.get("type") == "view_submission",
            }
        )
        try:
            await asyncio.wait_for(acked, patience)
        except TimeoutError:
            return False
        return True

    async def ask_to_reconnect(self) -> None:
        """Slack refreshes connections now and then: it says so, and the app comes again."""
        for socket in list(self.open):
            await socket.send_json({"type": "disconnect", "reason": "refresh_requested"})

    async def cut(self) -> None:
        """The connections are gone, without a word."""
        for socket in list(self.open):
            await socket.close()

    def _acknowledged(self, message: Mapping[str, Any]) -> None:
        found = self._acks.get(message.get("envelope_id", ""))
        if message.get("payload"):
            self.responses.append(message["payload"])
        if found and not found.done():
            found.set_result(None)
