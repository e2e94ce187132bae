"""Tries configurations on the same data: one reading, as many Pipelines as there are configurations."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from math import inf
from typing import NamedTuple

from streamer.config import Config
from streamer.errors import Stopped
from streamer.records import Rollup
from streamer.replay.extent import Control, Extent, Progress
from streamer.replay.facts import Facts
from streamer.replay.faults import Faults
from streamer.replay.feed import Job
from streamer.replay.office import Office
from streamer.replay.run import CHUNK, Chunk, Shard, Word

_DAY = 86_400.0
OnRollup = Callable[[Rollup], object]


class Side(NamedTuple):
    """A part of the data: some tenants (None: all of them), in a stretch of time (epoch seconds)."""

    tenants: frozenset[str] | None = None
    since: float = -inf
    until: float = inf

    def has(self, tenant: str, at: float) -> bool:
        """Tell whether what happened to a tenant at a moment belongs to it."""
        return (self.tenants is None or tenant in self.tenants) and self.since <= at < self.until


WHOLE = Side()


class Trial:
    """What one configuration makes of the data; `on_rollup` sees each closed window."""

    def __init__(self, config: Config, on_rollup: OnRollup = lambda _: None) -> None:
        self.config, self.facts = config, Facts()
        self._shard, self._office, self._on_rollup = Shard(config), Office(config), on_rollup
        #: By tenant, from when to when there were windows (epoch seconds).
        self.spans: dict[str, tuple[float, float]] = {}

    def take(self, part: Sequence[Word]) -> None:
        """Take in some events."""
        self._follow(self._shard.take(part, self._seen))

    def end(self) -> None:
        """The data have ended."""
        self._follow(self._shard.end(self._seen))
        for told in self._office.close():
            self.facts.tell(told)
        self.facts.members = self._office.members()

    def tenant_days(self, side: Side = WHOLE) -> float:
        """Give how long the tenants of a side were watched, in days of all together."""
        lengths = (
            min(until, side.until) - max(since, side.since)
            for tenant, (since, until) in self.spans.items()
            if side.tenants is None or tenant in side.tenants
        )
        return sum(max(0.0, length) for length in lengths) / _DAY

    def _seen(self, _: int, rollup: Rollup) -> None:
        if rollup.level == "tenant":
            start, end = rollup.start.timestamp(), rollup.end.timestamp()
            since, until = self.spans.get(rollup.tenant, (start, end))
            self.spans[rollup.tenant] = (min(since, start), max(until, end))
        self._on_rollup(rollup)

    def _follow(self, chunk: Chunk) -> None:
        self.facts.take(chunk)
        for told in self._office.take(chunk):
            self.facts.tell(told)


def run_trials(job: Job, trials: Sequence[Trial], control: Control) -> Faults:
    """Read the data of a job once, for all trials; gives what was wrong with them.

    Raises Stopped where `control` says not to go on: what was seen of a part of the data would look like an answer.
    """
    faults, extent = Faults(job.strict), Extent()
    extent.expect(job.size)
    events = 0
    for part in _parts(job.words(faults, extent), control):
        for trial in trials:
            trial.take(part)
        events += len(part)
        control.watch(Progress(extent.done, extent.total, events, part[-1].time.timestamp()))
    for trial in trials:
        trial.end()
    return faults


def _parts(words: Iterator[Word], control: Control) -> Iterator[list[Word]]:
    while part := list(islice(words, CHUNK)):
        if not control.goes_on():
            raise Stopped("stopped by hand; nothing was written")
        yield part
