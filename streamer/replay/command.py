"""`tidegate replay`: sources in, files out, and a few lines for the terminal."""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from streamer.clock import utc
from streamer.config import Config
from streamer.replay.extent import Progress, Watcher
from streamer.replay.facts import Facts
from streamer.replay.feed import Feed, GoesOn, Job
from streamer.replay.office import Office, Told
from streamer.replay.outputs import Outputs
from streamer.replay.places import expand
from streamer.replay.report.page import write as write_report
from streamer.replay.sources import NO_PRESENT


def run(
    sources: Sequence[str],
    config: Config,
    out: Path,
    begin: datetime | None = None,
    end: datetime | None = None,
    *,
    now: float = NO_PRESENT,
    strict: bool = False,
    workers: int = 1,
    goes_on: GoesOn = lambda: True,
    watch: Watcher = lambda _: None,
) -> Iterator[str]:
    """Replay `sources`, merged by time, and write the files into `out`; gives lines that say how it went.

    When it no longer `goes_on` the data are taken to end there. Raises SourceUnreadable.
    """
    started = time.perf_counter()
    feed = Feed(Job(tuple(expand(sources)), config, begin, end, now, strict), workers)
    facts, office = Facts(), Office(config)
    with Outputs(out) as outputs:
        stopped = _play(feed, office, facts, outputs, goes_on, watch)
        seconds = time.perf_counter() - started
        summary = outputs.finish(facts, feed.totals, seconds, stopped=stopped)
        outputs.add("report.html", write_report(config, summary, facts, feed.totals, outputs.rollups()))
    yield from feed.totals.faults.lines()
    if stopped:
        yield f"stopped by hand at {utc(facts.end):%Y-%m-%d %H:%M:%S} UTC of the data; the files are whole up to there"
    yield from _said(summary, len(facts.anomalies), out)


def _play(feed: Feed, office: Office, facts: Facts, outputs: Outputs, goes_on: GoesOn, watch: Watcher) -> bool:
    """Take in all chunks; tells whether it was stopped before the end."""
    asked = [True]

    def still() -> bool:
        asked[0] = asked[0] and goes_on()
        return asked[0]

    for chunk in feed.chunks(still):
        facts.take(chunk)
        outputs.write(chunk)
        for told in office.take(chunk.steps):
            _tell(told, facts, outputs)
        watch(Progress(chunk.read, feed.extent.total, facts.read, chunk.at))
    for told in office.close():
        _tell(told, facts, outputs)
    return not asked[0]


def _tell(told: Any, facts: Facts, outputs: Outputs) -> None:
    outputs.tell(told)
    if isinstance(told, Told):
        facts.tell(told)
    else:
        facts.commands.append(told)


def _said(summary: dict[str, Any], anomalies: int, out: Path) -> Iterator[str]:
    if duplicates := summary["events"].get("duplicate", 0):
        yield f"{duplicates:,} events were repeats of others (same source and id), and count once"
    yield f"{summary['events'].get('counted', 0):,} events, ${summary['usd']:,f}, {anomalies} anomalies"
    yield f"{summary['speed']['events_per_second']:,} events a second; written to {out}"
