"""Drives the Pipeline over sources by the data's own clock, whole or the share of it that one process takes."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from operator import attrgetter

import msgspec
import pyarrow as pa
from pyarrow import compute

from streamer.config import Config
from streamer.events.usage import UsageEvent
from streamer.feedback import Feedback
from streamer.judges.horizons import Band
from streamer.pipeline import Output, Pipeline
from streamer.records import Anomaly, Rollup
from streamer.replay.charges import Charge, Charges, day_of
from streamer.replay.faults import Faults
from streamer.replay.tables import RollupRows

# Through a gap time passes in seconds at first, then in minutes, then at once: what is open has long ended by then.
_SECOND = 1.0
_STEPS = ((_SECOND, 120), (60.0, 60))
# So many events are taken at a time.
CHUNK = 4096
_END_OF_DAYS = 1 << 40
_TENANT = attrgetter("tenant")
EachRollup = Callable[[int, Rollup], object]
# One event or feedback; a shard passes over those that are not its own, but for their time.
Word = UsageEvent | Feedback


class Step(msgspec.Struct):
    """What a second's events, or passing time, brought out at `at` (epoch seconds); `number` counts those and these."""

    number: int
    at: float
    anomalies: list[Anomaly] = []
    bands: dict[str, Band] = {}


class Chunk(msgspec.Struct):
    """What some events in a row brought out: the steps, rollups as a table with their steps' numbers, and charges.

    `at` is the clock by then, `since` that of the first event, and `read` how many bytes of the sources were read.
    """

    steps: list[Step]
    charges: list[Charge]
    events: int
    at: float
    last: bool = False
    read: int = 0
    since: float = float("inf")
    rollups: pa.Table | None = None


class Totals(msgspec.Struct):
    """What became of all events and feedback, at the end: events by outcome, feedback by verdict and outcome."""

    events: Counter[str] = msgspec.field(default_factory=Counter)
    heard: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    faults: Faults = msgspec.field(default_factory=Faults)

    def add(self, other: "Totals") -> None:
        """Take in what became of other tenants' events."""
        self.events += other.events
        self.heard += other.heard


