"""What the live page costs the worker: `python -m benchmarks.page`.

The page is a process of its own that reads the same broker. One worker works through a backlog, as fast as it can; a
page with 20 viewers is let run and held still (SIGSTOP) in turn, for as many events each: with, without, without, with.
The worker has a CPU for itself, and broker, page and viewers share the rest; with `--together` all share all.
So the same comes of either, and what the machine does besides falls on both alike. What the page reads of the time in
which it was held it reads uncounted. Two costs are counted, block by
block: the worker's own CPU time for an event, which is what the page costs it wherever it runs; and by the clock, where
worker, page, viewers and broker share this machine. A viewer does what the page in a browser does: it keeps the stream
of news open, and asks for what it shows each time that something has changed.
"""

import argparse
import asyncio
import os
import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import count, islice
from statistics import fmean, median, stdev
from typing import NamedTuple

import aiohttp

from benchmarks import cpu, processes, results, topics
from benchmarks.events import stream
from benchmarks.live import settled
from benchmarks.load import fresh

_VIEWERS = 20
# What the first page shows.
_ASKED = ("/api/overview", "/api/series?level=tenant&sort=rate&q=&page=1")
# Whether the page runs, phase by phase of a block.
_BLOCK = (True, False, False, True)
# Events a second of event time, and those of a phase: a window's. Before the first block come so many phases.
_RATE, _PHASE, _WARM_UP = 4_000, 40_000, 2
# So many events pass uncounted once the page runs again, until it has read what came while it was held.
_CATCH_UP = 20_000
# Events that are repeated, as other sessions, and that are put on the topic at a time.
_MADE, _CHUNK = 20_000, 200_000
# Seconds between two looks at how many events are counted; the worker says it four times a second.
_LOOK = 0.05
_COUNTED = re.compile(r'^tidegate_events_total\{outcome="counted"\} (\S+)', re.MULTILINE)


class Mark(NamedTuple):
    """How far the worker was at a moment (seconds), and the CPU seconds that it had used."""

    at: float
    events: float
    cpu: float


class Spent(NamedTuple):
    """Seconds of the clock, and CPU seconds of the worker, that an event took."""

    clock: float
    cpu: float


@dataclass
class Watched:
    """What all viewers asked for, the page's CPU seconds and those it ran, and each block: with it and without."""

    answers: int = 0
    page_cpu: float = 0.0
    page_ran: float = 0.0
    blocks: list[tuple[Spent, Spent]] = field(default_factory=list)

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

    async def block(self, worker: processes.Process, page: processes.Process) -> None:
        """Let the page run and hold it still in turn; keeps what an event cost with it and without."""
        phases: dict[bool, list[Spent]] = {True: [], False: []}
        ran = True
        for runs in _BLOCK:
            os.kill(page.pid, signal.SIGCONT if runs else signal.SIGSTOP)
            before = await mark(worker, 0)
            if runs and not ran:
                before = await mark(worker, before.events + _CATCH_UP)
            of_page, ran = cpu.seconds(page.pid), runs
            after = await mark(worker, before.events + _PHASE)
            phases[runs].append(spent(before, after))
            self.page_cpu += cpu.seconds(page.pid) - of_page
            self.page_ran += runs * (after.at - before.at)
        self.blocks.append((_mean(phases[True]), _mean(phases[False])))


async def mark(worker: processes.Process, events: float) -> Mark:
    """Wait until the worker says a new number of counted events, `events` or more."""
    first = await _counted(worker)
    while (now := await _counted(worker)) == first or now < events:
        await asyncio.sleep(_LOOK)
    return Mark(time.monotonic(), now, cpu.seconds(worker.pid))


async def _counted(worker: processes.Process) -> float:
    worker.check()
    found = _COUNTED.search(await asyncio.to_thread(worker.metrics))
    return float(found[1]) if found else 0.0


def spent(before: Mark, after: Mark) -> Spent:
    """Give what each event between two marks took."""
    events = after.events - before.events
    return Spent((after.at - before.at) / events, (after.cpu - before.cpu) / events)


def _mean(phases: Sequence[Spent]) -> Spent:
    return Spent(fmean(phase.clock for phase in phases), fmean(phase.cpu for phase in phases))


def measure(bootstrap: str, blocks: int = 8, *, together: bool = False) -> None:
    """Measure so many blocks, and keep the figures."""
    watched = Watched()
    asyncio.run(_run(bootstrap, watched, blocks, together=together))
    results.keep(figures(watched) | {"page.together": together})


async def _run(bootstrap: str, watched: Watched, blocks: int, *, together: bool) -> None:
    prefix = f"page-{int(time.time())}."
    await topics.make(bootstrap, f"{prefix}usage", f"{prefix}rollups")
    # The worker goes on between two phases, so that some more is needed.
    needed = _PHASE * (_WARM_UP + len(_BLOCK) * blocks) + _CATCH_UP * blocks
    records = backlog(round(needed * 1.25), time.time())
    while chunk := list(islice(records, _CHUNK)):
        await topics.fill(bootstrap, f"{prefix}usage", chunk)
    with processes.worker(bootstrap, prefix) as worker, processes.page(bootstrap, prefix) as (page, port):
        await settled([worker])
        looking = [asyncio.create_task(watched.look(port)) for _ in range(_VIEWERS)]
        await mark(worker, _PHASE * _WARM_UP)
        try:
            with nullcontext() if together else cpu.alone(worker.pid, page.pid, cpu.child("java")):
                for number in range(blocks):
                    await watched.block(worker, page)
                    print(f"block {number + 1}: {_said(*watched.blocks[-1])}", flush=True)
        finally:
            os.kill(page.pid, signal.SIGCONT)
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
    await topics.drop(bootstrap, prefix)


def backlog(size: int, end: float) -> Iterator[tuple[str, bytes]]:
    """Make so many events that came before `end` (epoch seconds)."""
    past = count(size, -1)
    return islice(fresh(stream().first(_MADE), lambda: end - next(past) / _RATE), size)


def _said(seen: Spent, alone: Spent) -> str:
    return (
        f"with {seen.cpu * 1e6:.1f} us of CPU an event, without {alone.cpu * 1e6:.1f}; "
        f"{1 / seen.clock:,.0f} events a second, without {1 / alone.clock:,.0f}"
    )


def figures(watched: Watched) -> dict[str, object]:
    """Give the share of what a CPU second of the worker carries, and of its events a second, that the page costs.

    Errors are the median's standard errors.
    """
    return {
        "page.viewers": _VIEWERS,
        "page.answers": watched.answers,
        "page.cpus": watched.page_cpu / watched.page_ran,
        "page.worker_us_an_event.with": 1e6 * fmean(seen.cpu for seen, _ in watched.blocks),
        "page.worker_us_an_event.without": 1e6 * fmean(alone.cpu for _, alone in watched.blocks),
        **_cost("page_costs_the_worker", [1 - alone.cpu / seen.cpu for seen, alone in watched.blocks]),
        **_cost("page_costs_by_the_clock", [1 - alone.clock / seen.clock for seen, alone in watched.blocks]),
    }


def _cost(name: str, costs: Sequence[float]) -> dict[str, float]:
    return {name: median(costs), f"{name}.error": 1.2533 * stdev(costs) / len(costs) ** 0.5}


def main() -> None:
    """Start a broker, and measure."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--blocks", type=int, default=8, help="of four phases of 40,000 events")
    parser.add_argument("--together", action="store_true", help="let all share all CPUs")
    given = parser.parse_args()
    with processes.broker() as kafka:
        measure(kafka.bootstrap, given.blocks, together=given.together)


if __name__ == "__main__":
    main()
