"""`tidegate backup` and `restore`: the state of the worker, with its place in each source, into a file and back.

Both want the workers stopped: then all changelogs and positions are of one moment. What comes in meanwhile waits in
Kafka.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.types import TP

from streamer.config import KafkaConfig
from streamer.errors import BackupRefused
from streamer.kafka.batches import Batches
from streamer.kafka.checkpoint import layout_of
from streamer.kafka.connection import aiokafka_settings, writer_of
from streamer.kafka.journal import Entry, Journal, OrderedJournal, TransactionJournal
from streamer.kafka.restore import read_log
from streamer.kafka.topics import CHANGELOGS, Topics, administering, changelog, ensure
from streamer.operate.backup_file import About, Backup, Log
from streamer.operate.kafka import Members, described

_HEAD = b":head"
# Seconds in which a broker that is up has found its coordinator.
_PATIENCE = 20


async def taken(kafka: KafkaConfig) -> Backup:
    """Read the state of the group; raises BackupRefused, KafkaError."""
    async with administering(aiokafka_settings(kafka)) as admin:
        await _must_be_alone(admin, kafka)
        counts = await ensure(kafka, Topics.named(kafka.topic_prefix), CHANGELOGS)
        logs = {tp: (await read_log(kafka, tp)).values for tp in _changelogs(kafka, counts)}
        positions = await _positions(admin, kafka)
        await _must_be_alone(admin, kafka)
    newest = max(map(layout_of, logs.values()))
    about = About(group=kafka.group, topic_prefix=kafka.topic_prefix, layout=newest, positions=positions)
    return Backup(about, logs)


async def put_back(kafka: KafkaConfig, backup: Backup, *, replace: bool) -> None:
    """Make the state what a backup holds; raises BackupRefused, KafkaError.

    A partition at a time, each at once; where it ends in between, it is done again with `replace`.
    """
    _must_be_of(backup.about, kafka)
    async with administering(aiokafka_settings(kafka)) as admin:
        await _must_be_alone(admin, kafka)
        counts = await ensure(kafka, Topics.named(kafka.topic_prefix), CHANGELOGS)
        places = _changelogs(kafka, counts)
        if lost := sorted(backup.logs.keys() - set(places)):
            raise BackupRefused(f"{lost[0].topic} has too few partitions: the backup has state of {lost[-1].partition}")
        found = {tp: (await read_log(kafka, tp)).values for tp in places}
        if any(found.values()) and not replace:
            raise BackupRefused("there is state already: --replace has the backup's take its place")
        for tp in places:
            await _write(kafka, tp, backup.logs.get(tp, {}), found[tp])
        await _commit(kafka, backup.about.positions, counts)


def _changelogs(kafka: KafkaConfig, counts: Mapping[str, int]) -> list[TP]:
    names = [changelog(kafka.group, stage) for stage in CHANGELOGS]
    return [TP(name, number) for name in names for number in range(counts[name])]


def _must_be_of(about: About, kafka: KafkaConfig) -> None:
    ours = (kafka.group, kafka.topic_prefix)
    if (about.group, about.topic_prefix) != ours:
        theirs = f"group {about.group} over topics {about.topic_prefix}*"
        raise BackupRefused(f"the backup is of {theirs}, not of {kafka.group} over {kafka.topic_prefix}*")


async def _members(admin: AIOKafkaAdminClient, group: str) -> Members:
    """Ask for the group's members; a new cluster makes the topic that holds groups only when first asked for one."""
    for _ in range(_PATIENCE):
        with suppress(GroupCoordinatorNotAvailableError):
            return await described(admin, group)
        await asyncio.sleep(1)
    return await described(admin, group)


async def _must_be_alone(admin: AIOKafkaAdminClient, kafka: KafkaConfig) -> None:
    try:
        many = (await _members(admin, kafka.group)).many
    except (KafkaError, ValueError) as error:
        raise BackupRefused(f"the broker does not tell whether workers of {kafka.group} run: {error!r}") from error
    if many == 1:
        raise BackupRefused(f"1 worker of {kafka.group} runs: stop it first ({_patience(kafka)})")
    if many:
        raise BackupRefused(f"{many} workers of {kafka.group} run: stop them first ({_patience(kafka)})")


def _patience(kafka: KafkaConfig) -> str:
    return f"one that was killed counts for {kafka.session_timeout_seconds:g} s"


async def _positions(admin: AIOKafkaAdminClient, kafka: KafkaConfig) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = {}
    for tp, committed in (await admin.list_consumer_group_offsets(kafka.group)).items():
        found.setdefault(tp.topic, {})[tp.partition] = committed.offset
    return found


async def _write(kafka: KafkaConfig, tp: TP, log: Log, found: Log) -> None:
    """Write what a partition is to hold, its head last, and end what it holds besides."""
    gone = [(key, None) for key in found if key not in log]
    parts = [(key, value) for key, value in log.items() if not key.endswith(_HEAD)]
    heads = [(key, value) for key, value in log.items() if key.endswith(_HEAD)]
    if not gone and not log:
        return
    async with AsyncExitStack() as stack:
        journal = await _journal(kafka, tp, stack)
        await journal.open()
        stack.push_async_callback(journal.close)
        # Without a head nothing held: then it is one of what is to go.
        head = heads[0] if heads else gone.pop()
        await journal.write(Entry((), [*gone, *parts], head, {}))


async def _journal(kafka: KafkaConfig, tp: TP, stack: AsyncExitStack) -> Journal:
    """Write as the worker does, under the name of its partition: one that is still there is fenced."""
    if kafka.idempotence:
        stage = tp.topic.removeprefix(f"{kafka.group}-").removesuffix("-changelog")
        name = f"{kafka.group}-{stage}-{tp.partition}"
        return TransactionJournal(lambda: writer_of(kafka, name), kafka.group, tp)
    producer = await stack.enter_async_context(writer_of(kafka, None))
    return OrderedJournal(Batches(producer), _taken, tp)


async def _taken(_: Mapping[TP, int]) -> bool:
    return True


async def _commit(kafka: KafkaConfig, positions: Mapping[str, Mapping[int, int]], counts: Mapping[str, int]) -> None:
    offsets = {
        TopicPartition(topic, number): OffsetAndMetadata(offset, "")
        for topic, numbers in positions.items()
        for number, offset in numbers.items()
        if number < counts.get(topic, 0)
    }
    if not offsets:
        return
    consumer = AIOKafkaConsumer(**aiokafka_settings(kafka), group_id=kafka.group, enable_auto_commit=False)
    async with consumer:
        consumer.assign(list(offsets))
        await consumer.commit(offsets)
