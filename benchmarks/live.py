"""Tidegate's worker beside four other programs, each from the same topic: `python -m benchmarks.live`.

Each round gives every contender fresh topics. Once it consumes all partitions, all events are appended in a moment;
its time runs from there to the last closed window's arrival at the broker, and counts if its totals are right.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer

from benchmarks import cpu, processes, results, topics
from benchmarks.events import Log, Totals, log_of

# So many events that each is busy for ten seconds or more.
COUNTS = {"tidegate": 400_000, "faust": 40_000, "quix": 150_000, "bytewax": 400_000, "bare": 400_000}
_MODULES = {"faust": "faust_table", "quix": "quix", "bytewax": "bytewax_flow", "bare": "bare"}
_ZERO = Decimal(0)
_PATIENCE = 120.0
# Seconds of readiness without a break.
_SETTLED = 3.0


class Emitted(msgspec.Struct):
    """A closed window of a tenant, as Tidegate or another contender writes it."""

    tenant: str
    usd: Decimal
    level: str = "tenant"
    tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass
class Tally:
    """What a contender has emitted so far, by tenant, and when the broker got it."""

    totals: Totals = field(default_factory=dict)
    last: float = 0.0

    def take(self, value: bytes, at: float) -> None:
        """Add one record that the broker got `at` (epoch seconds)."""
        window = _decode(value)
        if window.level != "tenant":
            return
        tokens, usd = self.totals.get(window.tenant, (0, _ZERO))
        tokens += window.tokens + window.input_tokens + window.output_tokens
        self.totals[window.tenant] = (tokens, usd + window.usd)
        self.last = max(self.last, at)


@dataclass(frozen=True)
class Round:
    """One contender's run: events a second, and CPU seconds a million events of it and of the broker."""

    rate: float
    cpu: float
    broker_cpu: float
    right: bool


def start(name: str, bootstrap: str, prefix: str) -> AbstractContextManager[processes.Process]:
    """Start a contender by its name."""
    if name == "tidegate":
        return processes.worker(bootstrap, prefix)
    return processes.contender(_MODULES[name], bootstrap, prefix)


#: What runs beside a contender, given the broker's address and the prefix of the topics.
Beside = Callable[[str, str], AbstractAsyncContextManager[None]]


def run(name: str, bootstrap: str, log: Log, processes_of_it: int = 1, beside: Beside | None = None) -> Round:
    """Let one contender, in one process or several, work through the log; `beside` runs meanwhile."""
    prefix = f"{name}-{int(time.time() * 1000)}."
    starting = [start(name, bootstrap, prefix) for _ in range(processes_of_it)]
    return asyncio.run(_run(starting, bootstrap, prefix, log, beside or _nothing))


async def _run(
    starting: list[AbstractContextManager[processes.Process]], bootstrap: str, prefix: str, log: Log, beside: Beside
) -> Round:
    usage, rollups = f"{prefix}usage", f"{prefix}rollups"
    await topics.make(bootstrap, usage, rollups)
    await topics.fill(bootstrap, usage, log.opening)
    with ExitStack() as stack:
        running = [stack.enter_context(process) for process in starting]
        meters = cpu.Meter(*(process.pid for process in running)), cpu.Meter(cpu.child("java"))
        async with topics.reader(bootstrap, rollups) as consumer, beside(bootstrap, prefix):
            tally = Tally()
            await watch(tally, log.opened, consumer, running)
            await settled(running if len(running) > 1 else [])
            sampling = [asyncio.create_task(meter.run()) for meter in meters]
            began = await topics.fill(bootstrap, usage, log.records)
            await watch(tally, log.totals, consumer, running)
            for task in sampling:
                task.cancel()
            if tally.totals != log.totals:
                print(f"{prefix} {differences(tally.totals, log.totals)}", *(process.log() for process in running))
    await topics.drop(bootstrap, prefix)
    return _round(tally, began, log, *meters)


@asynccontextmanager
async def _nothing(_: str, __: str) -> AsyncIterator[None]:
    yield


