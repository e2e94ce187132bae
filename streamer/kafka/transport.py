"""A Faust transport whose consumer hands over a whole run of one partition's records as one message.

Faust's own path costs 100 microseconds a record and loses records over a rebalance; here the consumer knows which
offsets it has handed over without a gap, and whoever applies the runs can ask for them again. Why, and which private
names of Faust this leans on, stands in docs/decisions/0002.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec
import structlog
from aiokafka.errors import CommitFailedError, IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage, Message

from streamer.kafka.connection import LOOK_UP_MS, consumer_of
from streamer.kafka.unreadable import UnreadableError, gap_of

log = structlog.get_logger()
# Short, because a seek has to wait for a fetch under way, and the embedded broker answers only when it is over.
_FETCH_SECONDS = 0.25
# Of one fetch, of all partitions together.
_MOST_RECORDS = 1000
# A position before all offsets: wherever the log begins.
BEGINNING = -1


class Run(msgspec.Struct, frozen=True):
    """The records of one partition from offset `base` to before offset `end`, without a gap.

    Offsets without a record are in it: marks of transactions, and what was aborted. It may hold nothing else.
    """

    tp: TP
    base: int
    end: int
    records: Sequence[Any]


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's, with a consumer that reads what is committed only, and that never goes elsewhere by itself."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        kafka = cast(Any, self.app).kafka
        return consumer_of(
            kafka,
            group_id=kafka.group,
            # Faust's, because it gives partitions of one number to one worker: the alert stage reads two topics.
            partition_assignment_strategy=[self.app.assignor],
            auto_offset_reset="none",
            max_poll_records=_MOST_RECORDS,
            # Also finds topics that were made anew or were given partitions.
            metadata_max_age_ms=LOOK_UP_MS,
            fetch_max_wait_ms=round(_FETCH_SECONDS * 1000),
            session_timeout_ms=round(kafka.session_timeout_seconds * 1000),
            heartbeat_interval_ms=round(kafka.session_timeout_seconds * 100),
            rebalance_timeout_ms=round(kafka.rebalance_timeout_seconds * 1000),
            request_timeout_ms=round(max(40.0, kafka.session_timeout_seconds + 10) * 1000),
        )

    async def fetch(self, partitions: set[TP], seconds: float, most: int) -> dict[TP, tuple[int, Sequence[Any]]]:
        """Fetch; gives the position after it of each of `partitions`, and the records that led there."""
        consumer = self._ensure_consumer()
        try:
            found = await self._fetch_records(consumer, partitions, timeout=seconds, max_records=most)
        except UnicodeDecodeError as error:
            if gap := gap_of(error):
                raise UnreadableError(gap, str(error)) from None
            raise
        # No await from here on, so that the positions are those behind the records.
        assigned = consumer.assignment()
        states = {tp: _state(consumer, tp) for tp in partitions if tp in assigned}
        return {tp: (state.position, found.get(tp, ())) for tp, state in states.items() if state.has_valid_position}

    async def rejoin(self) -> None:
        """Have the group assign its partitions anew."""
        self._ensure_consumer()._coordinator.request_rejoin()


class RunConsumer(driver.Consumer):
    """Owns the positions of source partitions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bases: dict[TP, int] = {}
        # Up to where partitions are read a record at a time, for what follows cannot be read.
        self._careful: dict[TP, int] = {}
        # A fetch and a seek must not interleave: the records of a fetch would be taken to begin where the seek ended.
        self._fetching = asyncio.Lock()
        self.adopt: Callable[[set[TP]], Awaitable[Mapping[TP, int]]] = _nothing
        self.settled: Callable[[Mapping[TP, int]], None] = lambda _: None
        self.restarted: Callable[[TP, int], None] = lambda _, __: None

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ASYNC109 - Faust's signature
        """Fetch, and give each partition's records as one message; overrides Faust's."""
        if not self.flow_active:
            await self.can_resume_flow.wait()
        async with self._fetching:
            # aiokafka reads an empty set as "all partitions", and must not see ours change while it waits: a copy.
            active = set(self._get_active_partitions())
            messages = await self._runs(active, min(timeout, _FETCH_SECONDS)) if active else []
        if not active:
            await self.sleep(_FETCH_SECONDS)
        for tp, message in messages:
            yield tp, message

    async def perform_seek(self) -> None:
        """Seek each partition to where its state stands, else to what is committed, else to its beginning.

        `adopt` is asked for the first (BEGINNING is an answer), `settled` is told the outcome. Overrides Faust's.
        """
        async with self._fetching:
            self._bases.clear()
            self._careful.clear()
            sources = {TP(*tp) for tp in self.assignment()}
            # First: it makes sure that whoever had the partitions before us neither writes nor commits any more.
            wanted = await self.adopt(sources)
            known = {TP(*tp): offset for tp, offset in (await self.seek_to_committed()).items() if offset is not None}
            begin = {tp: wanted.get(tp, known.get(tp, BEGINNING)) for tp in sources}
            # An explicit offset, so that a first run that is lost on the way is missed.
            bases = begin | await self._beginnings(tp for tp, offset in begin.items() if offset < 0)
            if bases:
                await self.seek_wait(bases)
            self._bases = bases
            self._read_offset.update(dict.fromkeys(sources))
            self.settled(dict(bases))

    async def rewind(self, tp: TP, offset: int) -> None:
        """Hand over the records of `tp` again from `offset` on."""
        async with self._fetching:
            if tp in self._bases:
                await self._go_to(tp, offset)

    def handed_over(self, tp: TP) -> int | None:
        """Give the offset up to which records of `tp` were handed over, None where that is not known."""
        return self._bases.get(tp)

    def end_of(self, tp: TP) -> int | None:
        """Give the end of what can be read of `tp`, as the last fetch saw it, None before the first."""
        try:
            end: int | None = self._thread._ensure_consumer().last_stable_offset(tp)
        except (IllegalStateError, AssertionError, AttributeError, KeyError):
            return None
        return end

    async def commit_positions(self, positions: Mapping[TP, int]) -> bool:
        """Commit offsets; False if the group has moved on and refuses them, KafkaError where it did not answer."""
        offsets = {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in positions.items()}
        try:
            await self._thread.call_thread(self._thread._ensure_consumer().commit, offsets)
        except (CommitFailedError, IllegalStateError):
            return False
        return True

    async def rejoin(self) -> None:
        """Have the group assign its partitions anew: what was dropped is taken up again from its last checkpoint."""
        await self._thread.call_thread(self._own_thread.rejoin)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget the positions of partitions that go elsewhere."""
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._bases.pop(TP(*tp), None)

    @property
    def _own_thread(self) -> _ConsumerThread:
        return cast(_ConsumerThread, self._thread)

    async def _runs(self, active: set[TP], seconds: float) -> list[tuple[TP, Message]]:
        careful = {tp for tp in active if self._bases.get(tp, 0) <= self._careful.get(tp, BEGINNING)}
        most = 1 if careful else _MOST_RECORDS
        try:
            found = await self._thread.call_thread(self._own_thread.fetch, careful or active, seconds, most)
        except UnreadableError as error:
            return self._messages(await self._pass_by(error))
        except OffsetOutOfRangeError as error:
            for tp, offset in error.args[0].items():
                await self._restart(TP(*tp), offset)
            return []
        except NoOffsetForPartitionError:
            return []  # from before the partition was given its position
        return self._messages([self._run(TP(*tp), end, records) for tp, (end, records) in found.items()])

    def _messages(self, runs: Iterable[Run | None]) -> list[tuple[TP, Message]]:
        return [(run.tp, _message(run, self.app.consumer_generation_id)) for run in runs if run]

    async def _pass_by(self, error: UnreadableError) -> list[Run]:
        """Go back to what was handed over, and over the gap where that is where it begins."""
        for tp, base in list(self._bases.items()):
            await self._go_to(tp, base)
        tp, begin, end = error.gap
        if self._bases.get(tp) != begin:
            self._careful[tp] = begin
            return []
        log.error("records that cannot be read are passed by", tp=str(tp), offset=begin, until=end, why=error.why)
        await self._go_to(tp, end)
        return [Run(tp, begin, end, ())]

    def _run(self, tp: TP, end: int, records: Sequence[Any]) -> Run | None:
        base = self._bases.get(tp)
        # Fetched before the position was known: they will come again.
        if base is None or end <= base:
            return None
        self._bases[tp] = end
        return Run(tp, base, end, records)

    async def _restart(self, tp: TP, offset: int) -> None:
        """Begin anew with a log that does not hold `offset`: its topic was made anew, or records have expired."""
        beginning = (await self._beginnings([tp]))[tp]
        log.error("the topic does not hold the offset to go on at", tp=str(tp), offset=offset, beginning=beginning)
        await self._go_to(tp, beginning)
        self.restarted(tp, beginning)

    async def _go_to(self, tp: TP, offset: int) -> None:
        await self.seek_wait({tp: offset})
        self._bases[tp] = offset
        self._read_offset[tp] = None

    async def _beginnings(self, tps: Iterable[TP]) -> dict[TP, int]:
        wanted = list(tps)
        found = await self.earliest_offsets(*wanted) if wanted else {}
        return {TP(*tp): offset for tp, offset in found.items()}


class RunTransport(driver.Transport):
    """Faust's aiokafka transport with the consumer above."""

    Consumer = RunConsumer


async def _nothing(_: set[TP]) -> Mapping[TP, int]:
    return {}


def _state(consumer: Any, tp: TP) -> Any:
    return consumer._subscription.subscription.assignment.state_value(tp)


def _message(run: Run, generation: int) -> Message:
    """A message of Faust, which passes its value on as it is."""
    value = cast(Any, run)
    return ConsumerMessage(
        *run.tp, run.end - 1, 0.0, 0, None, None, value, None, 0, 0, run.tp, generation_id=generation
    )
