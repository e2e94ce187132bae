"""People who look at the live page, as its browsers do: `python -m benchmarks.viewers PORT MANY`.

Each keeps the stream of news open, and asks for what the first page shows each time that something has changed. The
clients are as slight as can be, for it is the page that is measured: people look at it on machines of their own.
"""

import asyncio
import sys

# What the first page shows.
_ASKED = ("/api/overview", "/api/series?level=tenant&sort=rate&q=&page=1")
_LENGTH = b"content-length:"


async def run(port: int, many: int) -> None:
    """Look for ever, so many at a time."""
    await asyncio.gather(*(_look(port) for _ in range(many)))


async def _look(port: int) -> None:
    news, _ = await _asked(port, "/api/live")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while line := await news.readline():
        if line.startswith(b"data:"):
            for path in _ASKED:
                writer.write(_request(path))
                await _answer(reader)


async def _asked(port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_request(path))
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def _request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


async def _answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise RuntimeError(head.decode())
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(_LENGTH))
    await reader.readexactly(int(length[len(_LENGTH) :]))


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), int(sys.argv[2])))
