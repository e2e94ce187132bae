"""`tidegate archive`: reads a topic from where the archive ends, and adds to it."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from aiokafka.structs import TopicPartition

from streamer.archive.store import Store
from streamer.archive.tables import Rows, Topic
from streamer.config import Config, KafkaConfig
from streamer.errors import ArchiveUnusable, KafkaUnreachable
from streamer.kafka.connection import aiokafka_settings, consumer_of, said
from streamer.kafka.reading import bounds_of
from streamer.kafka.topics import Topics, partition_counts
from streamer.wiring import decoder_of

log = structlog.get_logger()
# So many rows are written at once, however soon they came together.
_MOST_ROWS = 200_000
_POLL_MS = 500
Clock = Callable[[], float]


def run(config: Config, topic: Topic, out: Path, *, once: bool, every: float, clock: Clock) -> str:
    """Archive a topic into `out` until SIGTERM or SIGINT, or with `once` up to where it ends now; says what was done.

    What was read is written every so many seconds, or rows. Raises KafkaUnreachable, ArchiveUnusable.
    """
    name = getattr(Topics.named(config.kafka.topic_prefix), topic.replace("-", "_"))
    with Store(out, name) as store:
        archiver = Archiver(store, Rows(topic, decoder_of(config, feedback=True)), every, clock)
        try:
            asyncio.run(_read(archiver, config, name, once=once))
        except KafkaError as error:
            raise KafkaUnreachable(f"{name}: {said(error, config.kafka)}") from error
    left_out = ", ".join(f"{reason} {count}" for reason, count in sorted(archiver.rows.rejected.items()))
    return f"{archiver.records:,} records of {name} archived in {out}" + (f"; left out: {left_out}" if left_out else "")


class Archiver:
    """Gathers records and commits them to the store; `clock` gives the time of day in epoch seconds."""

    def __init__(self, store: Store, rows: Rows, every: float, clock: Clock) -> None:
        self._store, self.rows, self._every, self._clock = store, rows, every, clock
        self._reached: dict[int, int] = {}
        self._since = clock()
        self.records = 0

    @property
    def positions(self) -> dict[int, int]:
        """Where each partition is to be read on."""
        return {**self._store.positions, **self._reached}

    def take(self, partition: int, records: list[Any]) -> None:
        """Take in records of a partition in their order."""
        now = self._clock()
        for record in records:
            self.rows.add(partition, record.offset, record.value or b"", record.headers, now)
        self.records += len(records)
        self._reached[partition] = records[-1].offset + 1

    def commit_if_due(self) -> None:
        """Write what waits, if it is much or waits for long."""
        if self.rows.count >= _MOST_ROWS or self._clock() - self._since >= self._every:
            self.commit()

    def commit(self) -> None:
        """Write what waits."""
        if self._reached:
            self._store.commit(self.rows.taken(), self._reached)
            log.info("archived", records=self.records)
        self._reached, self._since = {}, self._clock()


async def _read(archiver: Archiver, config: Config, topic: str, *, once: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    consumer = consumer_of(config.kafka, auto_offset_reset="none")
    try:
        await consumer.start()
        ends = await _assigned(consumer, config.kafka, topic, archiver.positions)
        while not stop.is_set():
            for tp, records in (await consumer.getmany(timeout_ms=_POLL_MS)).items():
                archiver.take(tp.partition, records)
            archiver.commit_if_due()
            if once and await _is_done(consumer, ends):
                break
        archiver.commit()
    finally:
        await consumer.stop()


async def _assigned(
    consumer: AIOKafkaConsumer, kafka: KafkaConfig, topic: str, positions: dict[int, int]
) -> dict[TopicPartition, int]:
    """Go on where the archive ends; gives the ends of the partitions as they are now."""
    count = (await partition_counts(aiokafka_settings(kafka))).get(topic, 0)
    partitions = [TopicPartition(topic, number) for number in range(count)]
    if not partitions:
        raise UnknownTopicOrPartitionError
    consumer.assign(partitions)
    begins, ends = await bounds_of(consumer, partitions)
    for tp in partitions:
        wanted = positions.get(tp.partition, begins[tp])
        if wanted > ends[tp]:
            raise ArchiveUnusable(
                f"{topic}[{tp.partition}] ends at {ends[tp]}, before the archive's {wanted}: was the topic made anew?"
                " archive it into another folder"
            )
        if wanted < begins[tp]:
            log.warning(
                "records were deleted before they were archived", partition=tp.partition, records=begins[tp] - wanted
            )
        consumer.seek(tp, max(wanted, begins[tp]))
    return ends


async def _is_done(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    for tp, end in ends.items():
        if await consumer.position(tp) < end:
            return False
    return True
