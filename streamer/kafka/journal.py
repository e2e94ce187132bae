"""Where a runner's checkpoints are written: in one transaction each, or in an order that survives a crash.

A checkpoint is what came of the records, the changed parts of the state, the head record that makes them hold, and the
offsets. Brokers that know transactions make it one step, and refuse whoever was replaced; see docs/decisions/0007.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.types import TP

from streamer.kafka.batches import Batches, Pair
from streamer.kafka.stage import Out

log = structlog.get_logger()
_CLOSE_SECONDS = 5.0
# So many checkpoints that somebody waits for may follow one another before the group hears of the offsets again.
_MOST_UNTOLD = 20
# A record that nobody will see: what is to be ended must be written to.
_NOTHING: Pair = (b"", None)
Positions = Mapping[TP, int]
Commit = Callable[[Positions], Awaitable[bool]]


class StaleOwner(Exception):
    """What is not saved is to be dropped: the partition is somebody else's by now, or a checkpoint failed half-way."""


class Entry(NamedTuple):
    """All that one checkpoint writes. Without a changelog there is no head; somebody waits for a `hurried` one."""

    outs: Sequence[Out]
    parts: Sequence[Pair]
    head: Pair | None
    positions: Positions
    hurried: bool = False


class Journal(Protocol):
    """One owner's way to write checkpoints of one partition."""

    async def open(self) -> None:
        """Take the partition over: from here on nobody else's checkpoints of it count."""

    async def discard(self, topics: Iterable[str]) -> None:
        """Make sure that nobody will see what an owner before us left without an end in `topics` or its changelog."""

    async def ready(self) -> bool:
        """Tell whether a checkpoint can be written now; raises StaleOwner if never again."""

    async def write(self, entry: Entry) -> bool:
        """Write a checkpoint, and tell whether the offsets are in it; raises StaleOwner if it is not sure to hold."""

    async def close(self) -> None:
        """Let go of the broker."""


class TransactionJournal:
    """A checkpoint is one transaction; the producer's transactional id is the partition's, so that it has one owner.

    A new owner's `open` ends what an old one has left open and makes all its later writes fail.
    """

    def __init__(self, producer: Callable[[], AIOKafkaProducer], group: str, changelog: TP | None) -> None:
        self._make, self._group, self._changelog = producer, group, changelog
        self._producer: AIOKafkaProducer | None = None
        self._untold = 0

    async def open(self) -> None:
        """Fence the owner before us."""
        self._producer = self._make()
        await self._producer.start()
        self._batches = Batches(self._producer)

    async def discard(self, topics: Iterable[str]) -> None:
        """End it by a transaction of ours that is aborted: a mark ends all that its producer's id has open there.

        A broker leaves such things behind: restarted before the cluster missed it, it may finish a transaction without
        marks, for it takes partitions that have no leader just then for deleted. Our next commit would make them count.
        """
        if (producer := self._producer) is None:
            return
        places = [TP(topic, number) for topic in sorted(topics) for number in await producer.partitions_for(topic)]
        await producer.begin_transaction()
        await self._batches.send((), {tp: [_NOTHING] for tp in [*places, *filter(None, [self._changelog])]})
        await producer.abort_transaction()

    async def ready(self) -> bool:
        """Say yes: who is fenced finds out by writing."""
        return True

    async def write(self, entry: Entry) -> bool:
        """Write all in one transaction; after any failure the producer is good for nothing more."""
        told = self._tells(entry)
        try:
            await self._in_transaction(entry, told)
        except Exception as error:
            raise StaleOwner(f"the transaction failed: {error!r}") from error
        return told

    def _tells(self, entry: Entry) -> bool:
        """Leave the offsets out of what somebody waits for: the head says where to go on, they cost two round trips."""
        self._untold = self._untold + 1 if entry.hurried and entry.head else 0
        return self._untold % (_MOST_UNTOLD + 1) == 0

    async def _in_transaction(self, entry: Entry, told: bool) -> None:
        if self._producer is None:
            raise StaleOwner("the partition was let go")
        await self._producer.begin_transaction()
        await self._written(self._producer, entry, told)
        await self._producer.commit_transaction()

    async def _written(self, producer: AIOKafkaProducer, entry: Entry, told: bool) -> None:
        # One after the other: while Kafka adds one thing to a transaction it refuses what comes with another.
        if entry.positions and told:
            await producer.send_offsets_to_transaction(_offsets(entry.positions), self._group)
        stored = {self._changelog: [*entry.parts, entry.head]} if self._changelog and entry.head else {}
        # Each answer is seen: a batch that was refused would otherwise be missing in a transaction that commits.
        await self._batches.send(entry.outs, stored)

    async def close(self) -> None:
        """Stop the producer; what it has open the next owner ends."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await stopped(producer)
            # aiokafka leaves the error of a lost transaction where nobody looks, and Python complains of that.
            ended = producer._txn_manager.wait_for_transaction_end()
            if ended is not None and ended.done() and not ended.cancelled():
                ended.exception()


class OrderedJournal:
    """For brokers without transactions: outputs, then parts, then the head, then the offsets, each acknowledged.

    A crash in between repeats outputs, which are the same records again, and leaves the last whole checkpoint.
    """

    def __init__(self, batches: Batches, commit: Commit, changelog: TP | None) -> None:
        self._batches, self._commit_positions, self._changelog = batches, commit, changelog
        self._stored: Positions = {}

    async def open(self) -> None:
        """Do nothing: the group alone says whose the partition is."""

    async def discard(self, topics: Iterable[str]) -> None:
        """Do nothing: without transactions all that was written counts."""

    async def ready(self) -> bool:
        """Commit again what is stored: a worker that was frozen while others took over is found out here.

        False where the group does not answer, so that it is not known: then the checkpoint has to wait.
        """
        return await self._commit(self._stored)

    async def write(self, entry: Entry) -> bool:
        """Write in the order that keeps totals exact."""
        try:
            await self._batches.send(entry.outs)
            if self._changelog and entry.head:
                await self._batches.send((), {self._changelog: entry.parts})
                await self._batches.send((), {self._changelog: [entry.head]})
        except KafkaError as error:
            raise StaleOwner(f"a checkpoint failed half-way: {error!r}") from error
        self._stored = entry.positions
        # Nothing is lost where the group does not answer: the head says where to go on, the offsets only follow.
        await self._commit(entry.positions)
        return True

    async def close(self) -> None:
        """Do nothing: the producer is everybody's."""

    async def _commit(self, positions: Positions) -> bool:
        """Commit; False where the group does not answer; raises StaleOwner where it refuses."""
        try:
            if positions and not await self._commit_positions(positions):
                raise StaleOwner("the partition belongs to another worker")
        except KafkaError as error:
            log.warning("the group does not take the offsets now", error=repr(error))
            return False
        return True


async def stopped(producer: AIOKafkaProducer) -> None:
    """Stop a producer, whatever state it is in; what it has not sent after a while is given up."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await producer.stop()
    except (KafkaError, TimeoutError):
        # It would go on trying for ever.
        if (sending := producer._sender.sender_task) is not None:
            sending.cancel()
        await producer.client.close()


def _offsets(positions: Positions) -> dict[TopicPartition, OffsetAndMetadata]:
    return {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in positions.items()}
