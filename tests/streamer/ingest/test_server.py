"""The front door answers 202 only for what Kafka has, and names what is wrong with the rest."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiokafka.errors import KafkaTimeoutError

from streamer.clock import utc
from streamer.events.decoder import Decoder
from streamer.ingest import server
from streamer.ingest.server import FrontDoor
from streamer.web.metrics import Metrics
from tests.streamer.kafka.fakes import FakeProducer, sample
from tests.streamer.samples import NOW, event

TOPIC = "t.usage"
Answer = tuple[int, dict[str, Any]]


class Door:
    """A front door over a producer in memory."""

    def __init__(self, limit: int = 1 << 20) -> None:
        self.producer, self.metrics = FakeProducer(), Metrics()
        door = FrontDoor(Decoder(), cast(Any, self.producer), TOPIC, self.metrics)
        app = web.Application(client_max_size=limit)
        app.router.add_post("/v1/events", door.events)
        self.client = TestClient(TestServer(app))
        self.headers: dict[str, str] = {}

    async def post(self, body: object, **headers: str) -> Answer:
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        async with self.client.post("/v1/events", data=data, headers=headers) as answer:
            self.headers = dict(answer.headers)
            return answer.status, orjson.loads(await answer.read())

    def answered(self, status: int) -> float:
        return sample(self.metrics, "tidegate_ingest_requests_total", status=str(status))


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "wall", lambda: NOW)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made = Door()
    async with made.client:
        yield made


async def test_what_kafka_has_is_answered_with_202(door: Door) -> None:
    assert await door.post([event(1), event(2, tenant="beta")]) == (202, {"accepted": 2})
    assert [(topic, key) for topic, _, key in door.producer.sent] == [(TOPIC, b"acme"), (TOPIC, b"beta")]
    assert msgspec.json.decode(door.producer.sent[0][1] or b"", type=type(event())) == event(1)
    assert door.answered(202) == 1
    assert sample(door.metrics, "tidegate_events_total", outcome="ingested") == 2


@pytest.mark.parametrize("body", [msgspec.json.encode(event()), msgspec.json.encode(event()) + b"\n"])
async def test_a_single_event_needs_no_array(body: bytes, door: Door) -> None:
    assert await door.post(body) == (202, {"accepted": 1})


async def test_ndjson_and_gzip_are_taken(door: Door) -> None:
    body = b"\n".join(msgspec.json.encode(event(number)) for number in range(3))
    assert await door.post(body) == (202, {"accepted": 3})
    assert await door.post(gzip.compress(body), **{"Content-Encoding": "gzip"}) == (202, {"accepted": 3})


async def test_a_cloud_event_may_be_told_by_headers_alone(door: Door) -> None:
    headers = {"specversion": "1.0", "id": "7", "source": "s", "type": "x", "time": utc(NOW).isoformat()}
    named = {f"ce-{name}": value for name, value in headers.items()}
    status, _ = await door.post(b'{"tenant": "acme", "model": "m"}', **named, **{"Content-Type": "application/json"})
    assert status == 202
    assert orjson.loads(door.producer.sent[0][1] or b"")["id"] == "7"


async def test_a_bad_item_is_named_and_the_good_ones_are_taken(door: Door) -> None:
    bad = {**msgspec.to_builtins(event(2)), "steps": -1}
    status, answer = await door.post([msgspec.to_builtins(event(1)), bad, msgspec.to_builtins(event(3))])
    assert (status, answer["accepted"]) == (422, 2)
    (rejected,) = answer["rejected"]
    assert (rejected["item"], rejected["reason"]) == (1, "negative_count")
    assert len(door.producer.sent) == 2
    assert sample(door.metrics, "tidegate_rejected_total", reason="negative_count") == 1


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"[1]", b"\xff"])
async def test_what_is_no_event_is_422_and_no_record(body: bytes, door: Door) -> None:
    status, answer = await door.post(body)
    assert (status, answer["accepted"]) == (422, 0)
    assert door.producer.sent == []


async def test_an_event_far_in_the_future_of_this_clock_is_refused(door: Door) -> None:
    status, answer = await door.post(event(seconds=400))
    assert (status, answer["rejected"][0]["reason"]) == (422, "impossible_time")


async def test_a_body_over_the_limit_is_413() -> None:
    small = Door(limit=100)
    async with small.client:
        status, answer = await small.post([event(n) for n in range(10)])
        assert (status, "ingest.max_body_bytes" in answer["error"]) == (413, True)
        assert small.answered(413) == 1


async def test_a_body_that_is_large_only_once_unpacked_is_413_too() -> None:
    small = Door(limit=10_000)
    async with small.client:
        status, _ = await small.post(gzip.compress(b" " * 1_000_000), **{"Content-Encoding": "gzip"})
        assert status == 413


@pytest.mark.parametrize("body", [b"this is no gzip", gzip.compress(b"{}")[:-8] + b"damaged!"])
async def test_a_body_that_cannot_be_unpacked_is_400(body: bytes, door: Door) -> None:
    status, answer = await door.post(body, **{"Content-Encoding": "gzip"})
    assert (status, answer) == (400, {"error": "the body could not be decompressed"})
    assert door.producer.sent == []


async def test_when_kafka_fails_the_sender_is_told_to_come_back(door: Door) -> None:
    failed: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    failed.set_exception(KafkaTimeoutError())
    door.producer.answer = lambda _, __: failed
    status, answer = await door.post([event(1), event(2)])
    assert (status, door.headers["Retry-After"]) == (503, "1")
    assert "nothing of this request was acknowledged" in answer["error"]
    assert sample(door.metrics, "tidegate_events_total", outcome="ingested") == 0
    door.producer.answer = lambda _, __: None
    assert await door.post(event(1)) == (202, {"accepted": 1})


def _refuse(_: str, __: bytes) -> None:
    raise KafkaTimeoutError


async def test_when_the_producers_buffer_is_full_the_sender_is_told_to_come_back(door: Door) -> None:
    door.producer.answer = _refuse
    assert (await door.post(event()))[0] == 503


async def test_when_kafka_hangs_the_sender_is_told_to_come_back(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_KAFKA_SECONDS", 0.01)
    door.producer.answer = lambda _, __: asyncio.get_running_loop().create_future()
    assert (await door.post(event()))[0] == 503
    assert door.headers["Retry-After"] == "1"
    assert door.answered(503) == 1


async def test_when_too_many_wait_the_next_is_told_to_come_back(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_MOST_WAITING", 1)
    slow: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    reached = asyncio.Event()

    def hold(_: str, __: bytes) -> asyncio.Future[object]:
        reached.set()
        return slow

    door.producer.answer = hold
    first = asyncio.create_task(door.post(event(1)))
    await reached.wait()
    status, answer = await door.post(event(2))
    assert (status, door.headers["Retry-After"]) == (429, "1")
    assert "waiting" in answer["error"]
    slow.set_result(None)
    assert await first == (202, {"accepted": 1})
    assert await door.post(event(3)) == (202, {"accepted": 1})
