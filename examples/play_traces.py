"""Play public traces as canonical usage events, at their own pace or faster.

    python examples/play_traces.py DATA/azure_llm_2023_code.csv --speed 60
    python examples/play_traces.py DATA/mooncake_conversation.csv --speed max --out events.jsonl

All traces begin together, whatever their dates, and each is one tenant. An event keeps its original time.
With --shift-to-now it gets a time of today instead: the one at which it is sent or, at speed max, the one
that lets the last event fall on now; so nothing lies in the future.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import inf
from pathlib import Path
from typing import NamedTuple

import click
import orjson
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]
from trace_events import Event, UnknownTraceError, events_of, rfc3339


class Cue(NamedTuple):
    """An event and the seconds from the start of its trace."""

    offset: float
    event: Event


def cues_of(path: Path) -> Iterator[Cue]:
    """Yield a trace's events with their offsets in seconds from its first."""
    start: datetime | None = None
    for event in events_of(path):
        at = datetime.fromisoformat(event["time"])
        start = start or at
        yield Cue((at - start).total_seconds(), event)


def shifted(cues: list[Cue], now: datetime, speed: float) -> list[Cue]:
    """Give the events times of today: those of sending, or such that the last is now if speed is infinite."""
    if speed == inf:
        now, speed = now - timedelta(seconds=cues[-1].offset if cues else 0), 1.0
    return [
        Cue(cue.offset, {**cue.event, "time": rfc3339(now + timedelta(seconds=cue.offset / speed))}) for cue in cues
    ]


async def produce(cues: list[Cue], bootstrap: str, topic: str, speed: float) -> None:
    """Send each event, keyed by tenant, after offset / speed seconds; return once all are acknowledged."""
    loop = asyncio.get_running_loop()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20) as producer:
        begun = loop.time()
        acks = []
        for offset, event in cues:
            if (wait := begun + offset / speed - loop.time()) > 0:
                await asyncio.sleep(wait)
            acks.append(await producer.send(topic, orjson.dumps(event), key=event["tenant"].encode()))
        await asyncio.gather(*acks)


def parse_speed(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    """Read `max` or a factor above 0."""
    try:
        speed = inf if value == "max" else float(value)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise click.BadParameter(f"{value!r} is neither 'max' nor a number above 0")
    return speed


@click.command(help=__doc__.split("\n", 1)[0])
@click.argument("traces", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--bootstrap", default="127.0.0.1:9092", show_default=True, help="Kafka broker.")
@click.option("--topic", default="tidegate.usage", show_default=True)
@click.option("--speed", default="1", show_default=True, callback=parse_speed, help="A factor, or max.")
@click.option("--shift-to-now", is_flag=True, help="Replace the original times by times of today.")
@click.option("--limit", type=click.IntRange(min=1), help="Play only so many events.")
@click.option("--out", type=click.Path(path_type=Path), help="Write JSON lines here, at once, not to Kafka.")
def main(
    *,
    traces: tuple[Path, ...],
    bootstrap: str,
    topic: str,
    speed: float,
    shift_to_now: bool,
    limit: int | None,
    out: Path | None,
) -> None:
    """Play the traces into Kafka or into a file."""
    try:
        merged = heapq.merge(*map(cues_of, traces), key=lambda cue: cue.offset)
        cues = list(islice(merged, limit))
    except UnknownTraceError as error:
        raise click.ClickException(str(error)) from error
    if shift_to_now:
        cues = shifted(cues, datetime.now(UTC), speed)
    if out:
        out.write_bytes(b"".join(orjson.dumps(cue.event) + b"\n" for cue in cues))
    else:
        asyncio.run(produce(cues, bootstrap, topic, speed))
    click.echo(f"{len(cues)} events -> {out or topic}")


if __name__ == "__main__":
    main()
