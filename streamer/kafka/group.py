"""Whether the consumer group is this deployment's alone: two that share one share its state, and fence each other."""

import msgspec
import structlog
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError, KafkaError

from streamer.config import KafkaConfig
from streamer.errors import KafkaUnreachable
from streamer.kafka.connection import aiokafka_settings
from streamer.kafka.topics import Topics, administering

log = structlog.get_logger()


async def must_be_ours(kafka: KafkaConfig, topics: Topics) -> None:
    """Make sure that the group is not one that others read their topics with; raises KafkaUnreachable where it is.

    Who has read ours with it as well may go on. Brokers without transactions are not asked: the small ones do not tell.
    """
    read, ours = await _read_by(kafka) if kafka.idempotence else set(), set(msgspec.structs.astuple(topics))
    if not (foreign := ", ".join(sorted(read - ours))):
        return
    if read.isdisjoint(ours):
        todo = "each deployment needs a kafka.group of its own"
        raise KafkaUnreachable(f"the group {kafka.group} reads {foreign}: {todo}")
    log.error("the group has read topics of another deployment, which needs one of its own", topics=foreign)


async def _read_by(kafka: KafkaConfig) -> set[str]:
    try:
        async with administering(aiokafka_settings(kafka)) as admin:
            return {tp.topic for tp in await admin.list_consumer_group_offsets(kafka.group)}
    except GroupCoordinatorNotAvailableError:
        return set()  # a new cluster has no groups yet
    except GroupAuthorizationFailedError:
        raise KafkaUnreachable(f"we may not use the group {kafka.group}: grant READ on it") from None
    except KafkaError as error:
        log.warning("it is not known what else the group reads", group=kafka.group, error=repr(error))
        return set()
