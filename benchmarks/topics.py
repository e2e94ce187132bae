"""What the benchmarks do with Kafka: make topics, fill them with records, and read what contenders emit."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.partitioner import murmur2

from tests.brokers import administering

PARTITIONS = 4
_BATCH = 256 << 10
# Seconds until new partitions have a leader; before that producers complain, and try again.
_LED = 1.0
# The broker stamps each record when it arrives: one clock for all contenders, and not their own.
_APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}


def partition_of(key: str, partitions: int = PARTITIONS) -> int:
    """Give the partition that Kafka's default partitioner chooses."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def markers() -> tuple[str, ...]:
    """Name one tenant for each partition."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < PARTITIONS:
        found.setdefault(partition_of(f"marker-{number}"), f"marker-{number}")
        number += 1
    return tuple(found[partition] for partition in range(PARTITIONS))


async def make(bootstrap: str, *names: str, partitions: int = PARTITIONS) -> None:
    """Create topics whose records are stamped by the broker."""
    async with administering(bootstrap) as admin:
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=_APPEND_TIME) for name in names])
    await asyncio.sleep(_LED)


async def drop(bootstrap: str, prefix: str) -> None:
    """Delete the topics of a run, so that the broker need not keep them."""
    async with administering(bootstrap) as admin:
        names = [name for name in await admin.list_topics() if name.startswith(prefix)]
        await admin.delete_topics(names)


async def fill(bootstrap: str, topic: str, records: Iterable[tuple[str, bytes]]) -> float:
    """Append records of (key, value), as fast as the broker takes them; gives when that began (epoch seconds).

    The batches are made beforehand, so that it takes no more than a moment beside what consumers do with them.
    """
    partitions: list[list[tuple[bytes, bytes]]] = [[] for _ in range(PARTITIONS)]
    for key, value in records:
        partitions[partition_of(key)].append((key.encode(), value))
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=_BATCH) as producer:
        batches = [_batches(producer, mine) for mine in partitions]
        began = time.time()
        await asyncio.gather(*(_send(producer, topic, n, mine) for n, mine in enumerate(batches)))
        await producer.flush()
    return began


def _batches(producer: AIOKafkaProducer, records: list[tuple[bytes, bytes]]) -> list[Any]:
    batches = [producer.create_batch()]
    for key, value in records:
        if batches[-1].append(key=key, value=value, timestamp=None) is None:
            batches.append(producer.create_batch())
            batches[-1].append(key=key, value=value, timestamp=None)
    return batches


async def _send(producer: AIOKafkaProducer, topic: str, partition: int, batches: list[Any]) -> None:
    for batch in batches:
        if batch.record_count():
            await producer.send_batch(batch, topic, partition=partition)


def reader(bootstrap: str, *topics: str, since: str = "earliest") -> AIOKafkaConsumer:
    """Make a consumer without a group that sees what is committed only; a context manager."""
    return AIOKafkaConsumer(
        *topics,
        bootstrap_servers=bootstrap,
        auto_offset_reset=since,
        isolation_level="read_committed",
        fetch_max_wait_ms=50,
    )
