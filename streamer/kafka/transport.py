"""A Faust transport whose consumer hands over a whole run of one partition's records as one message.

Faust's own path costs 100 microseconds a record and loses records over a rebalance; here the consumer knows which
offsets it has handed over without a gap, and whoever applies the runs can ask for them again. Why, and which private
names of Faust this leans on, stands in docs/decisions/0002.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, cast

import msgspec
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import Message

# Short, because a seek has to wait for a fetch under way.
_FETCH_SECONDS = 0.25


class Run(msgspec.Struct, frozen=True):
    """The records of one partition from offset `base` to before offset `end`, without a gap."""

    tp: TP
    base: int
    end: int
    records: Sequence[Any]


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's, with a shorter wait at the broker: the embedded one answers only when that is over."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = round(_FETCH_SECONDS * 1000)
        return consumer


class RunConsumer(driver.Consumer):
    """Owns the positions of source partitions; changelogs go on record by record, as Faust's recovery expects."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bases: dict[TP, int] = {}
        # A fetch and a seek must not interleave: the records of a fetch would be taken to begin where the seek ended.
        self._fetching = asyncio.Lock()
        self.wanted: Callable[[set[TP]], Mapping[TP, int]] = lambda _: {}
        self.settled: Callable[[Mapping[TP, int]], None] = lambda _: None

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ASYNC109 - Faust's signature
        """Fetch, and give each source partition's records as one message; overrides Faust's."""
        if not self.flow_active:
            await self.can_resume_flow.wait()
        async with self._fetching:
            # aiokafka reads an empty set as "all partitions", and must not see ours change while it waits: a copy.
            active = set(self._get_active_partitions())
            records = await self._getmany(active, min(timeout, _FETCH_SECONDS)) if active else {}
            messages = [message for tp, batch in records.items() for message in self._messages(TP(*tp), batch)]
        if not active:
            await self.sleep(_FETCH_SECONDS)
        for tp, message in messages:
            yield tp, message

    async def perform_seek(self) -> None:
        """Seek each source partition to where its state stands, else to what is committed, else to its beginning.

        `wanted` is asked for the first, `settled` is told the outcome. Overrides Faust's.
        """
        async with self._fetching:
            self._bases.clear()
            committed = await self.seek_to_committed()
            sources = {TP(*tp) for tp in self.assignment() if not self._is_changelog_tp(tp)}
            known = {TP(*tp): offset for tp, offset in committed.items() if offset is not None and offset >= 0}
            wanted = self.wanted(sources)
            begin = {tp: wanted.get(tp, known.get(tp)) for tp in sources}
            unknown = [tp for tp, offset in begin.items() if offset is None]
            # An explicit offset, so that a first run that is lost on the way is missed.
            found = await self.earliest_offsets(*unknown) if unknown else {}
            earliest = {TP(*tp): offset for tp, offset in found.items()}
            bases = {tp: earliest[tp] if offset is None else offset for tp, offset in begin.items()}
            if bases:
                await self.seek_wait(bases)
            self._bases = bases
            self._read_offset.update(dict.fromkeys(sources))
            self.settled(bases)

    async def rewind(self, tp: TP, offset: int) -> None:
        """Hand over the records of `tp` again from `offset` on."""
        async with self._fetching:
            if tp in self._bases:
                await self.seek_wait({tp: offset})
                self._bases[tp] = offset
                self._read_offset[tp] = None

    def handed_over(self, tp: TP) -> int | None:
        """Give the offset up to which records of `tp` were handed over, None where that is not known."""
        return self._bases.get(tp)

    def end_of(self, tp: TP) -> int | None:
        """Give the end offset of `tp` as the last fetch saw it, None before the first."""
        try:
            end: int | None = self.highwater(tp)
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

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget the positions of partitions that go elsewhere."""
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._bases.pop(TP(*tp), None)

    def _messages(self, tp: TP, batch: Sequence[Any]) -> list[tuple[TP, Message]]:
        if self._is_changelog_tp(tp):
            return [(tp, self._to_message(tp, record)) for record in batch]
        # Fetched before the position was known: they will come again.
        if tp not in self._bases or not batch:
            return []
        base, last = self._bases[tp], batch[-1]
        end = self._bases[tp] = last.offset + 1
        message = self._to_message(tp, last)
        run = Run(tp, base, end, batch)
        message.key, message.value = None, cast(Any, run)  # Faust passes the value on as it is
        return [(tp, message)]


class RunTransport(driver.Transport):
    """Faust's aiokafka transport with the consumer above."""

    Consumer = RunConsumer
