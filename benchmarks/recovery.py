"""How long a worker takes to be ready with the state of 100,000 series: `python -m benchmarks.recovery`.

From the start of the process to the answer that it is ready; beside it, the same of a worker without state.
"""

import asyncio
import time

from benchmarks import processes, results, topics
from benchmarks.events import Log, closed, item_of
from benchmarks.live import Tally, watch
from benchmarks.wide import events

_SERIES = 100_000
# Long enough for a checkpoint, which the worker writes every second.
_CHECKPOINTED = 3.0
_PATIENCE = 120.0


def log() -> Log:
    """Make the events, and one for each tenant that closes its windows."""
    begin = time.time() // 10 * 10 - 7200
    return closed([item_of(fields) for fields in events(_SERIES, begin)], begin, ())


async def _run(bootstrap: str, prefix: str, log: Log) -> tuple[float, float]:
    """Give the seconds of a start without state and with it."""
    await topics.make(bootstrap, f"{prefix}usage", f"{prefix}rollups")
    began = time.monotonic()
    with processes.worker(bootstrap, prefix) as worker:
        empty = await _ready(worker, began)
        await topics.fill(bootstrap, f"{prefix}usage", log.records)
        tally = Tally()
        async with topics.reader(bootstrap, f"{prefix}rollups") as consumer:
            await watch(tally, log.totals, consumer, [worker])
        await asyncio.sleep(_CHECKPOINTED)
    if tally.totals != log.totals:
        raise RuntimeError("the worker gave wrong totals")
    began = time.monotonic()
    with processes.worker(bootstrap, prefix) as worker:
        full = await _ready(worker, began)
    await topics.drop(bootstrap, prefix)
    return empty, full


async def _ready(worker: processes.Process, began: float) -> float:
    async with asyncio.timeout(_PATIENCE):
        while not worker.ready():
            await asyncio.sleep(0.05)
    return time.monotonic() - began


def measure(bootstrap: str) -> None:
    """Run it once, and keep the figures."""
    empty, full = asyncio.run(_run(bootstrap, f"recovery-{int(time.time())}.", log()))
    results.keep({"start_seconds": empty, "recovery_seconds": full})


def main() -> None:
    """Start a broker, and measure."""
    with processes.broker() as kafka:
        measure(kafka.bootstrap)


if __name__ == "__main__":
    main()
