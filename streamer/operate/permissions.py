"""Looks at what this user may do in Kafka: all that a worker does, so that what is missing is known before it does."""

import asyncio

from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TransactionalIdAuthorizationFailed

from streamer.config import KafkaConfig
from streamer.kafka.connection import aiokafka_settings, writer_of
from streamer.kafka.identity import permitted
from streamer.kafka.journal import stopped
from streamer.kafka.topics import CHANGELOGS, Topics, administering, changelog
from streamer.operate.finding import Finding
from streamer.operate.kafka import described


async def topics(kafka: KafkaConfig) -> list[Finding]:
    """Say what this user may not do to the topics that there are; of those that it may not see it is told nothing."""
    named, state = Topics.named(kafka.topic_prefix), [changelog(kafka.group, stage) for stage in CHANGELOGS]
    reads = [named.raw, named.usage, named.anomalies, named.acks, named.feedback, *state]
    reads += [named.rollups, named.session_rollups, named.alerts]
    writes = [named.usage, named.rollups, named.session_rollups, named.anomalies, named.budgets]
    writes += [named.alerts, named.throttle, named.dead_letters, *state]
    may = await permitted(kafka, {*reads, *writes})
    wants = [(name, "read") for name in reads] + [(name, "write") for name in writes]
    found = [
        Finding("bad", f"{_who(kafka)} may not {verb} {name}", f"grant {verb.upper()} on it")
        for name, verb in wants
        if name in may and verb not in may[name]
    ]
    if not may:
        return [Finding("look", "the broker does not tell what this user may do")]
    return found or [Finding("good", "this user may read and write the topics")]


async def group(kafka: KafkaConfig) -> list[Finding]:
    """Say whether this user may not join the group: a worker would wait for its partitions without a word."""
    async with administering(aiokafka_settings(kafka)) as admin:
        try:
            await described(admin, kafka.group)
        except GroupAuthorizationFailedError:
            return [Finding("bad", f"{_who(kafka)} may not use the group {kafka.group}", "grant READ on it")]
        except (KafkaError, ValueError):
            pass  # that the broker does not tell is for `status` to say
    return []


async def transactions(kafka: KafkaConfig) -> list[Finding]:
    """Say whether this user may not write transactions, with an id that no worker has: theirs would be fenced."""
    if not kafka.idempotence:
        return []
    producer = writer_of(kafka, f"{kafka.group}-doctor")
    try:
        async with asyncio.timeout(kafka.connect_seconds):
            await producer.start()
    except TransactionalIdAuthorizationFailed:
        todo = f"grant WRITE on transactional ids that begin with {kafka.group}-"
        return [Finding("bad", f"{_who(kafka)} may not write transactions", todo)]
    finally:
        await stopped(producer)
    return []


def _who(kafka: KafkaConfig) -> str:
    return kafka.sasl_username or "this user"
