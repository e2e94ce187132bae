"""A topic as a source: what the reader does about a broker that goes away in the middle."""

import asyncio
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from streamer.config import KafkaConfig
from streamer.demo.broker import free_port
from streamer.errors import SourceUnreadable
from streamer.replay import topic
from streamer.replay.extent import Extent

PLACE = TopicPartition("usage", 0)


class Gone:
    """A consumer whose broker has said where the topic ends, and says nothing more."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def assign(self, places: list[TopicPartition]) -> None: ...

    def seek(self, place: TopicPartition, offset: int) -> None: ...

    async def position(self, place: TopicPartition) -> int:
        return 0

    async def getmany(self, *places: TopicPartition, timeout_ms: int) -> dict[TopicPartition, Any]:
        await asyncio.sleep(timeout_ms / 1000)  # as long as there is nothing
        return {}


def test_where_no_broker_answers_that_is_said_in_words() -> None:
    nobody = f"127.0.0.1:{free_port()}"
    with pytest.raises(SourceUnreadable, match=f"usage: no Kafka broker answers at {nobody}$"):
        list(topic.topic_records(f"kafka://{nobody}/usage", KafkaConfig()))


def test_a_broker_that_goes_away_is_told_of_and_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def counts(_: object) -> dict[str, int]:
        return {"usage": 1}

    async def bounds(*_: object) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        return {PLACE: 0}, {PLACE: 5}

    monkeypatch.setattr(topic, "consumer_of", lambda *_: Gone())
    monkeypatch.setattr(topic, "partition_counts", counts)
    monkeypatch.setattr(topic, "bounds_of", bounds)
    with pytest.raises(SourceUnreadable, match="no more came for"):
        list(topic.topic_runs("kafka://here:9092/usage", KafkaConfig(connect_seconds=0.2), Extent()))
