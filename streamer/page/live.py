"""Tells those who look what has changed, at once and then at most a few times a second: server-sent events."""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from streamer.page.sight import Sight
from streamer.page.state import Change

# News of one kind are gathered for so long after they were told: nobody reads faster.
_PAUSE = 0.4
_HEARTBEAT = 15.0


class Live:
    """The lookers, and what is news to each. Only the kind of news is told; what it is they ask for themselves."""

    def __init__(self, pause: float = _PAUSE, heartbeat: float = _HEARTBEAT) -> None:
        self._pause, self._heartbeat = pause, heartbeat
        self._lookers: dict[object, tuple[Sight, set[str], asyncio.Event]] = {}
        self._closed = False

    def tell(self, change: Change) -> None:
        """Note a change for whoever sees it."""
        for sight, news, woken in self._lookers.values():
            if change.what not in news and (not change.tenants or any(map(sight.sees, change.tenants))):
                news.add(change.what)
                woken.set()

    def close(self) -> None:
        """Let everybody go: the server ends."""
        self._closed = True
        for _, _, woken in self._lookers.values():
            woken.set()

    def __len__(self) -> int:
        return len(self._lookers)

    async def news(self, sight: Sight) -> AsyncIterator[bytes]:
        """Give the events for one looker, as they go over the wire, for as long as they are asked for."""
        looker, news, woken = object(), set[str](), asyncio.Event()
        self._lookers[looker] = sight, news, woken
        try:
            yield b"retry: 1000\nevent: hello\ndata: {}\n\n"
            while not self._closed:
                yield await self._next(news, woken)
                await asyncio.sleep(self._pause)
        finally:
            del self._lookers[looker]

    async def _next(self, news: set[str], woken: asyncio.Event) -> bytes:
        try:
            async with asyncio.timeout(self._heartbeat):
                await woken.wait()
        except TimeoutError:
            return b": still here\n\n"
        told = sorted(news)
        news.clear()
        woken.clear()
        return b"event: news\ndata: " + msgspec.json.encode(told) + b"\n\n"
