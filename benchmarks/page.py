"""What the live page costs the worker: `python -m benchmarks.page`.

One process does a worker's work in equal units, of a hundredth of a second or two each, on a CPU for itself. On the
other CPU are the broker, what writes to it as a worker at full load does, the page, and 20 viewers. The page is let run
and held still (SIGSTOP) in turn, for a quarter of a second each, and what a unit took is compared, turn by turn: what
else a machine does comes in gusts of half a second and more, so that it falls on both alike.

What is written while the page is held goes to other topics, so that it has not to catch up once it runs again. It is
still asked as often as if it had run all the time, and so works more in a second in which it is let run than it does
when it is never held. Both are measured, and the cost is reckoned down by that.

Two costs are counted: the worker's own CPU time for a unit, which is what the page costs it by sharing caches and cores
with it; and by the clock. A viewer does what the page in a browser does. With `--busy SHARE` a process that takes a
known share of a CPU is in the place of page and viewers, to see what such a measurement is worth.
"""

import argparse
import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import fmean

from benchmarks import cpu, processes, results, topics
from benchmarks.events import stream
from benchmarks.paired import Span, cost, costs, turns
from benchmarks.units import RECORDS, Unit, read
from benchmarks.written import Player, recorded
from streamer.config import KafkaConfig
from streamer.kafka.topics import Topics, ensure

_VIEWERS = 20
# Seconds that it is let run or held, and those before, of which the last are its own measure: it is not held in them.
_SPAN, _WARM_UP, _FREE = 0.25, 15.0, 20.0


@dataclass
class Measured:
    """What came of a run: the spans, the units, and the CPUs that page and viewers take while the page is not held."""

    spans: list[Span] = field(default_factory=list)
    units: Sequence[Unit] = ()
    cpus: float = 0.0
    viewers_cpus: float = 0.0


def measure(bootstrap: str, pairs: int = 400, busy: float | None = None) -> None:
    """Measure so many pairs of spans, and keep the figures; with `busy`, of that instead of the page, only print."""
    measured = Measured()
    asyncio.run(_run(bootstrap, measured, pairs, busy))
    found = figures(measured)
    if busy is None:
        results.keep({"page.viewers": _VIEWERS, **found})
    else:
        results.say(found)


async def _run(bootstrap: str, measured: Measured, pairs: int, busy: float | None) -> None:
    prefixes = (f"page-{int(time.time())}.", f"aside-{int(time.time())}.")
    for prefix in prefixes:
        kafka = KafkaConfig(bootstrap=bootstrap, topic_prefix=prefix)
        await ensure(kafka, Topics.named(prefix), {})
    player = Player(recorded(), prefixes)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = stack.enter_context(_working(folder))
        if busy is None:
            page, port = stack.enter_context(processes.page(bootstrap, prefixes[0]))
            viewers = stack.enter_context(processes.module("benchmarks.viewers", str(port), str(_VIEWERS)))
        else:
            page = viewers = stack.enter_context(processes.module("benchmarks.busy", str(busy)))
        playing = asyncio.create_task(player.run(bootstrap))
        stack.callback(playing.cancel)
        stack.enter_context(cpu.alone(found.pid, page.pid, viewers.pid, cpu.child("java")))
        await asyncio.sleep(_WARM_UP)
        measured.cpus, measured.viewers_cpus = await _free(page, viewers)
        stack.callback(os.kill, page.pid, signal.SIGCONT)
        for runs in turns(pairs, Random(int(time.time()))):
            measured.spans.append(await _span(page, player, runs=runs))
            for process in (found, page, viewers):
                process.check()
            if playing.done():
                playing.result()
        measured.units = read(folder / "units")
    await asyncio.gather(playing, return_exceptions=True)
    for prefix in prefixes:
        await topics.drop(bootstrap, prefix)


@contextmanager
def _working(folder: Path) -> Iterator[processes.Process]:
    """Run the process that does a worker's work."""
    lines = folder / "lines"
    lines.write_bytes(b"\n".join(item.value for item in stream().first(RECORDS)))
    with processes.module("benchmarks.units", str(lines), str(folder / "units")) as process:
        yield process


async def _free(*of: processes.Process) -> list[float]:
    """Give the CPUs that processes take while nothing is held."""
    before, began = [cpu.seconds(one.pid) for one in of], time.monotonic()
    await asyncio.sleep(_FREE)
    took = time.monotonic() - began
    return [(cpu.seconds(one.pid) - used) / took for one, used in zip(of, before, strict=True)]


async def _span(page: processes.Process, player: Player, *, runs: bool) -> Span:
    os.kill(page.pid, signal.SIGCONT if runs else signal.SIGSTOP)
    player.aside = not runs
    began, used = time.perf_counter(), cpu.seconds(page.pid)
    await asyncio.sleep(_SPAN)
    return Span(began, time.perf_counter(), runs, cpu.seconds(page.pid) - used)


def figures(measured: Measured) -> dict[str, object]:
    """Give the share of the worker's throughput that the page costs, by its CPU time and by the clock."""
    ran = [span for span in measured.spans if span.ran]
    in_turn = sum(span.cpu for span in ran) / sum(span.ended - span.began for span in ran)
    said: dict[str, object] = {
        "page.cpus": measured.cpus,
        "page.cpus.in_turn": in_turn,
        "page.viewers_cpus": measured.viewers_cpus,
        "page.spans": len(measured.spans),
        "page.unit_ms": 1e3 * fmean(unit.cpu for unit in measured.units),
    }
    for name, took in (("page_costs_the_worker", _by_cpu), ("page_costs_by_the_clock", _by_clock)):
        share, error = cost(costs(measured.units, measured.spans, took))
        scale = measured.cpus / in_turn if in_turn else 1.0
        said |= {name: share * scale, f"{name}.error": error * scale, f"{name}.in_turn": share}
    return said


def _by_cpu(unit: Unit) -> float:
    return unit.cpu


def _by_clock(unit: Unit) -> float:
    return unit.clock


def main() -> None:
    """Start a broker, and measure."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pairs", type=int, default=400, help="of a quarter of a second with the page and one without")
    parser.add_argument("--busy", type=float, help="instead of the page, what takes that share of a CPU")
    given = parser.parse_args()
    with processes.broker() as kafka:
        measure(kafka.bootstrap, given.pairs, given.busy)


if __name__ == "__main__":
    main()
