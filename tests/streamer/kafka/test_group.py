"""A worker joins no group that reads the topics of another deployment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError, KafkaConnectionError
from aiokafka.structs import TopicPartition

from streamer.config import KafkaConfig
from streamer.errors import KafkaUnreachable
from streamer.kafka import group as module
from streamer.kafka.group import must_be_ours
from streamer.kafka.topics import Topics

STAGING = KafkaConfig(topic_prefix="staging.", group="tidegate")
OURS = Topics.named("staging.")


class Admin:
    """Tells what the group has committed, or raises."""

    def __init__(self, *known: str | Exception) -> None:
        self._known = known

    async def list_consumer_group_offsets(self, _: str) -> dict[TopicPartition, Any]:
        for each in self._known:
            if isinstance(each, Exception):
                raise each
        return {TopicPartition(topic, 0): None for topic in self._known}


@pytest.fixture
def knows(monkeypatch: pytest.MonkeyPatch) -> Any:
    def knows(*known: str | Exception) -> None:
        @asynccontextmanager
        async def administering(_: Any) -> AsyncIterator[Admin]:
            yield Admin(*known)

        monkeypatch.setattr(module, "administering", administering)

    return knows


async def test_a_group_that_reads_another_deployments_topics_is_refused_by_their_names(knows: Any) -> None:
    knows("prod.usage", "prod.raw")
    with pytest.raises(KafkaUnreachable, match=r"tidegate reads prod\.raw, prod\.usage: .* a kafka\.group of its own"):
        await must_be_ours(STAGING, OURS)


async def test_whose_group_it_was_before_others_came_goes_on(knows: Any) -> None:
    """A worker may be started again after somebody else's mistake."""
    knows(OURS.usage, "prod.usage")
    await must_be_ours(STAGING, OURS)


@pytest.mark.parametrize(
    "known",
    [(), (OURS.raw, OURS.usage), (GroupCoordinatorNotAvailableError(),), (KafkaConnectionError(),)],
)
async def test_a_group_of_ours_a_new_one_and_one_of_which_nobody_tells_are_joined(knows: Any, known: Any) -> None:
    knows(*known)
    await must_be_ours(STAGING, OURS)


async def test_a_group_that_we_may_not_use_ends_the_worker(knows: Any) -> None:
    """It would wait for its partitions without a word."""
    knows(GroupAuthorizationFailedError("tidegate"))
    with pytest.raises(KafkaUnreachable, match="grant READ"):
        await must_be_ours(STAGING, OURS)


async def test_a_broker_without_transactions_is_not_asked(knows: Any) -> None:
    knows(AssertionError("asked"))
    await must_be_ours(STAGING.model_copy(update={"idempotence": False}), OURS)
