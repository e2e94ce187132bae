"""Export requests are taken as events are, and answered as OTLP asks."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from aiokafka.errors import KafkaTimeoutError
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from streamer.events.decoder import Decoder
from streamer.events.usage import UsageEvent
from streamer.ingest import server
from tests.streamer.events.formats.test_otel import CHAT, request
from tests.streamer.ingest.door import TOPIC, Door, opened
from tests.streamer.samples import NOW

PROTOBUF, JSON = "application/x-protobuf", "application/json"
BAD = {**CHAT, "endTimeUnixNano": "soon"}


class Exporter:
    """A front door over a producer in memory, as an exporter sees it."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.headers: dict[str, str] = {}

    async def post(self, body: bytes, kind: str, **headers: str) -> tuple[int, bytes]:
        named = {"Content-Type": kind, **headers}
        async with self.door.client.post("/v1/traces", data=body, headers=named) as answer:
            assert answer.content_type == kind
            self.headers = dict(answer.headers)
            return answer.status, await answer.read()

    def events(self) -> list[UsageEvent]:
        decoded = [Decoder().decode(value or b"", NOW)[0] for value in self.door.producer.values(TOPIC)]
        return [event for event in decoded if isinstance(event, UsageEvent)]


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "wall", lambda: NOW)


@pytest.fixture
async def exporter() -> AsyncIterator[Exporter]:
    async with opened(max_body_bytes=1 << 18) as door:
        yield Exporter(door)


@pytest.mark.parametrize("packed", [False, True])
async def test_what_an_sdk_sent_in_protobuf_is_taken(exporter: Exporter, payloads: Path, packed: bool) -> None:
    record = (payloads / "otel" / "agent-sdk" / "traces.pb").read_bytes()
    sent = (gzip.compress(record), {"Content-Encoding": "gzip"}) if packed else (record, {})
    status, body = await exporter.post(sent[0], PROTOBUF, **sent[1])
    assert (status, ExportTraceServiceResponse.FromString(body)) == (200, ExportTraceServiceResponse())
    assert [event.kind for event in exporter.events()] == ["llm", "tool", "tool", "llm"]


async def test_what_an_sdk_sent_in_json_is_taken(exporter: Exporter, payloads: Path) -> None:
    record = (payloads / "otel" / "genai-openai-json" / "traces.otlp.json").read_bytes()
    status, body = await exporter.post(record, JSON)
    assert (status, orjson.loads(body)) == (200, {})
    assert len(exporter.events()) == 10


async def test_an_empty_request_is_a_success(exporter: Exporter) -> None:
    assert await exporter.post(b"", PROTOBUF) == (200, b"")
    assert await exporter.post(b'{"resourceSpans": []}', JSON) == (200, b"{}")


async def test_a_refused_span_is_a_partial_success(exporter: Exporter) -> None:
    status, body = await exporter.post(request(CHAT, BAD), JSON)
    partial = orjson.loads(body)["partialSuccess"]
    assert (status, partial["rejectedSpans"]) == (200, "1")
    assert "span 1: wrong_type" in partial["errorMessage"]
    assert len(exporter.events()) == 1


async def test_many_refused_spans_are_counted_and_the_first_are_named(exporter: Exporter) -> None:
    status, body = await exporter.post(request(*[BAD] * 300), JSON)
    partial = orjson.loads(body)["partialSuccess"]
    assert (status, partial["rejectedSpans"]) == (200, "300")
    assert partial["errorMessage"].endswith("and 295 more")


@pytest.mark.parametrize(("body", "kind"), [(b"\xff\xff", PROTOBUF), (b"{", JSON), (b'{"hello": "world"}', JSON)])
async def test_what_is_no_export_request_is_a_bad_request(exporter: Exporter, body: bytes, kind: str) -> None:
    status, answer = await exporter.post(body, kind)
    told = Status.FromString(answer).code if kind == PROTOBUF else orjson.loads(answer)["code"]
    assert (status, told) == (400, 3)


async def test_a_body_over_the_limit_is_refused(exporter: Exporter) -> None:
    status, answer = await exporter.post(b" " * (1 << 19), PROTOBUF)
    assert (status, Status.FromString(answer).code) == (413, 8)


async def test_without_kafka_the_exporter_is_told_to_come_back(exporter: Exporter) -> None:
    def refuse(topic: str, value: bytes) -> None:
        raise KafkaTimeoutError

    exporter.door.producer.answer = refuse
    status, answer = await exporter.post(request(CHAT), JSON)
    assert (status, orjson.loads(answer)["code"]) == (503, 14)
    assert exporter.headers["Retry-After"] == "1"
