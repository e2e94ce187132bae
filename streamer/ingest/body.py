"""Bodies of requests: read in time, unpacked within the limit, and no more of them at once than there is room for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import StreamReader

from streamer.events.packing import Damaged, Packing, TooLarge, unpack
from streamer.ingest.refused import Refused, busy

# Members or frames of a body, which may be put together of some; looking for the end of each costs.
_MOST_PARTS = 100
_ENCODINGS: dict[str, Packing] = {"gzip": "gzip", "x-gzip": "gzip", "zstd": "zstd"}


class Room:
    """Bytes and requests that may be held at once; further ones are told to come back, before memory fills up."""

    def __init__(self, most_bytes: int, most_requests: int) -> None:
        self._most_bytes, self._most_requests = most_bytes, most_requests
        self._bytes = self._requests = 0

    def hold(self) -> "Held":
        """Admit a request, for as long as the context lasts. Raises Refused."""
        if self._requests >= self._most_requests:
            raise busy(429, "too many requests are waiting for Kafka")
        return Held(self)

    def change(self, requests: int, count: int) -> None:
        """Take up room, or give it back; raises Refused where more bytes are wanted than there are."""
        if count > 0 and self._bytes + count > self._most_bytes:
            raise busy(429, "the requests that are waiting are as large as they may be (ingest.max_waiting_bytes)")
        self._requests += requests
        self._bytes += count


class Held:
    """What one request holds of the room; called with each number of bytes that it comes to hold."""

    def __init__(self, room: Room) -> None:
        self._room, self._bytes = room, 0

    def __enter__(self) -> "Held":
        self._room.change(1, 0)
        return self

    def __exit__(self, *_: object) -> None:
        self._room.change(-1, -self._bytes)

    def __call__(self, count: int) -> None:
        """Hold more bytes; raises Refused."""
        self._room.change(0, count)
        self._bytes += count


class Patience:
    """How long bodies may take: so many seconds each, and no longer once the door stops."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._over = seconds, False
        self._under_way: set[asyncio.Timeout] = set()

    def end(self) -> None:
        """Wait for no more of any body: what comes after the door has begun to stop is read by nobody."""
        self._over = True
        for timeout in self._under_way:
            timeout.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def lasts(self) -> AsyncIterator[None]:
        """Let what is in the context go on for as long as a body may take; raises Refused."""
        timeout = asyncio.timeout(0 if self._over else self._seconds)
        self._under_way.add(timeout)
        try:
            async with timeout:
                yield
        except TimeoutError:
            raise self._refusal() from None
        finally:
            self._under_way.discard(timeout)

    def _refusal(self) -> Refused:
        if self._over:
            return busy(503, "the front door is stopping", hang_up=True)
        return Refused(408, "the body took too long (ingest.body_seconds)", hang_up=True)


async def read(content: StreamReader, limit: int, patience: Patience, held: Callable[[int], None]) -> bytes:
    """Read a body of at most `limit` bytes within the time that it has; raises Refused."""
    if content.is_eof():  # it came with the head, as small ones do: nothing needs to be waited for
        whole = content.read_nowait()
        if len(whole) > limit:
            raise too_large()
        held(len(whole))
        return whole
    chunks: list[bytes] = []
    size = 0
    async with patience.lasts():
        async for chunk in content.iter_any():
            size += len(chunk)
            if size > limit:
                raise too_large()
            held(len(chunk))
            chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo a content encoding, and stop at the limit; raises Refused."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    packing = _ENCODINGS.get(encoding)
    if packing is None:
        raise Refused(415, "the content encoding is none of gzip, zstd", {"Accept-Encoding": "gzip, zstd"})
    try:
        return unpack(body, packing, limit, _MOST_PARTS)
    except TooLarge:
        raise too_large() from None
    except Damaged as why:
        raise Refused(400, f"the body could not be decompressed: {why}") from None


def too_large() -> Refused:
    """Make the refusal of a body over the limit."""
    return Refused(413, "the body is over the limit (ingest.max_body_bytes)", hang_up=True)
