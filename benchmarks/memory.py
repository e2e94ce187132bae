"""Bytes that a series, an id and a session cost, over 200,000 and more of each: `python -m benchmarks.memory`.

Resident memory of the process, before and after. A series' is of the whole Pipeline, with the ids seen, of which there
are three an agent. A session that is followed is one with tool calls.
"""

import gc
import os
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context

import msgspec

from benchmarks import cpu, results
from benchmarks.wide import events
from streamer.config import Config, LoopConfig
from streamer.dedup import SeenIds
from streamer.events.usage import UsageEvent
from streamer.judges.cases import Cases
from streamer.judges.loops import LoopJudge
from streamer.judges.policies import Policies
from streamer.judges.tags import Tags
from streamer.pipeline import Pipeline

_SERIES = 200_000
# Tenants of these sizes have so many ids, and so many sessions of a few calls, altogether.
_TENANTS, _IDS, _SESSIONS, _CALLS = 400, 2_000_000, 200_000, 5
_BEGIN = 1_790_000_000.0


def main() -> None:
    """Measure one after the other, each in a process of its own, and keep the figures."""
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as fresh:
        found = fresh.submit(measured, _SERIES).result()
        found["bytes_per_id"] = fresh.submit(of_id, _IDS).result()
        found["bytes_per_session"] = fresh.submit(of_session, _SESSIONS).result()
    results.keep(found)


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


def of_id(many: int) -> float:
    """Give the bytes of one remembered id of so many, over all tenants."""
    before = _resident()
    tenants = [SeenIds(3600.0) for _ in range(_TENANTS)]
    for number in range(many):
        tenants[number % _TENANTS].add("gateway", f"{number}", _BEGIN + number / 1000)
    return (_resident() - before) / many


def of_session(many: int) -> float:
    """Give the bytes of one session of so many, each with a few calls of tools, over all tenants."""
    config = LoopConfig(span_seconds=1e9)
    before = _resident()
    judges = [LoopJudge(f"t{number}", config, _cases(f"t{number}")) for number in range(_TENANTS)]
    for number in range(many):
        for call in range(_CALLS):
            judges[number % _TENANTS].on_event(_call(f"s{number}", f"{call}"), 0, _BEGIN + call)
    return (_resident() - before) / many


def _call(session: str, arguments: str) -> UsageEvent:
    return UsageEvent(
        id=f"{session}-{arguments}",
        time=datetime.fromtimestamp(_BEGIN, UTC),
        tenant="t",
        session=session,
        kind="tool",
        tool="search",
        tool_args_hash=arguments,
    )


def _cases(tenant: str) -> Cases:
    return Cases(tenant, Policies(), Config().detect.severity, Tags(frozenset()))


def _resident() -> int:
    gc.collect()
    return cpu.resident(os.getpid())


if __name__ == "__main__":
    main()
