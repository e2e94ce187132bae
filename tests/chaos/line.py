"""A TCP line to the broker that can be cut: by silence, as a lost network is, or by reset."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Literal, Self

Cut = Literal["silence", "reset"]
_CHUNK = 1 << 16
# SO_LINGER on, of zero seconds: closing sends RST instead of FIN.
_RESET = struct.pack("ii", 1, 0)


class Line:
    """Listens at `client` (host:port) and passes bytes to and from `broker`, in a thread of its own.

    While it is cut by silence, connections stay open, new ones are taken, and nothing passes; what was sent in the
    meantime arrives when the line is mended, as it does over a network that comes back. Cut by reset, connections
    break at once and new ones too.
    """

    def __init__(self, client: str, broker: str) -> None:
        self.client, self._broker = client, broker
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"line {client}", daemon=True)
        self._open = asyncio.Event()
        self._resetting = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._served: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self, how: Cut) -> None:
        """Let nothing pass from now on."""
        self._do(self._cut(how))

    def mend(self) -> None:
        """Let everything pass again."""
        self._do(self._mend())

    def _do(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(10)

    async def _listen(self) -> None:
        self._open.set()
        host, _, port = self.client.rpartition(":")
        self._server = await asyncio.start_server(self._accept, host, int(port))

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._served:
            task.cancel()
        await asyncio.gather(*self._served, return_exceptions=True)

    async def _cut(self, how: Cut) -> None:
        self._open.clear()
        self._resetting = how == "reset"
        if self._resetting:
            for writer in self._writers:
                _reset(writer)

    async def _mend(self) -> None:
        self._resetting = False
        self._open.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._served.add(task)
        task.add_done_callback(self._served.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            async with self._kept(writer):
                if self._resetting:
                    _reset(writer)
                    return
                await self._open.wait()
                host, _, port = self._broker.rpartition(":")
                from_broker, to_broker = await asyncio.open_connection(host, int(port))
                async with self._kept(to_broker):
                    await self._pass_both(reader, to_broker, from_broker, writer)

    async def _pass_both(
        self,
        from_client: asyncio.StreamReader,
        to_broker: asyncio.StreamWriter,
        from_broker: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
    ) -> None:
        """Until either side ends: a Kafka connection is never half closed."""
        ways = [
            asyncio.ensure_future(way)
            for way in (self._pass(from_client, to_broker), self._pass(from_broker, to_client))
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            await self._open.wait()
            writer.write(chunk)
            await writer.drain()
        # The end of a connection does not pass a dead network either.
        await self._open.wait()

    @contextlib.asynccontextmanager
    async def _kept(self, writer: asyncio.StreamWriter) -> Any:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
