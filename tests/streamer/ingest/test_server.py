"""The front door answers 202 only for what Kafka has, and names what is wrong with the rest."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import msgspec
import orjson
import pytest
import zstandard
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from streamer.clock import utc
from streamer.ingest import server
from tests.streamer.ingest.door import TOPIC, Door, opened
from tests.streamer.kafka.fakes import sample
from tests.streamer.samples import NOW, event


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "wall", lambda: NOW)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with opened() as made:
        yield made


async def test_what_kafka_has_is_answered_with_202(door: Door) -> None:
    assert await door.post([event(1), event(2, tenant="beta")]) == (202, {"accepted": 2})
    assert {(topic, key) for topic, _, key in door.producer.sent} == {(TOPIC, b"acme"), (TOPIC, b"beta")}
    assert msgspec.json.decode(door.producer.sent[0][1] or b"", type=type(event())) == event(1)
    assert door.answered(202) == 1
    assert sample(door.metrics, "tidegate_events_total", outcome="ingested") == 2


@pytest.mark.parametrize("body", [msgspec.json.encode(event()), msgspec.json.encode(event()) + b"\n"])
async def test_a_single_event_needs_no_array(body: bytes, door: Door) -> None:
    assert await door.post(body) == (202, {"accepted": 1})


async def test_ndjson_gzip_and_zstd_are_taken(door: Door) -> None:
    body = b"\n".join(msgspec.json.encode(event(number)) for number in range(3))
    assert await door.post(body) == (202, {"accepted": 3})
    assert await door.post(gzip.compress(body), Content_Encoding="gzip") == (202, {"accepted": 3})
    assert await door.post(zstandard.compress(body), Content_Encoding="zstd") == (202, {"accepted": 3})
    assert [one["id"] for one in door.events] == ["0", "1", "2"] * 3


async def test_a_cloud_event_may_be_told_by_headers_alone(door: Door) -> None:
    headers = {"specversion": "1.0", "id": "7", "source": "s", "type": "x", "time": utc(NOW).isoformat()}
    named = {f"ce-{name}": value for name, value in headers.items()}
    status, _ = await door.post(b'{"tenant": "acme", "model": "m"}', **named, Content_Type="application/json")
    assert status == 202
    assert door.events[0]["id"] == "7"


async def test_a_bad_item_is_named_and_the_good_ones_are_taken(door: Door) -> None:
    bad = {**msgspec.to_builtins(event(2)), "steps": -1}
    status, answer = await door.post([msgspec.to_builtins(event(1)), bad, msgspec.to_builtins(event(3))])
    assert (status, answer["accepted"], answer["rejected_in_all"]) == (422, 2, 1)
    (rejected,) = answer["rejected"]
    assert (rejected["item"], rejected["reason"]) == (1, "negative_count")
    assert len(door.producer.sent) == 2
    assert sample(door.metrics, "tidegate_rejected_total", reason="negative_count") == 1


async def test_an_answer_names_a_hundred_bad_items_and_counts_the_others(door: Door) -> None:
    status, answer = await door.post([{"tenant": "acme"}] * 150 + [event()])
    assert (status, answer["accepted"], len(answer["rejected"]), answer["rejected_in_all"]) == (422, 1, 100, 150)


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"[1]", b"\xff"])
async def test_what_is_no_event_is_422_and_no_record(body: bytes, door: Door) -> None:
    status, answer = await door.post(body)
    assert (status, answer["accepted"]) == (422, 0)
    assert door.producer.sent == []


async def test_an_event_far_in_the_future_of_this_clock_is_refused(door: Door) -> None:
    status, answer = await door.post(event(seconds=400))
    assert (status, answer["rejected"][0]["reason"]) == (422, "impossible_time")


async def test_a_body_over_the_limit_is_413_whether_it_says_its_length_or_not() -> None:
    async with opened(max_body_bytes=100) as small:
        status, answer = await small.post([event(n) for n in range(10)])
        assert (status, "ingest.max_body_bytes" in answer["error"]) == (413, True)

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(5):
                yield b" " * 30

        async with small.client.post("/v1/events", data=pieces()) as unknown:
            assert unknown.status == 413
        assert small.answered(413) == 2


async def test_an_encoding_that_nobody_knows_is_415_and_says_which_are_known(door: Door) -> None:
    assert (await door.post(b"{}", Content_Encoding="br"))[0] == 415
    assert door.headers["Accept-Encoding"] == "gzip, zstd"


async def test_a_body_that_does_not_come_in_time_is_408_and_the_connection_is_closed() -> None:
    answered = asyncio.Event()

    async def never_all() -> AsyncIterator[bytes]:
        yield b"["
        await answered.wait()

    async with opened(body_seconds=0.05) as door:
        async with door.client.post("/v1/events", data=never_all()) as answer:
            assert (answer.status, answer.headers["Connection"]) == (408, "close")
            answered.set()
        assert await door.post(event()) == (202, {"accepted": 1})


async def test_who_still_sends_when_the_door_stops_is_told_to_come_again() -> None:
    """At once, and not after all the time that a body may take, as if the sender had been too slow."""
    answered = asyncio.Event()

    async with opened(body_seconds=3600) as door:

        async def never_all() -> AsyncIterator[bytes]:
            yield b"["
            door.door.stop()
            await answered.wait()

        async with door.client.post("/v1/events", data=never_all()) as answer:
            assert (answer.status, answer.headers["Retry-After"], answer.headers["Connection"]) == (503, "1", "close")
            answered.set()


async def test_when_kafka_fails_the_sender_is_told_to_come_back(door: Door) -> None:
    failed: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    failed.set_exception(KafkaTimeoutError())
    door.producer.answer = lambda _, __: failed
    status, answer = await door.post([event(1), event(2)])
    assert (status, door.headers["Retry-After"]) == (503, "1")
    assert "nothing of this request was acknowledged" in answer["error"]
    assert sample(door.metrics, "tidegate_events_total", outcome="ingested") == 0
    assert door.outbox.trouble
    door.producer.answer = lambda _, __: None
    assert await door.post(event(1)) == (202, {"accepted": 1})
    assert not door.outbox.trouble


def _refuse(_: str, __: bytes) -> None:
    raise KafkaTimeoutError


async def test_when_the_producers_buffer_is_full_the_sender_is_told_to_come_back(door: Door) -> None:
    door.producer.answer = _refuse
    assert (await door.post(event()))[0] == 503


def _break(_: str, __: bytes) -> None:
    raise ZeroDivisionError


async def test_an_error_of_ours_loses_nothing_and_ends_nothing(door: Door) -> None:
    door.producer.answer = _break
    assert (await door.post(event()))[0] == 503
    door.producer.answer = lambda _, __: None
    assert (await door.post(event()))[0] == 202


async def test_when_kafka_hangs_the_sender_is_told_to_come_back() -> None:
    async with opened(kafka_seconds=0.01) as door:
        door.producer.answer = lambda _, __: asyncio.get_running_loop().create_future()
        assert (await door.post(event()))[0] == 503
        assert door.headers["Retry-After"] == "1"
        assert door.answered(503) == 1


class Held:
    """Kafka's answer to all that is sent, held back."""

    def __init__(self, door: Door) -> None:
        self.reached = asyncio.Event()
        self.slow: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        door.producer.answer = self.hold

    def hold(self, _: str, __: bytes) -> asyncio.Future[object]:
        self.reached.set()
        return self.slow


