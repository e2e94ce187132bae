"""Tells those who look what has changed, at once and then now and then: server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec

from streamer.page.sight import Sight
from streamer.page.state import Change

# News are gathered for so long after some were told: nobody reads faster. And for so long where nothing is wrong: spend
# changes all the time, and each round of questions costs everybody's machine.
_PAUSE, _CALM = 0.4, 1.0
_HEARTBEAT = 15.0
#: What is told without waiting for calm.
_PRESSING = ("incidents", "commands")


class _Looker:
    """One who looks, what is news to them, and whether there is any, and any that presses."""

    def __init__(self, sight: Sight) -> None:
        self.sight, self.news = sight, set[str]()
        self.woken, self.pressed = asyncio.Event(), asyncio.Event()

    def hear(self, what: str) -> None:
        self.news.add(what)
        self.woken.set()
        if what in _PRESSING:
            self.pressed.set()

    def taken(self) -> list[str]:
        """Give the news, which are none any more."""
        told = sorted(self.news)
        self.news.clear()
        self.woken.clear()
        self.pressed.clear()
        return told


class Live:
    """The lookers, and what is news to each. Only the kind of news is told; what it is they ask for themselves."""

    def __init__(self, pause: float = _PAUSE, calm: float = _CALM, heartbeat: float = _HEARTBEAT) -> None:
        self._pause, self._calm, self._heartbeat = pause, calm, heartbeat
        self._lookers: set[_Looker] = set()
        self._closed = False

    def tell(self, change: Change) -> None:
        """Note a change for whoever sees it."""
        for looker in self._lookers:
            sees = looker.sight.sees
            if change.what not in looker.news and (not change.tenants or any(map(sees, change.tenants))):
                looker.hear(change.what)

    def close(self) -> None:
        """Let everybody go: the server ends."""
        self._closed = True
        for looker in self._lookers:
            looker.woken.set()
            looker.pressed.set()

    def __len__(self) -> int:
        return len(self._lookers)

    async def news(self, sight: Sight) -> AsyncIterator[bytes]:
        """Give the events for one looker, as they go over the wire, for as long as they are asked for."""
        looker = _Looker(sight)
        self._lookers.add(looker)
        try:
            yield b"retry: 1000\nevent: hello\ndata: {}\n\n"
            while not self._closed:
                yield await self._next(looker)
                await self._rest(looker)
        finally:
            self._lookers.discard(looker)

    async def _next(self, looker: _Looker) -> bytes:
        try:
            async with asyncio.timeout(self._heartbeat):
                await looker.woken.wait()
        except TimeoutError:
            return b": still here\n\n"
        return b"event: news\ndata: " + msgspec.json.encode(looker.taken()) + b"\n\n"

    async def _rest(self, looker: _Looker) -> None:
        """Wait for calm, or for the pause alone where something presses."""
        await asyncio.sleep(self._pause)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._calm - self._pause)):
                await looker.pressed.wait()
