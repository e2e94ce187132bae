"""Reads a Kafka topic from its beginning to where it ends now, its partitions merged by the records' times."""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from aiokafka.structs import TopicPartition

from streamer.config import KafkaConfig
from streamer.errors import SourceUnreadable
from streamer.events.decoder import headers_of
from streamer.kafka.connection import aiokafka_settings
from streamer.kafka.topics import partition_counts


def topic_records(source: str, kafka: KafkaConfig) -> Iterator[tuple[str, bytes, Mapping[str, str]]]:
    """Give place, value and headers of each record of `kafka://host:port/topic`; raises SourceUnreadable."""
    address = urlsplit(source)
    topic = address.path.strip("/")
    if not address.netloc or not topic:
        raise SourceUnreadable(f"{source}: a topic is written kafka://host:port/topic")
    settings = {**aiokafka_settings(kafka), "bootstrap_servers": address.netloc}
    with asyncio.Runner() as runner:
        reader = runner.run(_Reader.of(settings, topic))
        try:
            runner.run(reader.start())
            while (record := runner.run(reader.next())) is not None:
                yield f"{topic}[{record.partition}]@{record.offset}", record.value or b"", headers_of(record.headers)
        except KafkaError as error:
            raise SourceUnreadable(f"{source}: {error!r}") from error
        finally:
            runner.run(reader.stop())


class _Reader:
    """A consumer of all partitions, each up to the end that it had at the start."""

    def __init__(self, settings: Mapping[str, Any], topic: str) -> None:
        self._settings, self._topic = settings, topic
        self._consumer = AIOKafkaConsumer(**settings, isolation_level="read_committed", enable_auto_commit=False)
        self._ends: dict[TopicPartition, int] = {}
        self._read: dict[TopicPartition, deque[Any]] = {}

    @classmethod
    async def of(cls, settings: Mapping[str, Any], topic: str) -> "_Reader":
        """Make a reader inside the loop that aiokafka's consumer needs."""
        return cls(settings, topic)

    async def start(self) -> None:
        consumer = self._consumer
        await consumer.start()
        # A consumer that is assigned nothing yet knows of no topic.
        count = (await partition_counts(self._settings)).get(self._topic, 0)
        partitions = [TopicPartition(self._topic, number) for number in range(count)]
        if not partitions:
            raise UnknownTopicOrPartitionError
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        self._ends = await consumer.end_offsets(partitions)
        self._read = {partition: deque() for partition in partitions}

    async def next(self) -> Any:
        """Give the oldest record not yet given, None at the end."""
        while waiting := [tp for tp, read in self._read.items() if not read and not await self._is_done(tp)]:
            await self._fetch(waiting)
        heads = [(read[0].timestamp, tp) for tp, read in self._read.items() if read]
        return self._read[min(heads)[1]].popleft() if heads else None

    async def stop(self) -> None:
        await self._consumer.stop()

    async def _fetch(self, waiting: list[TopicPartition]) -> None:
        for tp, records in (await self._consumer.getmany(*waiting, timeout_ms=500)).items():
            self._read[tp].extend(record for record in records if record.offset < self._ends[tp])

    async def _is_done(self, tp: TopicPartition) -> bool:
        position: int = await self._consumer.position(tp)
        return position >= self._ends[tp]