async def test_when_too_many_wait_the_next_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_MOST_WAITING", 1)
    async with opened() as door:
        held = Held(door)
        first = asyncio.create_task(door.post(event(1)))
        await held.reached.wait()
        status, answer = await door.post(event(2))
        assert (status, door.headers["Retry-After"]) == (429, "1")
        assert "waiting" in answer["error"]
        held.slow.set_result(None)
        assert await first == (202, {"accepted": 1})
        assert await door.post(event(3)) == (202, {"accepted": 1})


async def test_when_what_waits_is_large_the_next_is_told_to_come_back() -> None:
    one = msgspec.json.encode(event(1))
    async with opened(max_waiting_bytes=len(one) + 10) as door:
        held = Held(door)
        first = asyncio.create_task(door.post(one))
        await held.reached.wait()
        status, answer = await door.post(one)
        assert (status, "max_waiting_bytes" in answer["error"]) == (429, True)
        held.slow.set_result(None)
        assert await first == (202, {"accepted": 1})
        assert (await door.post(one))[0] == 202


async def test_requests_that_come_while_kafka_acknowledges_are_sent_together(door: Door) -> None:
    held = Held(door)
    first = asyncio.create_task(door.post(event(0)))
    await held.reached.wait()
    others = [asyncio.create_task(door.post(event(number))) for number in range(1, 6)]
    await door.outbox.arrived(6)
    held.slow.set_result(None)
    assert await asyncio.gather(first, *others) == [(202, {"accepted": 1})] * 6
    assert len(door.producer.sent) == 6


async def test_an_event_too_large_for_kafka_harms_nobody_who_was_sent_with_it(door: Door) -> None:
    held = Held(door)
    first = asyncio.create_task(door.post(event(0)))
    await held.reached.wait()
    large = asyncio.create_task(door.post(event(1, tenant="large")))
    good = asyncio.create_task(door.post(event(2)))
    await door.outbox.arrived(3)

    def answer(_: str, key: bytes) -> None:
        if key == b"large":
            raise MessageSizeTooLargeError

    door.producer.answer = answer
    held.slow.set_result(None)
    assert [(await one)[0] for one in (first, large, good)] == [202, 413, 202]


async def test_what_was_refused_is_not_named_as_taken(door: Door) -> None:
    """Good and bad items, and no Kafka: the sender comes again with all of it."""
    door.producer.answer = _refuse
    status, answer = await door.post([orjson.loads(msgspec.json.encode(event(1))), 1])
    assert (status, "accepted" in answer) == (503, False)
