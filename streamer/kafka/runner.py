"""Runs a stage over its partitions: applies runs without a gap, and writes checkpoints that survive any crash."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from time import thread_time
from typing import Any, NoReturn

import structlog
from faust.types import TP

from streamer.kafka.arrivals import Arrivals
from streamer.kafka.checkpoint import Checkpoints, Topic
from streamer.kafka.journal import Entry, Journal, Positions, StaleOwner
from streamer.kafka.pace import Pace
from streamer.kafka.slices import Slices, Taken
from streamer.kafka.stage import AT_ONCE, LATER, Out, Record, Stage
from streamer.kafka.transport import BEGINNING, Run, RunConsumer
from streamer.kafka.waiting import Waiting
from streamer.web.metrics import Metrics

log = structlog.get_logger()
# So many outputs make a checkpoint of their own, and while it has not begun no more records are applied.
_MOST_OUTS = 50_000
# So many records are applied before others get their turn: commits that somebody waits for.
_TURN = 50
# A step of a commit is several tasks of the event loop that wake one another: so many rounds of it make a turn.
_ROUNDS = 4
# Seconds for which a checkpoint that nobody waits for takes state down at a time. Each is a transaction, and that costs
# worker and broker as much as taking down for some milliseconds more.
_SLICE = 0.015


class Runner:
    """One stage with its state, over the source partitions `sources`.

    Records change the state at once; what comes of them waits, and is written together with the state that it belongs
    to. While that goes on, further runs are applied: they belong to the next checkpoint. Where a stage's state is split
    among owners, what somebody waits for takes along its owners only, and the rest is written in slices.
    """

    def __init__(
        self,
        stage: Stage,
        sources: Iterable[TP],
        journal: Journal,
        *,
        consumer: RunConsumer,
        metrics: Metrics,
        every: float,
        turns: asyncio.Lock,
        runners: Callable[[], int],
        keeps_state: bool = True,
        topics: Mapping[str, Topic] | None = None,
    ) -> None:
        self.stage, self.journal = stage, journal
        self.positions: dict[TP, int | None] = dict.fromkeys(sources)
        self._checkpoints = Checkpoints(next(iter(self.positions)).partition) if keeps_state else None
        self._arrivals, self._metrics = Arrivals(consumer, metrics), metrics
        self._topics = dict(topics or {})
        self._waiting = Waiting()
        # With one source only is there one position that slices can lag behind.
        self._slices = Slices(stage, self._waiting) if keeps_state and len(self.positions) == 1 else None
        self._written: dict[TP, int] = {}
        self._turns, self._saving = turns, asyncio.Lock()
        self._torn = self._broken = self._closed = False
        # Whether records were applied since the last checkpoint: if none are, there is nobody to leave time to.
        self._busy = False
        self._pace = Pace(every, _now(), runners)
        self._hurry, self._room = asyncio.Event(), asyncio.Event()

    def restore(self, stored: Mapping[bytes, bytes]) -> None:
        """Take up the last whole checkpoint from what the changelog holds."""
        if self._checkpoints is not None:
            self.stage.restore(self._checkpoints.restore(stored))
            for tp in self.positions:
                self.positions[tp] = position = self._known_position(tp, self._checkpoints)
                if self._slices is not None and position is not None and position >= 0:
                    self._slices.begin(position, self._checkpoints.ahead)

    def wanted(self) -> Mapping[TP, int]:
        """Say where each source is to go on, as far as the state tells."""
        return {tp: offset for tp, offset in self.positions.items() if offset is not None}

    def begin(self, tp: TP, offset: int) -> None:
        """Go on with `tp` at `offset`, where the state does not say itself where."""
        if self.positions[tp] in (None, BEGINNING):
            self._begin(tp, offset)

    def restart(self, tp: TP, offset: int) -> None:
        """Go on with `tp` at `offset`, whatever the state says: its log does not hold what comes next."""
        self._begin(tp, offset)
        self._waiting.whole = True  # the positions of all owners are of the log as it was
        self._topics.pop(tp.topic, None)  # it may be another by now

    async def take(self, run: Run, now: float) -> None:
        """Apply a run; one that does not join what was applied is fetched again."""
        if self.positions[run.tp] is None:
            self._begin(run.tp, run.base)
        position = self.positions[run.tp] or 0
        if run.base > position:
            await self._arrivals.lost(run.tp, position)
            return
        records = self._unknown(run, position)
        if not await self._applied(run.tp, records, now):
            return
        self.positions[run.tp] = max(position, run.end)
        self._arrivals.moved(run.tp)
        await self._wait_for_room()

    async def _applied(self, tp: TP, records: Sequence[Record], now: float) -> bool:
        """Apply records turn by turn; False if the partition was let go meanwhile, or sent to another place."""
        reached = self.positions[tp]
        for start in range(0, len(records), _TURN):
            async with self._turns:
                if self._closed or self.positions[tp] != reached:
                    return False
                # No await until the position is set: a checkpoint must never see records half applied.
                part = records[start : start + _TURN]
                self._keep(partial(self.stage.apply, part, now), part[0].offset)
                self._waiting.touch(self.stage.touched())
                self._busy = True
                reached = self.positions[tp] = part[-1].offset + 1
                for _ in range(_ROUNDS):
                    await asyncio.sleep(0)
        return not self._closed and self.positions[tp] == reached

    async def tick(self, now: float, *, waits: bool = False) -> None:
        """Let the stage's time pass, if all that has arrived is applied; the metrics are kept up in any case.

        It `waits` for what is on its way from another topic.
        """
        if self._closed:
            return
        self.stage.report()
        lags = [self._arrivals.lag(tp, position) for tp, position in self.positions.items()]
        if all(lag == 0 for lag in lags) and not waits:
            self._keep(partial(self.stage.tick, now), max(position or 0 for position in self.positions.values()))
        for tp, position in list(self.positions.items()):
            await self._arrivals.watch(tp, position)

    async def run(self) -> NoReturn:
        """Write checkpoints when they are due, until cancelled; raises StaleOwner."""
        while True:
            await self._until_due()
            await self.checkpoint(hurried=self._pace.hurried and not self._pace.is_late(_now()), whole=False)

    async def checkpoint(self, *, hurried: bool = False, whole: bool = True) -> None:
        """Write what changed and commit; raises StaleOwner if the partition belongs to somebody else by now.

        A `hurried` one writes what somebody waits for, and may leave the group's offsets to the next; one that is
        neither hurried nor `whole` writes a slice of the rest besides.

        After one that failed there is no other: the changes that it took from the stage would be missing in it.
        """
        async with self._saving:
            work, busy = 0.0, self._busy
            self._pace.begun()
            self._busy = False
            if self._torn or self._broken:
                raise StaleOwner("an earlier checkpoint failed half-way" if self._torn else "the stage failed")
            if await self.journal.ready():
                # By its own CPU time: where others have the CPU a rest would do them no good, and readers harm.
                began = thread_time()
                entry = self._entry(hurried, whole)
                # What was taken down has to be packed and sent, too.
                work = 2 * (thread_time() - began) * busy
                if entry.outs or entry.parts or entry.positions != self._written:
                    await self._write(entry)
            # Without slices a hurried one leaves no rest.
            split = self._slices is not None
            self._pace.ran(work, _now(), hurried=hurried and split, more=self._under_way)

    async def close(self) -> None:
        """Let go; whoever waits for room goes on."""
        self._torn = self._closed = True
        self._room.set()
        for tp in self.positions:
            self._arrivals.leave(tp)
        await self.journal.close()

    async def _write(self, entry: Entry) -> None:
        self._torn = True
        with self._metrics.checkpoints.time():
            told = await self.journal.write(entry)
        self._torn = False
        if told:
            self._written = dict(entry.positions)

    def _entry(self, hurried: bool, whole: bool) -> Entry:
        """No await in here: state, positions and what came of them must be of one moment."""
        self._pace.begun()
        taken, positions = self._taken(hurried, whole)
        self._room.set()
        if self._checkpoints is None:
            return Entry(taken.outs, (), None, positions)
        parts = self._checkpoints.parts(taken.changes)
        if not taken.outs and not parts and positions == self._written:
            return Entry(taken.outs, parts, None, positions)
        by_topic = {tp.topic: offset for tp, offset in positions.items()}
        head = self._checkpoints.head(by_topic, self._topics, taken.ahead)
        # The group need not hear of a position that has not moved.
        return Entry(taken.outs, parts, head, positions, hurried or positions == self._written)

    def _taken(self, hurried: bool, whole: bool) -> tuple[Taken, Positions]:
        """Take down what is to be written, and give the positions that it stands for."""
        reached = {tp: offset for tp, offset in self.positions.items() if offset is not None and offset >= 0}
        if self._slices is None or not reached:
            return Taken(self._waiting.all(), list(self.stage.changes()), 0), reached
        ((tp, offset),) = reached.items()
        if whole or self._waiting.whole or (self._checkpoints is not None and self._checkpoints.upgraded):
            taken = self._slices.all(offset)
        elif hurried:
            taken = self._slices.hurried(offset)
        else:
            taken = self._slices.slice(offset, _enough(_now() + _SLICE))
        return taken, {tp: taken.position}

    @property
    def _under_way(self) -> bool:
        return self._slices is not None and self._slices.under_way

    def _begin(self, tp: TP, offset: int) -> None:
        self.positions[tp] = offset
        if self._slices is not None:
            self._slices.begin(offset)

    def _unknown(self, run: Run, position: int) -> Sequence[Any]:
        """Leave out what the state has: all before the position, and what it is ahead of it."""
        records = run.records
        if run.base < position:
            records = [record for record in records if record.offset >= position]
        if self._slices is not None and run.base < self._slices.end:
            records = self._slices.missing(records)
        return records

    def _known_position(self, tp: TP, checkpoints: Checkpoints) -> int | None:
        now, before = self._topics.get(tp.topic, Topic()), checkpoints.topics.get(tp.topic, Topic())
        if now.is_split_unlike(before):
            log.error("the topic has another partition count: state stays where its keys were", topic=tp.topic)
            self._metrics.topic_changes.labels(tp.topic, "repartitioned").inc()
        if now.is_another_than(before):
            log.error("the topic was made anew: it is read from its beginning", tp=str(tp))
            self._metrics.topic_changes.labels(tp.topic, "recreated").inc()
            return BEGINNING
        return checkpoints.positions.get(tp.topic)

    def _keep(self, step: Callable[[], Iterable[Out]], position: int) -> None:
        """Keep what comes of a step of the stage; one that raises has left nobody knows what: it is read again.

        `position` is that of the first record that is applied, or the next to come.
        """
        within = LATER
        try:
            for out in step():
                self._waiting.keep(out, position)
                within = min(within, out.within)
        except Exception:
            log.exception("the stage failed")
            self._broken = True
        if self._broken or self._waiting.many >= _MOST_OUTS:
            self._waiting.whole, within = True, AT_ONCE
        if within < LATER:
            self._pace.ask(within, _now())
            self._hurry.set()

    async def _wait_for_room(self) -> None:
        while self._waiting.many >= _MOST_OUTS and not self._closed:
            self._room.clear()
            await self._room.wait()

    async def _until_due(self) -> None:
        while (left := self._pace.due - _now()) > 0:
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._hurry.wait()


def _enough(until: float) -> Callable[[], bool]:
    return lambda: _now() >= until


def _now() -> float:
    return asyncio.get_running_loop().time()
