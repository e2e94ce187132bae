"""People who look at the live page, as its browsers do: `python -m benchmarks.viewers PORT MANY`.

Each keeps the stream of news open, and asks for what the first page shows each time that something has changed.
"""

import asyncio
import sys

import aiohttp

# What the first page shows.
_ASKED = ("/api/overview", "/api/series?level=tenant&sort=rate&q=&page=1")


async def run(port: int, many: int) -> None:
    """Look for ever, so many at a time."""
    await asyncio.gather(*(_look(f"http://127.0.0.1:{port}") for _ in range(many)))


async def _look(address: str) -> None:
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(address, timeout=timeout, raise_for_status=True) as session,
        session.get("/api/live") as news,
    ):
        async for line in news.content:
            if line.startswith(b"data:"):
                for path in _ASKED:
                    async with session.get(path) as answer:
                        await answer.read()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), int(sys.argv[2])))
