"""`tidegate replay`: sources in, files out, and a few lines for the terminal."""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from alerts.text import plain
from alerts.throttle.command import Command
from streamer.clock import utc
from streamer.config import Config
from streamer.replay.bills import chargeback, showback
from streamer.replay.extent import Control, Progress
from streamer.replay.facts import Facts
from streamer.replay.feed import Feed, Job
from streamer.replay.office import Office, Told
from streamer.replay.outputs import Outputs
from streamer.replay.places import expand
from streamer.replay.report.page import Findings
from streamer.replay.report.page import write as write_report
from streamer.replay.scorecards import scorecards
from streamer.replay.sources import NO_PRESENT

_UNWATCHED = Control()
# So many of what has no price are named in the terminal.
_MOST_NAMED = 10


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
    control: Control = _UNWATCHED,
) -> Iterator[str]:
    """Replay `sources`, merged by time, and write the files into `out`; gives lines that say how it went.

    Where `control` says not to go on the data are taken to end there. Raises SourceUnreadable.
    """
    started = time.perf_counter()
    feed = Feed(Job(tuple(expand(sources)), config, begin, end, now, strict), workers)
    with Outputs(out) as outputs:
        play = _Play(feed, config, outputs, control)
        play.to_the_end()
        facts, seconds = play.facts, time.perf_counter() - started
        summary = outputs.finish(facts, feed.totals, seconds, stopped=play.stopped)
        cards = scorecards(config, facts)
        outputs.score(cards)
        outputs.add("showback.csv", showback(facts))
        outputs.add("chargeback.csv", chargeback(config, facts))
        found = Findings(summary, facts, cards, feed.totals, outputs.rollups())
        outputs.add("report.html", write_report(config, found))
    yield from feed.totals.faults.lines()
    if play.stopped:
        yield f"stopped by hand at {utc(facts.end):%Y-%m-%d %H:%M:%S} UTC of the data; the files are whole up to there"
    yield from _said(summary, len(facts.anomalies), out)


class _Play:
    """One replay under way."""

    def __init__(self, feed: Feed, config: Config, outputs: Outputs, control: Control) -> None:
        self._feed, self._outputs, self._control = feed, outputs, control
        self._office, self.facts, self.stopped = Office(config), Facts(), False

    def to_the_end(self) -> None:
        """Take in all chunks, as long as it goes on."""

        def still() -> bool:
            self.stopped = self.stopped or not self._control.goes_on()
            return not self.stopped

        for chunk in self._feed.chunks(still):
            self.facts.take(chunk)
            self._outputs.write(chunk)
            self._tell(self._office.take(chunk))
            self._control.watch(Progress(chunk.read, self._feed.extent.total, self.facts.read, chunk.at))
        self._tell(self._office.close())
        self.facts.members = self._office.members()

    def _tell(self, all_told: Iterable[Told | Command]) -> None:
        for told in all_told:
            self._outputs.tell(told)
            self.facts.tell(told)


def _said(summary: dict[str, Any], anomalies: int, out: Path) -> Iterator[str]:
    if duplicates := summary["events"].get("duplicate", 0):
        yield f"{duplicates:,} events were repeats of others (same source and id), and count once"
    if unpriced := summary["events"].get("unpriced", 0):
        yield f"events without a price, which count at 0 dollars: {unpriced:,}, of {_named(summary['unpriced'])}"
    yield f"{summary['events'].get('counted', 0):,} events, ${summary['usd']:,f}, {anomalies} anomalies"
    yield f"{summary['speed']['events_per_second']:,} events a second; written to {out}"


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    others = f" and {more:,} more in summary.json" if more > 0 else ""
    return ", ".join(plain(name) for name in names[:_MOST_NAMED]) + others
