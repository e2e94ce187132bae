"""The topics by name, and their creation with the settings that CONTRACTS.md asks for."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from streamer.config import KafkaConfig
from streamer.errors import KafkaUnreachable
from streamer.kafka.connection import MOST_REQUEST_BYTES, aiokafka_settings

# Between two tries to reach a broker that is still starting.
_PAUSE = 0.5
#: The topics of which Kafka keeps each key's last record.
COMPACTED = ("alerts", "throttle", "budgets")
# What is read as a whole stays short: the segment that is written to is not compacted, so that it is closed each hour.
_COMPACT = {"cleanup.policy": "compact", "segment.ms": "3600000", "min.cleanable.dirty.ratio": "0.1"}
#: The stages of the worker that keep a state, with the partitions of their changelogs: 0 for as many as usage has.
CHANGELOGS = {"meter": 0, "alerts": 1}
# What we send, a topic takes: one record too large (an incident of many long names) would hold up all behind it.
_LARGE = {"max.message.bytes": str(MOST_REQUEST_BYTES)}


class Topics(msgspec.Struct, frozen=True):
    """The names of all topics of one deployment."""

    raw: str
    usage: str
    rollups: str
    session_rollups: str
    anomalies: str
    alerts: str
    throttle: str
    acks: str
    feedback: str
    budgets: str
    dead_letters: str

    @classmethod
    def named(cls, prefix: str) -> "Topics":
        """Put the deployment's prefix before each name."""
        metered = ("raw", "usage", "rollups", "session-rollups", "anomalies")
        told = ("alerts", "throttle", "throttle-acks", "feedback", "budgets", "dead-letter")
        return cls(*(f"{prefix}{name}" for name in (*metered, *told)))


def changelog(group: str, stage: str) -> str:
    """Name the topic that keeps the state of one stage of the consumer group."""
    return f"{group}-{stage}-changelog"


async def ensure(kafka: KafkaConfig, topics: Topics, changelogs: dict[str, int]) -> dict[str, int]:
    """Create what is missing, and give the partition count of each topic that exists.

    `changelogs` gives the partition count of each stage's changelog, 0 for as many as the usage topic has. Raises
    KafkaUnreachable.
    """
    last: Exception | None = None
    try:
        async with asyncio.timeout(kafka.connect_seconds):
            while True:
                try:
                    return await _ensure(kafka, topics, changelogs)
                except KafkaError as error:
                    last = error
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        raise KafkaUnreachable(f"no Kafka broker answers at {kafka.bootstrap}: {last or 'timed out'}") from last


async def widen(kafka: KafkaConfig, topic: str, partitions: int) -> None:
    """Give a topic so many partitions; raises KafkaUnreachable where we may not."""
    if not kafka.create_topics:
        raise KafkaUnreachable(f"{topic} needs {partitions} partitions, and kafka.create_topics is off")
    async with administering(aiokafka_settings(kafka)) as admin:
        await admin.create_partitions({topic: NewPartitions(partitions)})


async def partition_counts(settings: Mapping[str, Any]) -> dict[str, int]:
    """Give the partition count of each topic that exists; `settings` say how the broker is reached."""
    async with administering(settings) as admin:
        return await _partitions(admin)


async def _ensure(kafka: KafkaConfig, topics: Topics, changelogs: dict[str, int]) -> dict[str, int]:
    async with administering(aiokafka_settings(kafka)) as admin:
        found = await _partitions(admin)
        usage = found.get(topics.usage, kafka.partitions)
        missing = [topic for topic in wanted(kafka, topics, changelogs, usage) if topic.name not in found]
        if missing and not kafka.create_topics:
            names = ", ".join(topic.name for topic in missing)
            raise KafkaUnreachable(f"these topics are missing, and kafka.create_topics is off: {names}")
        for topic in missing:
            await _create(admin, topic)
        return {**found, **{topic.name: topic.num_partitions for topic in missing}}


@asynccontextmanager
async def administering(settings: Mapping[str, Any]) -> AsyncIterator[AIOKafkaAdminClient]:
    """Give an admin client while the context lasts; `settings` say how the broker is reached."""
    admin = AIOKafkaAdminClient(**settings)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topic: NewTopic) -> None:
    answer = await admin.create_topics([topic])
    for name, code, *message in getattr(answer, "topic_errors", ()):
        if code not in (0, TopicAlreadyExistsError.errno):
            raise KafkaUnreachable(f"topic {name} could not be created: error {code} {message}")


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    names = await admin.list_topics()
    described = await admin.describe_topics(list(names)) if names else []
    return {topic["topic"]: len(topic["partitions"]) for topic in described}


def wanted(kafka: KafkaConfig, topics: Topics, changelogs: dict[str, int], usage: int) -> list[NewTopic]:
    """Give every topic as it is to be created, where the usage topic has so many partitions."""
    # With one replica down everything goes on, and what was acknowledged is on two where there are three.
    safe = {"min.insync.replicas": str(max(1, kafka.replication - 1))}
    kept = {"retention.ms": str(round(kafka.retention_hours * 3_600_000))}

    def topic(name: str, partitions: int, **config: str) -> NewTopic:
        return NewTopic(name, partitions, kafka.replication, topic_configs={**safe, **config})

    keyed = [topics.raw, topics.usage, topics.rollups, topics.session_rollups]
    single = [topics.anomalies, topics.acks, topics.feedback, topics.dead_letters]
    return [
        *(topic(name, usage, **kept, **_LARGE) for name in keyed),
        *(topic(name, 1, **kept, **_LARGE) for name in single),
        *(topic(getattr(topics, name), 1, **_COMPACT, **_LARGE) for name in COMPACTED),
        *(
            topic(changelog(kafka.group, stage), count or usage, **_COMPACT, **_LARGE)
            for stage, count in changelogs.items()
        ),
    ]
