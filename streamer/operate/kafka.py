"""Looks at Kafka: whether it answers, who is in its groups, and how new its records are."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streamer.config import KafkaConfig
from streamer.kafka.connection import aiokafka_settings, consumer_of
from streamer.kafka.reading import bounds_of
from streamer.kafka.topics import administering
from streamer.operate.finding import Finding

# So many of the last records of a partition are read; of a transaction the last may be its mark.
_LAST = 200
_WAIT_MS = 1500


async def brokers(kafka: KafkaConfig) -> Finding:
    """Say how many brokers there are; raises KafkaError if none answers."""
    async with administering(aiokafka_settings(kafka)) as admin:
        found = len((await admin.describe_cluster())["brokers"])
    what = f"Kafka answers at {kafka.bootstrap}, with {found} broker" + ("s" if found != 1 else "")
    if found < kafka.replication:
        return Finding("bad", what, f"kafka.replication is {kafka.replication}: start more brokers, or lower it")
    if kafka.replication == 1:
        return Finding("look", what, "everything is on one broker only: set kafka.replication to 3 in production")
    return Finding("good", what)


class Members(NamedTuple):
    """The state of a consumer group as the broker names it, and how many workers take part."""

    state: str
    many: int


async def described(admin: AIOKafkaAdminClient, group: str) -> Members:
    """Ask for a group's members; raises KafkaError or ValueError where the broker does not tell."""
    ((found, *_),) = (answer.groups for answer in await admin.describe_consumer_groups([group]))
    _, _, state, _, _, known, *_ = found
    return Members(state or "unknown", len(known))


async def members(admin: AIOKafkaAdminClient, group: str) -> Members | None:
    """Ask for a group's members; None where the broker does not tell."""
    try:
        return await described(admin, group)
    except (KafkaError, ValueError):
        return None


async def newest(kafka: KafkaConfig, topic: str) -> float | None:
    """Give the time (epoch seconds) of the newest record of a topic; None if there is none."""
    return max([record.timestamp / 1000 async for record in last_records(kafka, topic)], default=None)


async def last_records(kafka: KafkaConfig, topic: str, most: int = _LAST) -> AsyncIterator[AIOKafkaConsumer]:
    """Give the last few records of each partition of a topic."""
    consumer = consumer_of(kafka, topic, auto_offset_reset="earliest")
    async with consumer:
        tps = sorted(consumer.assignment())
        begins, ends = await bounds_of(consumer, tps)
        for tp in tps:
            consumer.seek(tp, max(begins[tp], ends[tp] - most))
        while behind := [tp for tp in tps if await _behind(consumer, tp, ends)]:
            batches = await consumer.getmany(*behind, timeout_ms=_WAIT_MS)
            if not batches:
                return
            for records in batches.values():
                for record in records:
                    yield record


async def _behind(consumer: AIOKafkaConsumer, tp: TopicPartition, ends: dict[TopicPartition, int]) -> bool:
    return bool(await consumer.position(tp) < ends[tp])
