"""Every event counts once and every output is there once, whoever dies, freezes or is replaced in the middle."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from streamer.config import KafkaConfig
from streamer.kafka.checkpoint import Checkpoints
from streamer.kafka.connection import consumer_of, writer_of
from streamer.kafka.journal import Entry, StaleOwner, TransactionJournal
from streamer.kafka.restore import read_log
from streamer.kafka.stage import Out
from streamer.kafka.topics import changelog
from tests.brokers import Broker, administering
from tests.brokers.apache import ApacheKafka
from tests.integration.deployment import Deployment, until
from tests.integration.events import metered, produced, record, usage

pytestmark = pytest.mark.integration


@pytest.fixture
def deployment(apache_broker: ApacheKafka, tmp_path: Path) -> Deployment:
    return Deployment(Broker("apache", apache_broker.bootstrap), tmp_path)


def all_metered(deployment: Deployment, events: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Wait until tenants' rollups and those of sessions, on a topic each, come to what was produced."""
    of_tenants, of_sessions = deployment.topics.rollups, deployment.topics.session_rollups
    return deployment.consume_until(
        lambda found: metered(found[of_tenants]) == metered(found[of_sessions], "session") == produced(events),
        of_tenants,
        of_sessions,
    )


def assert_none_is_repeated(found: dict[str, list[Any]]) -> None:
    """What a reader of committed records sees was written once."""
    rollups = [rollup for of_topic in found.values() for rollup in of_topic]
    seen = Counter((rollup["series"], rollup["start"], rollup["part"]) for rollup in rollups)
    assert not [what for what, times in seen.items() if times > 1]


def test_killed_again_and_again_a_worker_writes_each_rollup_once(deployment: Deployment) -> None:
    """Outputs and state are one transaction: no crash leaves one without the other."""
    events = [usage(n) for n in range(1200)]
    for killed in range(3):
        with deployment.running() as worker:
            deployment.produce(deployment.topics.usage, map(record, events[killed * 400 : killed * 400 + 400]))
            until(lambda: worker.metric("tidegate_events_total", outcome="counted") > 0, "some events")
            time.sleep(0.3 * killed)  # into the windows' end
            worker.kill()
    with deployment.running():
        found = all_metered(deployment, events)
    assert_none_is_repeated(found)


def test_a_worker_frozen_before_its_commit_wakes_to_find_that_it_counts_no_more(deployment: Deployment) -> None:
    """Another has taken over by then; what the frozen one had begun is nowhere, and it comes back as a new member."""
    events = [usage(n) for n in range(1500)]
    topics = deployment.topics
    with deployment.running(module="tests.integration.frozen") as zombie:
        deployment.produce(topics.usage, map(record, events[:500]))
        until(zombie.is_frozen, "the worker to freeze in a transaction")
        with deployment.running() as heir:
            deployment.produce(topics.usage, map(record, events[500:1000]))
            until(lambda: heir.metric("tidegate_events_total", outcome="counted") >= 500, "the heir to go on")
            zombie.thaw()
            deployment.produce(topics.usage, map(record, events[1000:]))
            until(lambda: zombie.metric("tidegate_lost_partitions_total") > 0, "the frozen one to notice")
            found = all_metered(deployment, events)
            until(lambda: zombie.metric("tidegate_ready") == 1, "the frozen one to be of use again")
    assert_none_is_repeated(found)


def test_a_worker_that_is_dropped_though_it_still_is_in_the_group_comes_back_with_its_state(
    deployment: Deployment,
) -> None:
    """Somebody with the same transactional id came and went: the group knows nothing of it."""
    events = [usage(n) for n in range(600)]
    topics = deployment.topics
    with deployment.running() as worker:
        deployment.produce(topics.usage, map(record, events[:300]))
        until(lambda: worker.metric("tidegate_checkpoint_seconds_count") > 0, "a checkpoint")
        asyncio.run(_intrude(deployment))
        deployment.produce(topics.usage, map(record, events[300:]))
        until(lambda: worker.metric("tidegate_lost_partitions_total") > 0, "the worker to notice")
        found = all_metered(deployment, events)
        until(lambda: worker.metric("tidegate_ready") == 1, "the worker to be ready again")
    assert_none_is_repeated(found)


