"""Runs a stage over its partitions: applies runs without a gap, and writes checkpoints that survive any crash."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NoReturn

import structlog
from faust.types import TP

from streamer.kafka.arrivals import Arrivals
from streamer.kafka.checkpoint import Checkpoints, Topic
from streamer.kafka.journal import Entry, Journal, StaleOwner
from streamer.kafka.pace import Pace
from streamer.kafka.stage import AT_ONCE, LATER, Out, Stage
from streamer.kafka.transport import BEGINNING, Run, RunConsumer
from streamer.web.metrics import Metrics

log = structlog.get_logger()
# So many outputs make a checkpoint of their own, and while it has not begun no more records are applied.
_MOST_OUTS = 50_000
# So many records are applied before others get their turn: commits that somebody waits for.
_SLICE = 50


class Runner:
    """One stage with its state, over the source partitions `sources`.

    Records change the state at once; what comes of them waits, and is written together with the state and the
    positions that it belongs to. While that goes on, further runs are applied: they belong to the next checkpoint.
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
        keeps_state: bool = True,
        topics: Mapping[str, Topic] | None = None,
    ) -> None:
        self.stage, self.journal = stage, journal
        self.positions: dict[TP, int | None] = dict.fromkeys(sources)
        self._checkpoints = Checkpoints(next(iter(self.positions)).partition) if keeps_state else None
        self._arrivals, self._metrics = Arrivals(consumer, metrics), metrics
        self._topics = dict(topics or {})
        self._outbox: list[Out] = []
        self._written: dict[TP, int] = {}
        self._saving = asyncio.Lock()
        self._torn = self._broken = self._closed = False
        self._pace = Pace(every, _now())
        self._hurry, self._room = asyncio.Event(), asyncio.Event()

    def restore(self, stored: Mapping[bytes, bytes]) -> None:
        """Take up the last whole checkpoint from what the changelog holds."""
        if self._checkpoints is not None:
            self.stage.restore(self._checkpoints.restore(stored))
            for tp in self.positions:
                self.positions[tp] = self._known_position(tp, self._checkpoints)

    def wanted(self) -> Mapping[TP, int]:
        """Say where each source is to go on, as far as the state tells."""
        return {tp: offset for tp, offset in self.positions.items() if offset is not None}

    def begin(self, tp: TP, offset: int) -> None:
        """Go on with `tp` at `offset`, where the state does not say itself where."""
        if self.positions[tp] in (None, BEGINNING):
            self.positions[tp] = offset

    def restart(self, tp: TP, offset: int) -> None:
        """Go on with `tp` at `offset`, whatever the state says: its log does not hold what comes next."""
        self.positions[tp] = offset
        self._topics.pop(tp.topic, None)  # it may be another by now

    async def take(self, run: Run, now: float) -> None:
        """Apply a run; one that does not join what was applied is fetched again."""
        position = self.positions[run.tp] or 0
        if self.positions[run.tp] is not None and run.base > position:
            await self._arrivals.lost(run.tp, position)
            return
        known = run.base < position
        records = [record for record in run.records if record.offset >= position] if known else run.records
        for start in range(0, len(records), _SLICE):
            # No await until the position is set: a checkpoint must never see records half applied.
            part = records[start : start + _SLICE]
            self._keep(partial(self.stage.apply, part, now))
            end = self.positions[run.tp] = part[-1].offset + 1
            await asyncio.sleep(0)
            # Let go meanwhile, or sent to another place in the log: the rest is not to be applied here.
            if self._closed or self.positions[run.tp] != end:
                return
        self.positions[run.tp] = max(position, run.end)
        self._arrivals.moved(run.tp)
        await self._wait_for_room()

    async def tick(self, now: float) -> None:
        """Let the stage's time pass, if all that has arrived is applied."""
        lags = [self._arrivals.lag(tp, position) for tp, position in self.positions.items()]
        if all(lag == 0 for lag in lags):
            self._keep(partial(self.stage.tick, now))
        for tp, position in list(self.positions.items()):
            await self._arrivals.watch(tp, position)

    async def run(self) -> NoReturn:
        """Write checkpoints when they are due, until cancelled; raises StaleOwner."""
        while True:
            await self._until_due()
            await self.checkpoint(hurried=self._pace.hurried)

    async def checkpoint(self, *, hurried: bool = False) -> None:
        """Write what changed and commit; raises StaleOwner if the partition belongs to somebody else by now.

        A `hurried` one may leave the group's offsets to the next.

        After one that failed there is no other: the changes that it took from the stage would be missing in it.
        """
        async with self._saving:
            work = 0.0
            self._pace.begun()
            if self._torn or self._broken:
                raise StaleOwner("an earlier checkpoint failed half-way" if self._torn else "the stage failed")
            if await self.journal.ready():
                began = _now()
                entry = self._entry()._replace(hurried=hurried)
                # What was taken down has to be packed and sent, too.
                work = 2 * (_now() - began)
                if entry.outs or entry.parts or entry.positions != self._written:
                    await self._write(entry)
            self._pace.ran(work, _now())

    async def close(self) -> None:
        """Let go; whoever waits for room goes on."""
        self._torn = self._closed = True
        self._room.set()
        await self.journal.close()

    async def _write(self, entry: Entry) -> None:
        self._torn = True
        with self._metrics.checkpoints.time():
            told = await self.journal.write(entry)
        self._torn = False
        if told:
            self._written = dict(entry.positions)

    def _entry(self) -> Entry:
        """No await in here: state, positions and what came of them must be of one moment."""
        self._pace.begun()
        outs, self._outbox = self._outbox, []
        self._room.set()
        positions = {tp: offset for tp, offset in self.positions.items() if offset is not None and offset >= 0}
        if self._checkpoints is None:
            return Entry(outs, (), None, positions)
        parts = self._checkpoints.parts(self.stage.changes())
        if not outs and not parts and positions == self._written:
            return Entry(outs, parts, None, positions)
        head = self._checkpoints.head({tp.topic: offset for tp, offset in positions.items()}, self._topics)
        return Entry(outs, parts, head, positions)

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

    def _keep(self, step: Callable[[], Iterable[Out]]) -> None:
        """Keep what comes of a step of the stage; one that raises has left nobody knows what: it is read again."""
        within = LATER
        try:
            for out in step():
                self._outbox.append(out)
                within = min(within, out.within)
        except Exception:
            log.exception("the stage failed")
            self._broken = True
        if self._broken or len(self._outbox) >= _MOST_OUTS:
            within = AT_ONCE
        if within < LATER:
            self._pace.ask(within, _now())
            self._hurry.set()

    async def _wait_for_room(self) -> None:
        while len(self._outbox) >= _MOST_OUTS and not self._closed:
            self._room.clear()
            await self._room.wait()

    async def _until_due(self) -> None:
        while (left := self._pace.due - _now()) > 0:
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._hurry.wait()


def _now() -> float:
    return asyncio.get_running_loop().time()