async def watch(
    tally: Tally, expected: Totals, consumer: AIOKafkaConsumer, running: Sequence[processes.Process]
) -> None:
    """Read the output topic until the totals are what they should be, or patience is at its end."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while tally.totals != expected:
                for process in running:
                    process.check()
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        tally.take(record.value, record.timestamp / 1000)


def differences(found: Totals, expected: Totals) -> str:
    """Say how many tenants are wrong, and by how many tokens too few and too many."""
    apart = [found.get(tenant, (0, _ZERO))[0] - tokens for tenant, (tokens, _) in expected.items()]
    wrong = sum(found.get(tenant) != total for tenant, total in expected.items())
    short, over = -sum(n for n in apart if n < 0), sum(n for n in apart if n > 0)
    whole = sum(tokens for tokens, _ in expected.values())
    return f"{wrong} of {len(expected)} tenants wrong: {short} tokens too few, {over} too many, of {whole}"


async def settled(workers: Sequence[processes.Process]) -> None:
    """Wait until workers have been ready for a while: one that joins late takes it from the others for a moment."""
    since = time.monotonic()
    async with asyncio.timeout(_PATIENCE):
        while workers and time.monotonic() - since < _SETTLED:
            await asyncio.sleep(0.2)
            if not all(worker.ready() for worker in workers):
                since = time.monotonic()


def _round(tally: Tally, began: float, log: Log, own: cpu.Meter, broker: cpu.Meter) -> Round:
    millions = len(log.records) / 1e6
    used, served = (meter.between(began, tally.last) / millions for meter in (own, broker))
    return Round(len(log.records) / max(tally.last - began, 1e-3), used, served, tally.totals == log.totals)


def log_for(name: str, share: float) -> Log:
    """Make the contender's events: the same for all, more of them for the faster ones."""
    return log_of(int(COUNTS[name] * share), topics.markers())


def measure(bootstrap: str, rounds: int = 2, share: float = 1.0, only: Sequence[str] = tuple(COUNTS)) -> None:
    """Run the contenders in turn, some rounds of each, and keep the best."""
    found: dict[str, list[Round]] = {name: [] for name in only}
    for _ in range(rounds):
        for name in only:
            mine = run(name, bootstrap, log_for(name, share))
            found[name].append(mine)
            print(f"{name:<10} {mine}", flush=True)
    results.keep(figures(found))
    print(table(found))


def best(rounds: list[Round]) -> Round:
    """Take the round that other processes disturbed least."""
    return max(rounds, key=lambda one: one.rate)


def table(found: dict[str, list[Round]]) -> str:
    """Draw each contender's best round, the fastest first."""
    head = f"{'contender':<10} {'events/s':>10} {'CPU s/million':>14} {'broker CPU s/million':>21}  totals"
    rows = sorted(((best(mine).rate, name, mine) for name, mine in found.items()), reverse=True)
    return "\n".join([head, *(f"{name:<10} {rate:>10,.0f} {_costs(mine)}" for rate, name, mine in rows)])


def _costs(mine: list[Round]) -> str:
    totals = "right" if all(one.right for one in mine) else "WRONG"
    return f"{best(mine).cpu:>14.1f} {best(mine).broker_cpu:>21.1f}  {totals}"


def figures(found: dict[str, list[Round]]) -> dict[str, Any]:
    """Give the best rounds and the ratios; no figure for a contender with wrong totals."""
    said: dict[str, Any] = {}
    for name, mine in found.items():
        right = all(one.right for one in mine)
        said[f"live.{name}.totals"] = "right" if right else "WRONG"
        if right:
            said |= {f"live.{name}.{figure}": value for figure, value in _figures(mine).items()}
    for other in found:
        for over, figure in (("live_over", "events_per_second"), ("live_per_cpu_over", "events_per_cpu_second")):
            ours, theirs = said.get(f"live.tidegate.{figure}"), said.get(f"live.{other}.{figure}")
            if ours and theirs and other != "tidegate":
                said[f"{over}_{other}"] = ours / theirs
    return said


def _figures(mine: list[Round]) -> dict[str, float]:
    rates, chosen = [one.rate for one in mine], best(mine)
    return {
        "events_per_second": chosen.rate,
        "spread": (max(rates) - min(rates)) / chosen.rate,
        "events_per_cpu_second": 1e6 / chosen.cpu if chosen.cpu else 0.0,
        "cpu_seconds_per_million": chosen.cpu,
        "broker_cpu_seconds_per_million": chosen.broker_cpu,
    }


def main() -> None:
    """Run all contenders, or those named."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("only", nargs="*", choices=[*COUNTS, []], default=list(COUNTS))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--share", type=float, default=1.0, help="of the events that a full run has")
    given = parser.parse_args()
    with processes.broker() as kafka:
        measure(kafka.bootstrap, given.rounds, given.share, given.only)


_decode = msgspec.json.Decoder(Emitted).decode

if __name__ == "__main__":
    main()
