"""What the live page costs the worker: rounds with 20 viewers beside rounds without: `python -m benchmarks.page`.

The page is a process of its own that reads the same broker. What counts is the worker's CPU time an event, which means
the same on a busy machine; the page's own is kept beside it. A viewer does what the page in a browser does: it keeps
the stream of news open, and asks for what it shows each time that something has changed.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from benchmarks import cpu, processes, results, topics
from benchmarks.events import log_of
from benchmarks.live import Beside, Round, best, run

_COUNT = 400_000
_VIEWERS = 20
# What the first page shows.
_ASKED = ("/api/overview", "/api/series?level=tenant&sort=rate&q=&page=1")


@dataclass
class Watched:
    """What all viewers together asked for, and what the page used for it, over all rounds."""

    answers: int = 0
    cpu: float = 0.0

    def beside(self, viewers: int) -> Beside:
        """Give what runs beside the worker: a page with so many viewers."""

        @asynccontextmanager
        async def watching(bootstrap: str, prefix: str) -> AsyncIterator[None]:
            with processes.page(bootstrap, prefix) as (page, port):
                before = cpu.seconds(page.pid)
                looking = [asyncio.create_task(self._look(port)) for _ in range(viewers)]
                yield
                for task in looking:
                    task.cancel()
                await asyncio.gather(*looking, return_exceptions=True)
                self.cpu += cpu.seconds(page.pid) - before

        return watching

    async def _look(self, port: int) -> None:
        timeout = aiohttp.ClientTimeout(total=None)
        address = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession(address, timeout=timeout) as session, session.get("/api/live") as news:
            async for line in news.content:
                if line.startswith(b"data:"):
                    await self._ask(session)

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        for path in _ASKED:
            async with session.get(path) as answer:
                answer.raise_for_status()
                await answer.read()
                self.answers += 1


def measure(bootstrap: str, rounds: int = 3, count: int = _COUNT) -> None:
    """Take turns, and keep what the page costs; no figure where totals are wrong."""
    log, watched = log_of(count, topics.markers()), Watched()
    found: dict[str, list[Round]] = {"without": [], "with": []}
    ways: dict[str, Beside | None] = {"without": None, "with": watched.beside(_VIEWERS)}
    for _ in range(rounds):
        for name, beside in ways.items():
            found[name].append(run("tidegate", bootstrap, log, beside=beside))
            print(f"{name} the page: {found[name][-1]}", flush=True)
    results.keep(figures(found, watched))


def figures(found: dict[str, list[Round]], watched: Watched) -> dict[str, object]:
    """Give the share of the worker's throughput that the page costs: of what a CPU second of the worker carries."""
    if not all(one.right for mine in found.values() for one in mine):
        return {"page.totals": "WRONG"}
    alone, seen = (min(one.cpu for one in found[name]) for name in ("without", "with"))
    return {
        "page.totals": "right",
        "page.viewers": _VIEWERS,
        "page.answers": watched.answers,
        "page.cpu_seconds": watched.cpu,
        "page.worker_cpu_seconds_per_million.without": alone,
        "page.worker_cpu_seconds_per_million.with": seen,
        "page_costs_the_worker": 1 - alone / seen,
        "page.events_per_second.without": best(found["without"]).rate,
        "page.events_per_second.with": best(found["with"]).rate,
    }


def main() -> None:
    """Start a broker, and measure."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=_COUNT)
    given = parser.parse_args()
    with processes.broker() as kafka:
        measure(kafka.bootstrap, given.rounds, given.count)


if __name__ == "__main__":
    main()
