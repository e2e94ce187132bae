"""What waits on the raw topic is waited for, on its way to the meters, before anybody is taken for silent."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import TopicPartition

from streamer.config import KafkaConfig
from streamer.kafka import backlog as module
from streamer.kafka.backlog import Backlog, Offsets
from tests.streamer.kafka.fakes import TOPICS

RAW, ELSEWHERE, USAGE = TopicPartition(TOPICS.raw, 0), TopicPartition(TOPICS.raw, 1), TopicPartition(TOPICS.usage, 0)


class Known(Backlog):
    """A backlog of which the test says what is there and what the group has committed."""

    def __init__(self) -> None:
        super().__init__(KafkaConfig(), [RAW, ELSEWHERE])
        self.there: dict[TopicPartition, int] = {}
        self.committed: dict[TopicPartition, int] = {}
        self.applied: dict[TopicPartition, int | None] = {USAGE: 0}
        self.fails = False

    async def _ends(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        if self.fails:
            raise KafkaConnectionError
        return {place: self.there[place] for place in places if place in self.there}

    async def _committed(self, _: Any) -> Offsets:
        return dict(self.committed)

    async def is_through(self) -> bool:
        for _ in range(10 * module._TRIES):
            await asyncio.sleep(0)
        return self.through


@pytest.fixture(autouse=True)
def no_broker_and_no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def administering(_: Any) -> AsyncIterator[None]:
        yield

    monkeypatch.setattr(module, "administering", administering)
    monkeypatch.setattr(module, "_PAUSE", 0.0)


async def test_raw_records_of_all_workers_are_waited_for_and_then_the_usage_that_came_of_them() -> None:
    found = Known()
    found.there = {RAW: 5, ELSEWHERE: 7}
    found.begin(lambda: found.applied)
    found.committed = {RAW: 5, ELSEWHERE: 6}
    assert not await found.is_through()
    found.there |= {USAGE: 12}
    found.committed[ELSEWHERE] = 7
    assert not await found.is_through()
    found.applied = {USAGE: 11}
    assert not await found.is_through()
    found.applied = {USAGE: 12}
    assert await found.is_through()


async def test_where_nothing_waits_it_is_through_at_once_and_with_new_partitions_it_is_looked_at_anew() -> None:
    found = Known()
    found.begin(lambda: found.applied)
    assert await found.is_through()
    found.there = {RAW: 1}
    found.begin(lambda: found.applied)
    assert not found.through
    assert not await found.is_through()
    found.close()


async def test_what_a_broker_does_not_tell_stops_the_clock_for_a_while_only() -> None:
    found = Known()
    found.fails = True
    found.begin(lambda: found.applied)
    await asyncio.sleep(0)
    assert not found.through
    assert await found.is_through()