async def _intrude(deployment: Deployment) -> None:
    for partition in range(4):
        name = f"{deployment.group}-meter-{partition}"
        async with AIOKafkaProducer(bootstrap_servers=deployment.bootstrap, transactional_id=name):
            pass


def test_time_goes_on_behind_the_marks_of_transactions(deployment: Deployment) -> None:
    """Usage comes from transactions of the raw stage, so its log ends with a mark; ticks close the windows."""
    events = [usage(n) for n in range(50)]
    with deployment.running() as worker:
        deployment.produce(deployment.topics.raw, map(record, events))
        all_metered(deployment, events)
        until(lambda: worker.metric("tidegate_lag_records", topic=deployment.topics.usage) == 0, "no lag")


def test_a_source_topic_that_is_made_anew_is_read_from_its_beginning_and_ids_seen_are_kept(
    deployment: Deployment,
) -> None:
    events, topic = [usage(n) for n in range(200)], deployment.topics.usage
    with deployment.running() as first:
        deployment.produce(topic, map(record, events[:100]))
        until(lambda: first.metric("tidegate_events_total", outcome="counted") == 100, "the first events")
        assert first.terminate() == 0
    asyncio.run(_made_anew(deployment.bootstrap, topic))
    with deployment.running() as second:
        deployment.produce(topic, map(record, events))
        all_metered(deployment, events)
        until(lambda: second.metric("tidegate_events_total", outcome="duplicate") == 100, "the repeats to be seen")
        assert second.metric("tidegate_topic_changes_total", topic=topic, what="recreated") > 0


async def _made_anew(bootstrap: str, topic: str) -> None:
    async with administering(bootstrap) as admin:
        await admin.delete_topics([topic])
        while topic in await admin.list_topics():  # noqa: ASYNC110 - Kafka deletes in its own time, and tells nobody
            await asyncio.sleep(0.05)
        await admin.create_topics([NewTopic(topic, 4, 1)])


PARTS, PART_BYTES = 100_000, 500