class Shard:
    """One Pipeline over the tenants that are `mine`, by the clock of all.

    Time passes as it does in the whole of the data, so that it does not matter among how many shards they are split.
    """

    def __init__(
        self,
        config: Config,
        faults: Faults | None = None,
        mine: Callable[[str], bool] | None = None,
        pipeline: Pipeline | None = None,
    ) -> None:
        self._charges, self._faults, self._mine = Charges(), faults or Faults(), cache(mine) if mine else None
        self.pipeline = pipeline or Pipeline(config, self._charges.add)
        self._run, self._number = list[UsageEvent](), 0
        self._clock = self._ticked = float("-inf")
        self._since = float("inf")
        self._day = -_END_OF_DAYS

    def outputs(self, words: Iterable[Word]) -> Iterator[tuple[int, float, Output]]:
        """Take in events in their order; gives what came of those of each second and of passing time, with its time.

        Each output is numbered by the last event of all tenants, and its parts are in the order of the tenants. The
        last second's events wait for those that come next, or for `end`, so that it does not matter how many are
        given at a time.
        """
        run, mine = self._run, self._mine
        for word in words:
            at = word.time.timestamp()
            if at - self._ticked >= _SECOND:
                yield from self._submit()
                yield from self._pass_time(at)
            self._clock = max(self._clock, at)
            self._number += 1
            if isinstance(word, Feedback):
                yield from self._submit()
                yield from self._hear(word)
            elif mine is None or mine(word.tenant):
                run.append(word)

    def _submit(self) -> Iterator[tuple[int, float, Output]]:
        """Hand a second's events over, as if they had come with its last one."""
        if not self._run:
            return
        output = self.pipeline.submit(self._run, self._clock)
        self._run.clear()
        output.rollups.sort(key=_TENANT)
        output.anomalies.sort(key=_TENANT)
        yield from self._known(output)

    def last(self) -> Iterator[tuple[int, float, Output]]:
        """Give what comes of the last second's events, and of all that is open: the source has ended."""
        yield from self._submit()
        self._number += 1
        if self._clock > float("-inf"):
            yield self._number, self._clock, self.pipeline.flush()

    def _hear(self, word: Feedback) -> Iterator[tuple[int, float, Output]]:
        if self._mine is None or self._mine(word.tenant):
            yield from self._known(self.pipeline.feedback(word))

    def _known(self, output: Output) -> Iterator[tuple[int, float, Output]]:
        if output.rollups or output.anomalies or output.failed:
            yield self._number, self._clock, output

    def chunks(self, words: Iterable[Word], goes_on: Callable[[], bool] = lambda: True) -> Iterator[Chunk]:
        """Take in all events, `CHUNK` at a time as long as it `goes_on`, then close what is open."""
        words = iter(words)
        while goes_on() and (part := list(islice(words, CHUNK))):
            rows = RollupRows()
            chunk = self.take(part, rows.add)
            yield msgspec.structs.replace(chunk, rollups=rows.table())
        rows = RollupRows()
        chunk = self.end(rows.add)
        yield msgspec.structs.replace(chunk, rollups=rows.table())

    def take(self, part: Sequence[Word], each: EachRollup) -> Chunk:
        """Take in some events; rollups go to `each`, with the number of their step."""
        return self._chunk(self.outputs(part), len(part), each, last=False)

    def end(self, each: EachRollup) -> Chunk:
        """Close what is open: the source has ended."""
        return self._chunk(self.last(), 0, each, last=True)

    def totals(self) -> Totals:
        """Say what became of everything."""
        heard = Counter({(str(verdict), str(outcome)): n for (verdict, outcome), n in self.pipeline.heard().items()})
        return Totals(self.pipeline.counts(), heard, self._faults)

    def _chunk(
        self, outputs: Iterable[tuple[int, float, Output]], events: int, each: EachRollup, *, last: bool
    ) -> Chunk:
        steps = []
        for number, at, output in outputs:
            for rollup in output.rollups:
                each(number, rollup)
            for event, error in output.failed:
                self._faults.fail(event, error)
            steps.append(Step(number, at, output.anomalies, self._bands(output.anomalies)))
        charges = list(self._billed(last=last))
        return Chunk(steps, charges, events, self._clock, last, since=self._since)

    def _bands(self, anomalies: list[Anomaly]) -> dict[str, Band]:
        found = ((case.id, self.pipeline.band(case.tenant, case.series)) for case in anomalies if case.kind == "burst")
        return {name: band for name, band in found if band}

    def _billed(self, *, last: bool) -> Iterator[Charge]:
        """Hand over the charges of days that are over; of the day before, too, what was late by less than a day."""
        if last:
            yield from self._charges.before(_END_OF_DAYS)
        elif (day := day_of(self._clock)) > self._day:
            self._day = day
            yield from self._charges.before(day - 1)

    def _pass_time(self, until: float) -> Iterator[tuple[int, float, Output]]:
        if self._ticked == float("-inf"):
            self._ticked = self._since = until
        for moment in moments(self._ticked, until):
            self._ticked = moment
            self._clock = max(self._clock, moment)
            self._number += 1
            yield self._number, self._clock, self.pipeline.tick(self._clock)


def moments(since: float, until: float) -> Iterator[float]:
    """Give the moments after `since` at which time is let pass, the last less than a step before `until`."""
    for step, most in _STEPS:
        for _ in range(most):
            if until - since < step:
                break
            since += step
            yield since
    if until - since >= _STEPS[-1][0]:
        yield until


def joined(parts: list[Chunk]) -> Chunk:
    """Put together what shards made of the same events: as one shard of all tenants would have given it."""
    if len(parts) == 1:
        return parts[0]
    steps: dict[int, Step] = {}
    for step in (step for part in parts for step in part.steps):
        known = steps.setdefault(step.number, step)
        if known is not step:
            known.anomalies, known.bands = known.anomalies + step.anomalies, known.bands | step.bands
    for step in steps.values():
        step.anomalies.sort(key=_TENANT)
    rollups = pa.concat_tables(part.rollups for part in parts)
    order = [("step", "ascending"), ("tenant", "ascending")]
    return msgspec.structs.replace(
        parts[0],
        steps=[steps[number] for number in sorted(steps)],
        charges=sorted(charge for part in parts for charge in part.charges),
        rollups=rollups.take(compute.sort_indices(rollups, order)),
    )
