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
from streamer.replay.seconds import Seconds
from streamer.replay.tables import RollupRows

# So many events are taken at a time.
CHUNK = 4096
_END_OF_DAYS = 1 << 40
_TENANT = attrgetter("tenant")
EachRollup = Callable[[int, Rollup], object]
# One event or feedback; a shard passes over those that are not its own, but for their time.
Word = UsageEvent | Feedback


class Step(msgspec.Struct):
    """What events of a second brought out at `at` (epoch seconds), or the second itself by having `passed`.

    `number` counts the events and the seconds until then.
    """

    number: int
    at: float
    passed: bool = False
    anomalies: list[Anomaly] = []
    bands: dict[str, Band] = {}


class Chunk(msgspec.Struct):
    """What some events in a row brought out: the steps, rollups as a table with their steps' numbers, and charges.

    `at` is the clock by then, `since` the time of the first event, `earliest` that of the oldest one, and `read` how
    many bytes of the sources were read.
    """

    steps: list[Step]
    charges: list[Charge]
    events: int
    at: float
    last: bool = False
    read: int = 0
    since: float = float("-inf")
    earliest: float = float("inf")
    rollups: pa.Table | None = None


class Totals(msgspec.Struct):
    """What became of all events and feedback, at the end: events by outcome, feedback by verdict and outcome.

    `unpriced` names what had no price.
    """

    events: Counter[str] = msgspec.field(default_factory=Counter)
    heard: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    faults: Faults = msgspec.field(default_factory=Faults)
    unpriced: set[str] = msgspec.field(default_factory=set)

    def add(self, other: "Totals") -> None:
        """Take in what became of other tenants' events."""
        self.events += other.events
        self.heard += other.heard
        self.unpriced |= other.unpriced


class Shard:
    """One Pipeline over the tenants that are `mine`, by the clock of all.

    Time passes as it does in the whole of the data, so that it does not matter among how many shards they are split:
    in seconds from the first event on. Those in which nothing is due are counted, and that is all.
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
        self._run, self._words = list[UsageEvent](), 0
        self._clock, self._earliest, self._seconds = float("-inf"), float("inf"), Seconds()
        self._day = -_END_OF_DAYS

    def outputs(self, words: Iterable[Word]) -> Iterator[tuple[Step, Output]]:
        """Take in events in their order; gives what came of those of each second and of passing time.

        Each step is numbered by all tenants' events, and its output is in the order of the tenants. The last second's
        events wait for those that come next, or for `end`, so that it does not matter how many are given at a time.
        """
        run, mine, upcoming = self._run, self._mine, self._seconds.next
        for word in words:
            at = word.time.timestamp()
            if at >= upcoming:
                yield from self._submit()
                yield from self._pass_time(at)
                upcoming = self._seconds.next
            self._clock = max(self._clock, at)
            # Sources may be in any order: what comes first is not what happened first.
            self._earliest = min(self._earliest, at)
            self._words += 1
            if isinstance(word, Feedback):
                yield from self._submit()
                yield from self._hear(word)
            elif mine is None or mine(word.tenant):
                run.append(word)

    def last(self) -> Iterator[tuple[Step, Output]]:
        """Give what comes of the last second's events, and of all that is open: the source has ended."""
        yield from self._submit()
        self._words += 1
        yield from self._known(self.pipeline.flush())

    def _submit(self) -> Iterator[tuple[Step, Output]]:
        """Hand a second's events over, as if they had come with its last one."""
        if not self._run:
            return
        output = self.pipeline.submit(self._run, self._clock)
        self._run.clear()
        output.rollups.sort(key=_TENANT)
        output.anomalies.sort(key=_TENANT)
        yield from self._known(output)

    def _hear(self, word: Feedback) -> Iterator[tuple[Step, Output]]:
        # It is no part of the step that it has ended.
        self._words += 1
        if self._mine is None or self._mine(word.tenant):
            yield from self._known(self.pipeline.feedback(word))

    def _pass_time(self, until: float) -> Iterator[tuple[Step, Output]]:
        self._seconds.begin(until)
        for second in self._seconds.until(until, lambda: self.pipeline.due):
            self._clock = second
            yield from self._known(self.pipeline.tick(second), passed=True)

    def _known(self, output: Output, *, passed: bool = False) -> Iterator[tuple[Step, Output]]:
        if output.rollups or output.anomalies or output.failed:
            yield Step(self._words + self._seconds.passed, self._clock, passed, output.anomalies), output

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
        return Totals(self.pipeline.counts(), heard, self._faults, set(self.pipeline.unpriced()))

    def _chunk(self, outputs: Iterable[tuple[Step, Output]], events: int, each: EachRollup, *, last: bool) -> Chunk:
        steps = []
        for step, output in outputs:
            for rollup in output.rollups:
                each(step.number, rollup)
            for event, error in output.failed:
                self._faults.fail(event, error)
            step.bands = self._bands(step.anomalies)
            steps.append(step)
        charges = list(self._billed(last=last))
        since, earliest = self._seconds.since, self._earliest
        return Chunk(steps, charges, events, self._clock, last, since=since, earliest=earliest)

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
