"""Usage on its way to Tidegate: nothing that a caller sends, and nothing that a broker refuses, stops what follows."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, OutOfOrderSequenceNumber

from streamer.config import Config
from streamer.events.hashing import argument_hash
from streamer.gateway import sink
from streamer.gateway.sink import Refused, UsageSink, Way
from streamer.gateway.usage import stripped
from streamer.web.metrics import Metrics
from tests.streamer.kafka.fakes import sample

_CONFIG = Config()


class Topic:
    """Where batches go: its `answers` are one try each, after these it takes all; it knows how often it was opened."""

    def __init__(self, answers: Iterable[Exception | None] = ()) -> None:
        self._answers = iter(answers)
        self.opened = 0
        self.batches: list[list[dict[str, Any]]] = []
        self.took = asyncio.Event()

    @asynccontextmanager
    async def connect(self, _: Config) -> AsyncIterator[Way]:
        self.opened += 1
        yield self._take

    async def _take(self, batch: bytes) -> None:
        answer = next(self._answers, None)
        if answer is not None:
            raise answer
        self.batches.append(json.loads(batch))
        self.took.set()

    @property
    def ids(self) -> list[str]:
        return [event["id"] for batch in self.batches for event in batch]


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "_FIRST_PAUSE", 0.0)


async def sent(topic: Topic, *payloads: dict[str, Any]) -> Metrics:
    """Send payloads until the topic took something."""
    metrics = Metrics()
    usage = UsageSink(_CONFIG, metrics, topic.connect)
    for payload in payloads:
        usage.add(payload)
    running = asyncio.create_task(usage.run())
    async with asyncio.timeout(10):
        await topic.took.wait()
    running.cancel()
    return metrics


def dropped(metrics: Metrics) -> float:
    return sample(metrics, "tidegate_gateway_usage_total", outcome="dropped")


async def test_what_json_cannot_hold_is_dropped_and_all_else_goes_on() -> None:
    topic = Topic()
    metrics = await sent(topic, {"id": "1"}, {"id": "\ud800"}, {"id": "2", "odd": object()}, {"id": "3"})
    assert topic.ids == ["1", "3"]
    assert dropped(metrics) == 2


@pytest.mark.parametrize("error", [KafkaError(), OutOfOrderSequenceNumber(), OSError(), TimeoutError()])
async def test_what_was_not_taken_goes_over_a_new_connection(error: Exception) -> None:
    topic = Topic([error, error])
    metrics = await sent(topic, {"id": "1"}, {"id": "2"})
    assert (topic.ids, topic.opened, dropped(metrics)) == (["1", "2"], 3, 0)


async def test_what_is_refused_for_good_is_dropped_and_the_next_is_sent() -> None:
    topic = Topic([Refused("too much")])
    metrics = await sent(topic, *({"id": str(number)} for number in range(201)))
    assert topic.ids == ["200"]
    assert dropped(metrics) == 200


async def test_a_record_that_the_topic_is_too_small_for_is_refused_for_good() -> None:
    class Producer:
        async def send_and_wait(self, *_: Any) -> None:
            raise MessageSizeTooLargeError

    with pytest.raises(Refused, match="3 bytes"):
        await sink._Produced(Producer(), "raw")(b"[1]")


async def test_a_batch_ends_before_a_broker_would_find_it_too_large() -> None:
    topic = Topic()
    await sent(topic, *({"id": str(number), "tags": ["x" * 10_000]} for number in range(150)))
    assert 1 < len(topic.batches[0]) < 60


def test_a_callers_tags_make_no_call_too_large_for_a_record() -> None:
    payload = {"id": "1", "request_tags": [f"tag{number}:" + "x" * 100_000 for number in range(1000)]}
    assert len(json.dumps(stripped(payload, argument_hash("")))) < 200_000
