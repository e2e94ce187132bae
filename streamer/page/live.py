"""Tells those who look what has changed, at once and then now and then: server-sent events."""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from streamer.page.rounds import Rounds
from streamer.page.sight import Sight
from streamer.page.state import Change

# News are gathered for so long after some were told: nobody reads faster. And for so long where nothing is wrong: spend
# changes all the time, and each round of questions costs everybody's machine.
_PAUSE, _CALM = 0.4, 1.0
_HEARTBEAT = 15.0
#: What is told without waiting for calm.
_PRESSING = ("incidents", "commands")


class _Looker:
    """One who looks, what is news to them, and whether a round has come since there is any."""

    def __init__(self, sight: Sight) -> None:
        self.sight, self.news = sight, set[str]()
        self.woken = asyncio.Event()

    def hears(self, change: Change) -> bool:
        """Take in a change that they see; tells whether it is news."""
        if change.what in self.news or not (not change.tenants or any(map(self.sight.sees, change.tenants))):
            return False
        self.news.add(change.what)
        return True

    def taken(self) -> list[str]:
        """Give the news, which are none any more."""
        told = sorted(self.news)
        self.news.clear()
        self.woken.clear()
        return told


class Live:
    """The lookers, and what is news to each. Only the kind of news is told; what it is they ask for themselves.

    All are told in the same rounds: who asks when others of the same sight do is given their answer.
    """

    def __init__(self, pause: float = _PAUSE, calm: float = _CALM, heartbeat: float = _HEARTBEAT) -> None:
        self._rounds, self._heartbeat = Rounds(pause, calm), heartbeat
        self._lookers: set[_Looker] = set()
        self._round: asyncio.TimerHandle | None = None
        self._closed = False

    def tell(self, change: Change) -> None:
        """Note a change for whoever sees it."""
        heard = [looker.hears(change) for looker in self._lookers]
        if any(heard):
            self._plan(pressing=change.what in _PRESSING)

    def close(self) -> None:
        """Let everybody go: the server ends."""
        self._closed = True
        self._cancel()
        for looker in self._lookers:
            looker.woken.set()

    def __len__(self) -> int:
        return len(self._lookers)

    async def news(self, sight: Sight) -> AsyncIterator[bytes]:
        """Give the events for one looker, as they go over the wire, for as long as they are asked for."""
        looker = _Looker(sight)
        self._lookers.add(looker)
        try:
            yield b"retry: 1000\nevent: hello\ndata: {}\n\n"
            while not self._closed:
                told = await self._next(looker)
                if not self._closed:
                    yield told
        finally:
            self._lookers.discard(looker)

    async def _next(self, looker: _Looker) -> bytes:
        try:
            async with asyncio.timeout(self._heartbeat):
                await looker.woken.wait()
        except TimeoutError:
            return b": still here\n\n"
        return b"event: news\ndata: " + msgspec.json.encode(looker.taken()) + b"\n\n"

    def _plan(self, *, pressing: bool) -> None:
        loop = asyncio.get_running_loop()
        at = self._rounds.ask(pressing=pressing, now=loop.time())
        if self._round is None or at < self._round.when():
            self._cancel()
            self._round = loop.call_at(at, self._begin)

    def _begin(self) -> None:
        self._rounds.begun(asyncio.get_running_loop().time())
        self._round = None
        for looker in self._lookers:
            if looker.news:
                looker.woken.set()

    def _cancel(self) -> None:
        if self._round is not None:
            self._round.cancel()
