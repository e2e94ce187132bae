"""Bytes that a series costs in the Pipeline, over 200,000 of them: `python -m benchmarks.memory`.

Resident memory of the process, before and after; with the ids seen, of which there are three an agent.
"""

import gc
import os

import msgspec

from benchmarks import cpu, results
from benchmarks.wide import events
from streamer.config import Config
from streamer.events.usage import UsageEvent
from streamer.pipeline import Pipeline

_SERIES = 200_000
_BEGIN = 1_790_000_000.0


def main() -> None:
    """Fill a Pipeline, and keep what it takes a series."""
    results.keep(measured(_SERIES))


def measured(series: int) -> dict[str, float]:
    """Fill a Pipeline with so many series; gives the bytes of one, held and written down."""
    pipeline = Pipeline(Config())
    before = _resident()
    for fields in events(series, _BEGIN):
        event = msgspec.convert(fields, UsageEvent)
        pipeline.submit([event], event.time.timestamp())
    pipeline.flush()
    held = _resident() - before
    written = sum(len(part or b"") for _, part in pipeline.changes())
    return {"bytes_per_series": held / series, "snapshot_bytes_per_series": written / series}


def _resident() -> int:
    gc.collect()
    return cpu.resident(os.getpid())


if __name__ == "__main__":
    main()