class Logged:
    """A changelog of its own, and journals that write to it."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self.kafka = KafkaConfig(bootstrap=bootstrap, group=name, session_timeout_seconds=30)
        self.tp = TP(changelog(name, "meter"), 0)

    async def create(self) -> None:
        async with administering(self.kafka.bootstrap) as admin:
            await admin.create_topics([NewTopic(self.tp.topic, 1, 1, topic_configs={"cleanup.policy": "compact"})])

    async def journal(self) -> TransactionJournal:
        name = f"{self.kafka.group}-meter-0"
        made = TransactionJournal(lambda: writer_of(self.kafka, name), self.kafka.group, self.tp)
        await made.open()
        return made


def entry(log: Checkpoints, parts: int, value: bytes, to: TP | None = None) -> Entry:
    outs = [Out(to.topic, "a", value)] if to else []
    return Entry(outs, log.parts((f"series/{n}", value) for n in range(parts)), log.head({}), {})


@pytest.fixture
async def logged(apache_broker: ApacheKafka) -> Logged:
    made = Logged(apache_broker.bootstrap, f"log{time.time_ns()}")
    await made.create()
    return made


async def test_a_new_owner_ends_what_the_old_one_has_open_before_it_reads(logged: Logged) -> None:
    checkpoints = Checkpoints(0)
    old = await logged.journal()
    await old.write(entry(checkpoints, 3, b"1"))
    assert old._producer is not None
    await old._producer.begin_transaction()
    await old._batches.send((), {logged.tp: entry(checkpoints, 3, b"2").parts})
    new = await logged.journal()
    again = Checkpoints(0)
    assert set(again.restore((await read_log(logged.kafka, logged.tp)).values).values()) == {b"1"}
    with pytest.raises(Exception, match=r"Fenced|Epoch|state"):
        await old._producer.commit_transaction()
    with pytest.raises(StaleOwner):
        await old.write(entry(checkpoints, 3, b"3"))
    await new.write(entry(again, 1, b"4"))
    assert set(Checkpoints(0).restore((await read_log(logged.kafka, logged.tp)).values).values()) == {b"1", b"4"}
    await old.close()
    await new.close()


@pytest.fixture
async def forgetful(apache_broker: ApacheKafka) -> AsyncIterator[None]:
    """The broker takes what belongs to no transaction that it knows of: so one can be left without an end."""
    async with administering(apache_broker.bootstrap) as admin:
        await admin.alter_configs(verifying(admin, "false"))
        yield
        await admin.alter_configs(verifying(admin, "true"))


def verifying(admin: AIOKafkaAdminClient, value: str) -> list[ConfigResource]:
    setting = {"transaction.partition.verification.enable": value}
    brokers = admin._client.cluster.brokers()
    return [ConfigResource(ConfigResourceType.BROKER, str(broker.nodeId), setting) for broker in brokers]


@pytest.mark.usefixtures("forgetful")
async def test_what_a_broker_left_without_an_end_does_not_count_with_the_next_commit(logged: Logged) -> None:
    """As a broker does that was killed and is back before the cluster missed it: see `TransactionJournal.discard`."""
    outs = TP(f"{logged.tp.topic}-outs", 0)
    async with administering(logged.kafka.bootstrap) as admin:
        await admin.create_topics([NewTopic(outs.topic, 1, 1)])
    checkpoints = Checkpoints(0)
    old = await logged.journal()
    await old.write(entry(checkpoints, 1, b"1", outs))
    await left_open(old, entry(checkpoints, 1, b"2", outs), logged.tp)
    new, again = await logged.journal(), Checkpoints(0)
    kept = await read_log(logged.kafka, logged.tp)
    assert kept.hanging
    await new.discard([outs.topic])
    kept = await read_log(logged.kafka, logged.tp)
    assert not kept.hanging
    assert set(again.restore(kept.values).values()) == {b"1"}
    await new.write(entry(again, 1, b"2", outs))
    assert await committed(logged.kafka, outs) == [b"1", b"2"]
    await old.close()
    await new.close()


async def left_open(journal: TransactionJournal, written: Entry, log_of: TP) -> None:
    """Write without telling the coordinator where: its end of the transaction marks none of these places."""
    producer = journal._producer
    assert producer is not None
    await producer.begin_transaction()
    # Of this one it knows, and it is in no hurry: the transaction before has its marks by then.
    await producer.send_offsets_to_transaction({TopicPartition(*log_of): OffsetAndMetadata(1, "")}, "group")
    producer._txn_manager._txn_partitions |= {TopicPartition(out.topic, 0) for out in written.outs}
    producer._txn_manager._txn_partitions.add(TopicPartition(*log_of))
    assert written.head
    await journal._batches.send(written.outs, {log_of: [*written.parts, written.head]})


async def committed(kafka: KafkaConfig, tp: TP) -> list[bytes]:
    """All that a reader of committed records finds."""
    consumer = consumer_of(kafka, tp.topic, auto_offset_reset="earliest")
    async with consumer:
        end = (await consumer.end_offsets([TopicPartition(*tp)]))[TopicPartition(*tp)]
        found: list[bytes] = []
        while await consumer.position(TopicPartition(*tp)) < end:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [record.value for record in records]
        return found


async def test_100_000_parts_are_read_back_within_seconds(logged: Logged) -> None:
    journal, checkpoints = await logged.journal(), Checkpoints(0)
    began = time.monotonic()
    await journal.write(entry(checkpoints, PARTS, b"x" * PART_BYTES))
    written = time.monotonic()
    await journal.close()
    parts = Checkpoints(0).restore((await read_log(logged.kafka, logged.tp)).values)
    took = time.monotonic() - written
    print(f"{PARTS} parts of {PART_BYTES} bytes: written in {written - began:.2f} s, restored in {took:.2f} s")  # noqa: T201
    assert len(parts) == PARTS
    assert took < 15
