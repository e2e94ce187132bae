"""Holds the topics against what they must be: partitions, replicas, compaction, retention, the size of records."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streamer.config import KafkaConfig
from streamer.kafka.connection import aiokafka_settings
from streamer.kafka.topics import CHANGELOGS, Topics, administering, ensure, wanted
from streamer.operate.finding import Finding, Grade

# Settings whose value has to be that or more.
_AT_LEAST = ("min.insync.replicas", "max.message.bytes", "retention.ms")
_FOR_EVER = -1
_TRIES, _PAUSE = 20, 0.25


class Found(msgspec.Struct, frozen=True):
    """A topic as the cluster has it; `settings` are empty where the broker does not tell."""

    partitions: int
    replicas: int
    settings: Mapping[str, str] = {}


async def look(kafka: KafkaConfig) -> list[Finding]:
    """Look at all topics of the deployment; raises KafkaError if Kafka does not answer."""
    topics = Topics.named(kafka.topic_prefix)
    async with administering(aiokafka_settings(kafka)) as admin:
        names = [topic.name for topic in wanted(kafka, topics, CHANGELOGS, kafka.partitions)]
        found = await _found(admin, names)
    usage = found[topics.usage].partitions if topics.usage in found else kafka.partitions
    return [held(topic, found.get(topic.name)) for topic in wanted(kafka, topics, CHANGELOGS, usage)]


async def make(kafka: KafkaConfig) -> list[Finding]:
    """Create what is missing, then look; for a moment a new topic is not known to every broker."""
    await ensure(kafka, Topics.named(kafka.topic_prefix), CHANGELOGS)
    for _ in range(_TRIES):
        found = await look(kafka)
        if not any(finding.what.endswith("is missing") for finding in found):
            break
        await asyncio.sleep(_PAUSE)
    return found


def held(topic: NewTopic, found: Found | None) -> Finding:
    """Hold one topic against what it has to be."""
    if found is None:
        return Finding("bad", f"{topic.name} is missing", "`tidegate topics --create` makes it")
    faults = [*_shape(topic, found), *_settings(topic, found)]
    if not faults:
        return Finding("good", f"{topic.name}: {found.partitions} partitions, {found.replicas} replicas")
    grade: Grade = "bad" if any(bad for bad, _, _ in faults) else "look"
    said, todo = ", ".join(what for _, what, _ in faults), ", ".join(todo for _, _, todo in faults)
    return Finding(grade, f"{topic.name} {said}", todo)


_Fault = tuple[bool, str, str]


def _shape(topic: NewTopic, found: Found) -> Iterator[_Fault]:
    if found.partitions < topic.num_partitions:
        yield True, f"has {found.partitions} partitions, not {topic.num_partitions}", "add partitions"
    elif found.partitions > topic.num_partitions == 1:
        yield True, f"has {found.partitions} partitions, where all must be in one", "make it anew with one"
    if found.replicas < topic.replication_factor:
        wants = f"has {found.replicas} replicas, not {topic.replication_factor}"
        yield False, wants, "reassign it, or set kafka.replication as it is meant"


def _settings(topic: NewTopic, found: Found) -> Iterator[_Fault]:
    for name, value in topic.topic_configs.items():
        given = found.settings.get(name)
        if given is not None and not _suits(name, given, value):
            # Deletion where the state lies loses it; all else only wears.
            yield name == "cleanup.policy", f"has {name}={given}", f"set {name}={value}"


def _suits(name: str, given: str, value: str) -> bool:
    if name == "cleanup.policy":
        return given == value
    if name in _AT_LEAST:
        return int(given) == _FOR_EVER or int(given) >= int(value)
    return True


async def _found(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, Found]:
    there = sorted(set(await admin.list_topics()) & set(names))
    described = await admin.describe_topics(there) if there else []
    settings = await _settings_of(admin, there)
    return {
        topic["topic"]: Found(
            len(topic["partitions"]),
            min((len(partition["replicas"]) for partition in topic["partitions"]), default=0),
            settings.get(topic["topic"], {}),
        )
        for topic in described
    }


async def _settings_of(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answers: list[Any] = await admin.describe_configs(asked)
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for answer in answers
        for error, _, _, name, entries in answer.resources
        if not error
    }
