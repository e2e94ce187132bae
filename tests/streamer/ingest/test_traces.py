"""Export requests are taken as events are, and answered as OTLP asks."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiokafka.errors import KafkaTimeoutError
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from streamer.events.decoder import Decoder
from streamer.events.usage import UsageEvent
from streamer.ingest import server
from streamer.ingest.server import FrontDoor
from streamer.ingest.traces import Traces
from streamer.web.metrics import Metrics
from tests.streamer.events.formats.test_otel import CHAT, request
from tests.streamer.kafka.fakes import FakeProducer
from tests.streamer.samples import NOW

PROTOBUF, JSON = "application/x-protobuf", "application/json"
BAD = {**CHAT, "endTimeUnixNano": "soon"}


class Door:
    """A front door over a producer in memory, as an exporter sees it."""

    def __init__(self) -> None:
        self.producer = FakeProducer()
        door = FrontDoor(Decoder(), cast(Any, self.producer), "usage", Metrics())
        app = web.Application(client_max_size=1 << 18)
        app.router.add_post("/v1/traces", Traces(door.events).post)
        self.client = TestClient(TestServer(app))
        self.headers: dict[str, str] = {}

    async def post(self, body: bytes, kind: str, **headers: str) -> tuple[int, bytes]:
        async with self.client.post("/v1/traces", data=body, headers={"Content-Type": kind, **headers}) as answer:
            assert answer.content_type == kind
            self.headers = dict(answer.headers)
            return answer.status, await answer.read()

    def events(self) -> list[UsageEvent]:
        decoded = [Decoder().decode(value or b"", NOW)[0] for value in self.producer.values("usage")]
        return [event for event in decoded if isinstance(event, UsageEvent)]


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "wall", lambda: NOW)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made = Door()
    async with made.client:
        yield made


@pytest.mark.parametrize("packed", [False, True])
async def test_what_an_sdk_sent_in_protobuf_is_taken(door: Door, payloads: Path, packed: bool) -> None:
    record = (payloads / "otel" / "agent-sdk" / "traces.pb").read_bytes()
    sent = (gzip.compress(record), {"Content-Encoding": "gzip"}) if packed else (record, {})
    status, body = await door.post(sent[0], PROTOBUF, **sent[1])
    assert (status, ExportTraceServiceResponse.FromString(body)) == (200, ExportTraceServiceResponse())
    assert [event.kind for event in door.events()] == ["llm", "tool", "tool", "llm"]


async def test_what_an_sdk_sent_in_json_is_taken(door: Door, payloads: Path) -> None:
    record = (payloads / "otel" / "genai-openai-json" / "traces.otlp.json").read_bytes()
    status, body = await door.post(record, JSON)
    assert (status, orjson.loads(body)) == (200, {})
    assert len(door.events()) == 10


async def test_an_empty_request_is_a_success(door: Door) -> None:
    assert await door.post(b"", PROTOBUF) == (200, b"")
    assert await door.post(b'{"resourceSpans": []}', JSON) == (200, b"{}")


async def test_a_refused_span_is_a_partial_success(door: Door) -> None:
    status, body = await door.post(request(CHAT, BAD), JSON)
    partial = orjson.loads(body)["partialSuccess"]
    assert (status, partial["rejectedSpans"]) == (200, "1")
    assert "span 1: wrong_type" in partial["errorMessage"]
    assert len(door.events()) == 1


async def test_many_refused_spans_are_counted_and_the_first_are_named(door: Door) -> None:
    status, body = await door.post(request(*[BAD] * 30), JSON)
    partial = orjson.loads(body)["partialSuccess"]
    assert (status, partial["rejectedSpans"]) == (200, "30")
    assert partial["errorMessage"].endswith("and 25 more")


@pytest.mark.parametrize(("body", "kind"), [(b"\xff\xff", PROTOBUF), (b"{", JSON), (b'{"hello": "world"}', JSON)])
async def test_what_is_no_export_request_is_a_bad_request(door: Door, body: bytes, kind: str) -> None:
    status, answer = await door.post(body, kind)
    told = Status.FromString(answer).code if kind == PROTOBUF else orjson.loads(answer)["code"]
    assert (status, told) == (400, 3)


async def test_a_body_over_the_limit_is_refused(door: Door) -> None:
    status, answer = await door.post(b" " * (1 << 19), PROTOBUF)
    assert (status, Status.FromString(answer).code) == (413, 8)


async def test_without_kafka_the_exporter_is_told_to_come_back(door: Door) -> None:
    def refuse(topic: str, value: bytes) -> None:
        raise KafkaTimeoutError

    door.producer.answer = refuse
    status, answer = await door.post(request(CHAT), JSON)
    assert (status, orjson.loads(answer)["code"]) == (503, 14)
    assert door.headers["Retry-After"] == "1"
