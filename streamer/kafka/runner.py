"""Runs a stage over its partitions: applies runs without a gap, and writes checkpoints that survive any crash."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from faust.types import TP

from streamer.events.rejected import Rejected
from streamer.kafka.checkpoint import Checkpoints
from streamer.kafka.checkpoint import Record as Stored
from streamer.kafka.dead_letters import dead_letter
from streamer.kafka.stage import Out, Record, Stage
from streamer.kafka.transport import Run, RunConsumer
from streamer.web.metrics import Metrics

log = structlog.get_logger()
Future = asyncio.Future[object]
# At four ticks a second: longer than a run waits in a queue that is being emptied.
_STALLED_TICKS = 20


class StaleOwner(Exception):
    """What is not saved is to be dropped: the partition is somebody else's by now, or a checkpoint failed half-way."""


class Runner:
    """One stage with its state, over the source partitions `sources`.

    The order that keeps totals exact: what came of the records is produced, then the state's parts, then the head
    with the positions, then the offsets are committed. A crash anywhere leaves the last whole checkpoint, from whose
    positions the records come again.
    """

    def __init__(
        self,
        stage: Stage,
        sources: Iterable[TP],
        changelog: str | None,
        *,
        consumer: RunConsumer,
        producer: AIOKafkaProducer,
        metrics: Metrics,
        dead_letters: str,
    ) -> None:
        self.stage = stage
        self.positions: dict[TP, int | None] = dict.fromkeys(sources)
        self._partition = next(iter(self.positions)).partition
        self._changelog = changelog
        self._checkpoints = Checkpoints(self._partition)
        self._consumer, self._producer, self._metrics = consumer, producer, metrics
        self._dead_letters = dead_letters
        self._outbox: deque[Out] = deque()
        self._pending: list[Future] = []
        self._committed: dict[TP, int] = {}
        self._saving, self._sending = asyncio.Lock(), asyncio.Lock()
        self._stalled: dict[TP, int] = {}
        self._torn = False

    def restore(self, stored: Mapping[bytes, bytes]) -> None:
        """Take up the last whole checkpoint from what the changelog holds."""
        self.stage.restore(self._checkpoints.restore(stored))
        for tp in self.positions:
            self.positions[tp] = self._checkpoints.positions.get(tp.topic)

    def begin(self, tp: TP, offset: int) -> None:
        """Go on with `tp` at `offset`, if the state does not say where."""
        if self.positions[tp] is None:
            self.positions[tp] = offset

    async def take(self, run: Run, now: float) -> None:
        """Apply a run; one that does not join what was applied is fetched again."""
        position = self.positions[run.tp]
        if position is not None and run.base > position:
            log.warning("records were lost on the way: fetching them again", tp=str(run.tp), since=position)
            await self._rewind(run.tp, position)
            return
        # No await until the position is set: a checkpoint must never see a run half applied.
        for record in run.records:
            if position is None or record.offset >= position:
                self._outbox.extend(self._applied(record, now))
        self.positions[run.tp] = max(position or 0, run.end)
        self._stalled.pop(run.tp, None)
        await self._drain()

    async def tick(self, now: float) -> None:
        """Let the stage's time pass, if all that has arrived is applied."""
        lags = {tp: self._lag(tp) for tp in self.positions}
        for tp, lag in lags.items():
            self._metrics.lag.labels(tp.topic, str(tp.partition)).set(lag or 0)
            await self._watch_for_stall(tp)
        if all(lag == 0 for lag in lags.values()):
            self._outbox.extend(self.stage.tick(now))
            await self._drain()

    async def checkpoint(self) -> None:
        """Write what changed and commit; raises StaleOwner if the partition belongs to somebody else by now.

        After one that failed there is no other: the changes that it took from the stage would be missing in it.
        """
        async with self._saving:
            if self._torn:
                raise StaleOwner("an earlier checkpoint failed half-way")
            if not await self._fence():
                return
            await self._drain()
            # No await between these: state, positions and what was produced must be of one moment.
            positions = {tp: offset for tp, offset in self.positions.items() if offset is not None}
            parts = self._checkpoints.parts(self.stage.changes()) if self._changelog else []
            pending, self._pending = self._pending, []
            if parts or pending or positions != self._committed:
                self._torn = True
                with self._metrics.checkpoints.time():
                    await self._save(positions, parts, pending)
                self._torn = False

    async def _save(self, positions: dict[TP, int], parts: list[Stored], pending: list[Future]) -> None:
        await asyncio.gather(*pending)
        if self._changelog:
            await asyncio.gather(*[await self._store(self._changelog, *part) for part in parts])
            head = self._checkpoints.head({tp.topic: offset for tp, offset in positions.items()})
            await (await self._store(self._changelog, *head))
        # Nothing is lost where the group does not answer: the head says where to go on, the offsets only follow.
        if await self._commit(positions):
            self._committed = positions

    async def _fence(self) -> bool:
        """Commit again what is committed: a worker that was frozen while others took over is found out here.

        False where the group does not answer, so that it is not known: then the checkpoint has to wait.
        """
        return await self._commit(self._committed)

    async def _commit(self, positions: dict[TP, int]) -> bool:
        """Commit; False where the group does not answer; raises StaleOwner where it refuses."""
        try:
            if positions and not await self._consumer.commit_positions(positions):
                raise StaleOwner("the partition belongs to another worker")
        except KafkaError as error:
            log.warning("the group does not take the offsets now", error=repr(error))
            return False
        return True

    async def _store(self, topic: str, key: bytes, value: bytes | None) -> Future:
        sent: Future = await self._producer.send(topic, value, key, partition=self._partition)
        return sent

    async def _drain(self) -> None:
        """Hand what came of the records to the producer, in order; what it did not take stays for the next time."""
        async with self._sending:
            while self._outbox:
                out = self._outbox[0]
                self._pending.append(await self._producer.send(out.topic, out.value, out.key.encode()))
                self._outbox.popleft()

    def _applied(self, record: Record, now: float) -> list[Out]:
        """Apply one record; one that breaks the stage is put aside, or it would come again for ever."""
        try:
            return list(self.stage.apply(record, now))
        except Exception as error:
            log.exception("a record could not be applied", topic=record.topic, offset=record.offset)
            self._metrics.rejected.labels("failed").inc()
            return [dead_letter(self._dead_letters, record, Rejected("failed", type(error).__name__), now)]

    def _lag(self, tp: TP) -> int | None:
        end = self._consumer.end_of(tp)
        return None if end is None else max(0, end - (self.positions[tp] or 0))

    async def _watch_for_stall(self, tp: TP) -> None:
        """Fetch again what was handed over but never came, where no later run tells of it."""
        position, handed = self.positions[tp], self._consumer.handed_over(tp)
        if position is None or handed is None or handed <= position:
            self._stalled.pop(tp, None)
            return
        self._stalled[tp] = self._stalled.get(tp, 0) + 1
        if self._stalled[tp] >= _STALLED_TICKS:
            log.warning("records were lost on the way: fetching them again", tp=str(tp), since=position)
            await self._rewind(tp, position)

    async def _rewind(self, tp: TP, position: int) -> None:
        self._metrics.rewinds.inc()
        self._stalled.pop(tp, None)
        await self._consumer.rewind(tp, position)
