"""Reads a Kafka topic, or a stretch of it, to where it ends now; its partitions are merged by the records' times."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from heapq import heapify, heappop, heapreplace
from itertools import chain
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from aiokafka.structs import ConsumerRecord, TopicPartition

from streamer.config import KafkaConfig
from streamer.errors import SourceUnreadable
from streamer.events.decoder import Headers
from streamer.kafka.connection import aiokafka_settings, consumer_of, said
from streamer.kafka.reading import bounds_of
from streamer.kafka.topics import partition_counts
from streamer.replay.extent import Extent

_FORM = "a topic is written kafka://host:port/topic?from=OFFSET-or-TIME&to=OFFSET-or-TIME, without bounds for all of it"


Offsets = dict[TopicPartition, int]


class Bounds(NamedTuple):
    """From where and to before where a topic is read: an offset in every partition, or a time of the records."""

    begin: int | datetime | None = None
    end: int | datetime | None = None


class Record(msgspec.Struct, array_like=True, gc=False):
    """A record of a topic, and where it stood: `topic[partition]@offset`."""

    place: str
    value: bytes | None
    headers: Headers


#: Reads the records of a topic, some at a time, and notes how far it has come; raises SourceUnreadable.
ReadTopic = Callable[[str, KafkaConfig, Extent], Iterator[list[Record]]]


def topic_records(source: str, kafka: KafkaConfig) -> Iterator[Record]:
    """Give each record of `kafka://host:port/topic`; raises SourceUnreadable."""
    return chain.from_iterable(topic_runs(source, kafka, Extent()))


def topic_runs(source: str, kafka: KafkaConfig, extent: Extent) -> Iterator[list[Record]]:
    """Give the records of `kafka://host:port/topic`, as many at a time as are known to come next."""
    bootstrap, topic, bounds = address_of(source)
    kafka = kafka.model_copy(update={"bootstrap": bootstrap})
    with asyncio.Runner() as runner:
        reader = runner.run(_Reader.of(kafka, topic))
        try:
            extent.expect(runner.run(reader.start(bounds)) * Extent.RECORD)
            while found := runner.run(reader.next()):
                extent.advance(len(found) * Extent.RECORD)
                yield [_record(topic, record) for record in found]
        except KafkaError as error:
            raise SourceUnreadable(f"{source}: {said(error, kafka)}") from error
        except TimeoutError as error:
            raise SourceUnreadable(f"{source}: no more came for {kafka.connect_seconds:.0f} seconds") from error
        finally:
            runner.run(reader.stop())


def _record(topic: str, record: ConsumerRecord) -> Record:
    return Record(f"{topic}[{record.partition}]@{record.offset}", record.value, record.headers)


def address_of(source: str) -> tuple[str, str, Bounds]:
    """Take a topic's address apart: brokers, name and bounds; raises SourceUnreadable where it is none."""
    address = urlsplit(source)
    topic, asked = address.path.strip("/"), dict(parse_qsl(address.query, keep_blank_values=True))
    if not address.netloc or not topic or not set(asked) <= {"from", "to"}:
        raise SourceUnreadable(f"{source}: {_FORM}")
    try:
        return address.netloc, topic, Bounds(_bound(asked.get("from")), _bound(asked.get("to")))
    except ValueError as error:
        raise SourceUnreadable(f"{source}: {error}; {_FORM}") from error


def _bound(text: str | None) -> int | datetime | None:
    if text is None or text.isdecimal():
        return None if text is None else int(text)
    # A plus sign in a query stands for a space.
    moment = datetime.fromisoformat(text.replace(" ", "+"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class _Reader:
    """A consumer of all partitions, each up to the end that it had at the start, or to its bound."""

    def __init__(self, kafka: KafkaConfig, topic: str) -> None:
        self._kafka, self._topic = kafka, topic
        self._consumer = consumer_of(kafka)
        self._ends: dict[TopicPartition, int] = {}
        self._read: dict[TopicPartition, deque[ConsumerRecord]] = {}

    @classmethod
    async def of(cls, kafka: KafkaConfig, topic: str) -> "_Reader":
        """Make a reader inside the loop that aiokafka's consumer needs."""
        return cls(kafka, topic)

    async def start(self, bounds: Bounds) -> int:
        """Begin to read; gives how many records there are."""
        consumer = self._consumer
        await consumer.start()
        # A consumer that is assigned nothing yet knows of no topic.
        count = (await partition_counts(aiokafka_settings(self._kafka))).get(self._topic, 0)
        partitions = [TopicPartition(self._topic, number) for number in range(count)]
        if not partitions:
            raise UnknownTopicOrPartitionError
        consumer.assign(partitions)
        first, last = await bounds_of(consumer, partitions)
        begins = await self._offsets(bounds.begin, first, first, last)
        self._ends = await self._offsets(bounds.end, last, first, last)
        for partition, offset in begins.items():
            consumer.seek(partition, offset)
        self._read = {partition: deque() for partition in partitions}
        return sum(max(0, self._ends[partition] - begins[partition]) for partition in partitions)

    async def next(self) -> list[ConsumerRecord]:
        """Give the oldest records not yet given, as many as are known to be the oldest; none at the end.

        aiokafka waits for ever for a broker that has gone; this raises TimeoutError.
        """
        while waiting := [tp for tp, read in self._read.items() if not read and not await self._is_done(tp)]:
            async with asyncio.timeout(self._kafka.connect_seconds):
                while not await self._fetch(waiting):
                    pass
        return list(self._oldest({tp for tp in self._read if not await self._is_done(tp)}))

    def _oldest(self, going_on: set[TopicPartition]) -> Iterator[ConsumerRecord]:
        """Take records in the order of time, until one of the partitions that go on has to be read first."""
        heads = [(read[0].timestamp, tp) for tp, read in self._read.items() if read]
        heapify(heads)
        while heads:
            _, tp = heads[0]
            read = self._read[tp]
            yield read.popleft()
            if read:
                heapreplace(heads, (read[0].timestamp, tp))
            elif tp in going_on:
                return
            else:
                heappop(heads)

    async def stop(self) -> None:
        await self._consumer.stop()

    async def _offsets(
        self, bound: int | datetime | None, otherwise: Offsets, first: Offsets, last: Offsets
    ) -> Offsets:
        """Give the offset of each partition that a bound stands for, within what there is."""
        if bound is None:
            return otherwise
        if isinstance(bound, int):
            return {tp: min(max(bound, first[tp]), last[tp]) for tp in first}
        at = round(bound.timestamp() * 1000)
        found = await self._consumer.offsets_for_times(dict.fromkeys(first, at))
        return {tp: found[tp].offset if found.get(tp) else last[tp] for tp in first}

    async def _fetch(self, waiting: list[TopicPartition]) -> bool:
        """Fetch some; tells whether anything came of it, be it the end of a partition."""
        found = await self._consumer.getmany(*waiting, timeout_ms=500)
        for tp, records in found.items():
            self._read[tp].extend(record for record in records if record.offset < self._ends[tp])
        return bool(found) or any([await self._is_done(tp) for tp in waiting])

    async def _is_done(self, tp: TopicPartition) -> bool:
        position: int = await self._consumer.position(tp)
        return position >= self._ends[tp]
