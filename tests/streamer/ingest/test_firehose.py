"""Deliveries of Amazon Data Firehose are taken as events are, and answered as Firehose asks."""

import base64
import gzip
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiokafka.errors import KafkaTimeoutError

from streamer.ingest import server, tokens
from tests.streamer.events.formats.test_bedrock import LOG
from tests.streamer.ingest.door import Door, opened
from tests.streamer.samples import NOW

EVENT = {"id": "1", "time": "2026-11-22T10:00:00Z", "tenant": "acme"}
REQUEST = "ed4acda5-034f-9f42-bba1-f29aea6d7d8f"


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "wall", lambda: NOW)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with opened(max_body_bytes=1 << 18) as made:
        yield made


def logged(*request_ids: str) -> bytes:
    """What a subscription of CloudWatch's sends: packed, a log in each event's text."""
    messages = [orjson.dumps({**LOG, "requestId": one}).decode() for one in request_ids]
    group = {"messageType": "DATA_MESSAGE", "logGroup": "g", "logStream": "s", "owner": "1"}
    events = [{"id": "1", "timestamp": 1, "message": message} for message in messages]
    return gzip.compress(orjson.dumps({**group, "logEvents": events}))


def delivery(*records: bytes) -> bytes:
    data = [{"data": base64.b64encode(record).decode()} for record in records]
    return orjson.dumps({"requestId": REQUEST, "timestamp": 1795348800000, "records": data})


async def deliver(door: Door, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    named = {"Content-Type": "application/json", "X-Amz-Firehose-Request-Id": REQUEST}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with door.client.post("/v1/firehose", data=body, headers=named) as answer:
        assert answer.content_type == "application/json"
        door.headers = dict(answer.headers)
        return answer.status, orjson.loads(await answer.read())


@pytest.mark.parametrize("packed", [False, True])
async def test_logs_of_cloudwatch_and_plain_records_are_taken(door: Door, packed: bool) -> None:
    body = delivery(logged("a", "b"), orjson.dumps(EVENT) + b"\n" + orjson.dumps({**EVENT, "id": "2"}), logged("c"))
    sent = (gzip.compress(body, mtime=0), {"Content_Encoding": "gzip"}) if packed else (body, {})
    status, answer = await deliver(door, sent[0], **sent[1])
    assert (status, answer["requestId"], answer.keys()) == (200, REQUEST, {"requestId", "timestamp"})
    assert isinstance(answer["timestamp"], int)
    assert sorted(event["id"] for event in door.events) == ["1", "2", "a", "b", "c"]


async def test_cloudwatch_asks_whether_anybody_is_there(door: Door) -> None:
    control = {"messageType": "CONTROL_MESSAGE", "logGroup": "", "logEvents": [{"message": "health"}]}
    assert (await deliver(door, delivery(gzip.compress(orjson.dumps(control)))))[0] == 200
    assert door.events == []


@pytest.mark.parametrize(
    "bad", [b"no record", gzip.compress(b"{}", mtime=0)[:-3], orjson.dumps({**EVENT, "input_tokens": -1}), b""]
)
async def test_what_is_rejected_is_told_so_that_firehose_keeps_it_and_the_rest_is_taken(door: Door, bad: bytes) -> None:
    status, answer = await deliver(door, delivery(orjson.dumps(EVENT), bad, logged("a")))
    assert (status, answer["requestId"]) == (400, REQUEST)
    assert answer["errorMessage"].startswith("item 1: ")
    assert [event["id"] for event in door.events] == ["1", "a"]


async def test_a_bomb_in_a_record_is_stopped_at_the_limit(door: Door) -> None:
    bomb = gzip.compress(bytes(1 << 26))
    assert (await deliver(door, delivery(orjson.dumps(EVENT), bomb)))[0] == 400
    inner = base64.b64encode(delivery(orjson.dumps(EVENT)))
    assert (await deliver(door, orjson.dumps({"awslogs": {"data": inner.decode()}})))[0] == 400
    assert door.events == []


async def test_without_kafka_firehose_is_to_come_again(door: Door) -> None:
    door.producer.answer = lambda *_: KafkaTimeoutError()
    status, answer = await deliver(door, delivery(logged("a")))
    assert (status, answer["requestId"], door.headers["Retry-After"]) == (503, REQUEST, "1")


async def test_the_access_key_is_the_token() -> None:
    token, kept = tokens.new(["123456789012"])
    async with opened(tokens=[kept.model_dump()]) as door:
        assert (await deliver(door, delivery(logged("a"))))[0] == 401
        assert (await deliver(door, delivery(logged("a")), X_Amz_Firehose_Access_Key="no token"))[0] == 401
        assert (await deliver(door, delivery(logged("a")), X_Amz_Firehose_Access_Key=token))[0] == 200
        assert (await deliver(door, delivery(orjson.dumps(EVENT)), X_Amz_Firehose_Access_Key=token))[0] == 400
        assert [event["tenant"] for event in door.events] == ["123456789012"]


async def test_a_function_that_cloudwatch_calls_may_pass_on_what_it_was_given(door: Door) -> None:
    given = {"awslogs": {"data": base64.b64encode(logged("a")).decode()}}
    assert await door.post(given) == (202, {"accepted": 1})
