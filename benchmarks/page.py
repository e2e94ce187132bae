"""What the live page costs the worker: `python -m benchmarks.page`.

The page is a process of its own that reads the same broker. One worker carries a steady load; a page with 20 viewers is
let run and held still (SIGSTOP) in turn, a window's length each, so that as many windows close in the one as in the
other: with, without, without, with. What counts is the worker's CPU time, block by block, so that what else the machine
does falls on both alike. A viewer does what the page in a browser does: it keeps the stream of news open, and asks for
what it shows each time that something has changed.
"""

import argparse
import asyncio
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median, stdev

import aiohttp

from benchmarks import cpu, processes, results, topics
from benchmarks.latency import flowing
from benchmarks.live import settled

_VIEWERS = 20
# What the first page shows.
_ASKED = ("/api/overview", "/api/series?level=tenant&sort=rate&q=&page=1")
# Whether the page runs, phase by phase of a block.
_BLOCK = (True, False, False, True)
# Events a second; about half of what a worker carries where nothing else runs.
_RATE = 8_000.0
# Seconds of a phase, which are those of a window, and before the first one.
_PHASE, _WARM_UP = 10.0, 20.0


@dataclass
class Watched:
    """What all viewers together asked for, and the CPU seconds of worker and page in each phase, block by block."""

    answers: int = 0
    page_cpu: float = 0.0
    blocks: list[tuple[float, float]] = field(default_factory=list)

    async def look(self, port: int) -> None:
        """Be one viewer, until cancelled."""
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

    async def block(self, worker: int, page: int) -> None:
        """Let the page run and hold it still in turn; keeps the worker's CPU share with it and without."""
        used = {True: 0.0, False: 0.0}
        # Each phase begins where the one before ended, however late this process gets its turn.
        begin = time.monotonic()
        for runs in _BLOCK:
            os.kill(page, signal.SIGCONT if runs else signal.SIGSTOP)
            before, of_page = cpu.seconds(worker), cpu.seconds(page)
            begin += _PHASE
            await asyncio.sleep(begin - time.monotonic())
            used[runs] += (cpu.seconds(worker) - before) / _PHASE
            self.page_cpu += cpu.seconds(page) - of_page
        self.blocks.append((used[True] / 2, used[False] / 2))


def measure(bootstrap: str, blocks: int = 6, rate: float = _RATE) -> None:
    """Measure so many blocks at `rate` events a second, and keep the figures."""
    prefix, watched = f"page-{int(time.time())}.", Watched()
    asyncio.run(_run(bootstrap, prefix, watched, blocks, rate))
    results.keep({"page.events_per_second": rate, **figures(watched)})


async def _run(bootstrap: str, prefix: str, watched: Watched, blocks: int, rate: float) -> None:
    await topics.make(bootstrap, f"{prefix}usage", f"{prefix}rollups")
    with processes.worker(bootstrap, prefix) as worker, processes.page(bootstrap, prefix) as (page, port):
        await settled([worker])
        with processes.module("benchmarks.load", bootstrap, f"{prefix}usage", str(rate)):
            await flowing(bootstrap, f"{prefix}usage")
            looking = [asyncio.create_task(watched.look(port)) for _ in range(_VIEWERS)]
            await asyncio.sleep(_WARM_UP)
            try:
                for number in range(blocks):
                    await watched.block(worker.pid, page.pid)
                    print(f"block {number + 1}: with {watched.blocks[-1][0]:.3f}, without {watched.blocks[-1][1]:.3f}")
            finally:
                os.kill(page.pid, signal.SIGCONT)
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)
    await topics.drop(bootstrap, prefix)


def figures(watched: Watched) -> dict[str, object]:
    """Give the share of the worker's throughput that the page costs: of what a CPU second of the worker carries.

    The error is the median's standard error.
    """
    costs = [1 - without / seen for seen, without in watched.blocks]
    return {
        "page.viewers": _VIEWERS,
        "page.answers": watched.answers,
        "page.cpu_seconds": watched.page_cpu,
        "page.worker_cpus.with": _mean([seen for seen, _ in watched.blocks]),
        "page.worker_cpus.without": _mean([without for _, without in watched.blocks]),
        "page_costs_the_worker": median(costs),
        "page_costs_the_worker.error": 1.2533 * stdev(costs) / len(costs) ** 0.5,
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def main() -> None:
    """Start a broker, and measure."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--blocks", type=int, default=6, help="of four windows")
    parser.add_argument("--rate", type=float, default=_RATE, help="events a second")
    given = parser.parse_args()
    with processes.broker() as kafka:
        measure(kafka.bootstrap, given.blocks, given.rate)


if __name__ == "__main__":
    main()
