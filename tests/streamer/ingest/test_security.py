"""What a stranger may try: each of it is answered, costs little, and leaves no secret in a log."""

import asyncio
import contextlib
import gzip
import resource
import time
from collections.abc import AsyncIterator, Callable

import orjson
import pytest
import structlog
import zstandard

from streamer.ingest import server, tokens
from tests.streamer.ingest.door import Door, opened
from tests.streamer.samples import NOW

TOKEN, KEPT = tokens.new(["acme"])
SECOND, _ = tokens.new(["acme"])
EVENT = {"id": "1", "time": "2026-11-22T10:00:00Z", "tenant": "acme"}
MB = 1 << 20


@pytest.fixture
async def door(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setattr(server, "wall", lambda: NOW)
    async with opened() as made:
        yield made


async def raw(door: Door, request: bytes) -> bytes:
    """Send bytes over a connection of its own, and give all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        writer.write(request)
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def posted(body: bytes, *headers: str) -> bytes:
    head = ["POST /v1/events HTTP/1.1", "Host: door", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    "request_",
    [
        posted(b"{}", "X-One: a\rX-Two: b"),
        posted(b"{}", "X-Nul: a\0b"),
        posted(b"{}", f"Authorization: Bearer {SECOND}\x7f"),
        posted(b"{}", "Bad Name: a"),
        posted(b"{}", "Transfer-Encoding: chunked"),  # smuggling: two lengths
        posted(b"{}", "Content-Length: 3"),
        posted(b"{}", f"X-Long: {'a' * 20_000}"),
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: door\r\n\r\n",
        b"no HTTP at all\r\n\r\n",
    ],
)
async def test_a_head_that_is_none_is_400_and_its_secrets_are_in_no_log(
    request_: bytes, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    secret = posted(b"", f"Authorization: Bearer {TOKEN}").partition(b"\r\n\r\n")[0].rpartition(b"\r\n")[2]
    head, _, rest = request_.partition(b"\r\n")
    answer = await raw(door, head + b"\r\n" + secret + b"\r\n" + rest)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert TOKEN.encode() not in answer
    assert TOKEN not in caplog.text
    assert SECOND not in caplog.text
    assert door.producer.sent == []


@pytest.mark.parametrize(
    "cut",
    [
        posted(orjson.dumps(EVENT) + b"\n" + orjson.dumps(EVENT))[:-1],
        posted(orjson.dumps(EVENT) + b"\n" * 20)[:-5],
        b"POST /v1/events HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n38\r\n%s\r\n"
        % orjson.dumps(EVENT),
    ],
)
async def test_a_body_that_ends_too_soon_is_not_taken_for_the_whole(cut: bytes, door: Door) -> None:
    """Also where what came of it could be read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(cut)
    writer.write_eof()
    async with asyncio.timeout(10):
        assert b" 202 " not in await reader.read()
    writer.close()
    assert door.producer.sent == []
    assert (await door.post(EVENT))[0] == 202


async def test_line_breaks_in_a_cloud_events_header_end_in_its_field_and_nowhere_else(door: Door) -> None:
    attributes = {"specversion": "1.0", "id": "a%0d%0aSet-Cookie: x", "source": "s", "type": "t"}
    headers = {f"ce-{name}": value for name, value in attributes.items()} | {"ce-time": EVENT["time"]}
    assert await door.post({"tenant": "acme"}, **headers) == (202, {"accepted": 1})
    assert "Set-Cookie" not in door.headers
    assert door.events[0]["id"] == "a\r\nSet-Cookie: x"


async def test_a_cloud_events_header_that_is_not_utf_8_is_left_out(door: Door) -> None:
    said = ("ce-specversion: 1.0", "ce-id: 1", "ce-source: s", "ce-type: t", f"ce-time: {EVENT['time']}")
    sent = posted(b"{}", "Content-Type: application/json", *said, "ce-tenant: J?rg").replace(b"J?rg", b"J\xf6rg")
    answer = await raw(door, sent)
    assert answer.startswith(b"HTTP/1.1 422")
    assert b"missing_tenant" in answer


@pytest.mark.parametrize(
    ("field", "number", "reason"),
    [
        ("input_tokens", "9" * 5000, "impossible_count"),
        ("input_tokens", "1e400", "wrong_type"),
        ("input_tokens", "-1", "negative_count"),
        ("output_tokens", str(2**53 + 1), "impossible_count"),
        ("quantity", '"1e999999999"', "negative_count"),
        ("quantity", '"NaN"', "negative_count"),
        ("cost_usd", '"1e999999999"', "wrong_type"),
        ("cost_usd", '"-Infinity"', "wrong_type"),
        ("cost_usd", "1e308", "wrong_type"),
    ],
)
async def test_huge_numbers_are_rejected_at_once(field: str, number: str, reason: str, door: Door) -> None:
    began = time.process_time()
    body = orjson.dumps(EVENT)[:-1] + f', "{field}": {number}}}'.encode()
    status, answer = await door.post(body)
    assert (status, answer["rejected"][0]["reason"]) in {(422, reason), (422, "undecodable")}
    assert number[:20] not in str(answer) or len(number) < 20
    assert time.process_time() - began < 1


async def test_tiny_amounts_are_taken_and_cost_nothing(door: Door) -> None:
    body = orjson.dumps({**EVENT, "quantity": "1e-999999999", "cost_usd": "1e-999999999"})
    assert (await door.post(body))[0] == 202


@pytest.mark.parametrize(
    "body",
    [
        b"[" * MB,
        b"[" * 500 + b"]" * 500,
        b'{"tags":' * 200_000,
        b'{"id": "1", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'[{"id": "1", "x": ' + b'{"x":' * 100_000,
        b"[" + b"1," * (3 * MB) + b"1]",
        b"[" + b"{}," * MB + b"{}]",
        b"1\n" * MB,
        b'"' + b"a" * (8 * MB - 10) + b'"',
        b"\x00" * MB,
    ],
)
async def test_bodies_made_to_cost_are_answered_soon(body: bytes, door: Door) -> None:
    began = time.process_time()
    status, answer = await door.post(body)
    assert status == 422
    assert len(orjson.dumps(answer)) < 50_000
    assert time.process_time() - began < 3
    assert door.producer.sent == []


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
async def test_a_bomb_in_a_bomb_is_stopped_at_the_limit(pack: Callable[[bytes], bytes], door: Door) -> None:
    """The door unpacks what the header says, and the decoder what it finds in that; nobody unpacks a third time."""
    inner = pack(bytes(64 * MB))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status, answer = await door.post(gzip.compress(inner), Content_Encoding="gzip")
    assert (status, answer["rejected"][0]["reason"]) == (422, "too_large")
    assert (await door.post(gzip.compress(gzip.compress(inner)), Content_Encoding="gzip"))[0] == 422
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    assert door.producer.sent == []


@pytest.mark.parametrize("first", ["acme", "beta"])
@pytest.mark.parametrize("shape", ['{"id": "1", "time": "2026-11-22T10:00:00Z", %s}', '[%s, {"tenant": "acme"}]', None])
async def test_a_name_that_comes_twice_carries_nothing_past_a_token(
    shape: str | None, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the two is read, it is the one that is checked, and the one that is on the topic."""
    monkeypatch.setattr(server, "wall", lambda: NOW)
    second = "beta" if first == "acme" else "acme"
    names = f'"tenant": "{first}", "tenant": "{second}"'
    one = '{"id": "1", "time": "2026-11-22T10:00:00Z", ' + names + "}"
    cloud = f'{{"specversion": "1.0", "type": "t", "source": "s", {one[1:-1]}, "data": {{{names}}}}}'
    body = cloud if shape is None else shape % (one if shape[0] == "[" else names)
    async with opened(tokens=[KEPT.model_dump()]) as door:
        status, _ = await door.post(body.encode(), Authorization=f"Bearer {TOKEN}")
        assert status in (202, 422)
        assert {event["tenant"] for event in door.events} <= {"acme"}
        assert {key for _, _, key in door.producer.sent} <= {b"acme"}


@pytest.mark.parametrize(
    "broken", [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\\ud800"]
)
async def test_text_that_is_not_utf_8_is_rejected_and_not_repaired(broken: bytes, door: Door) -> None:
    whole = orjson.dumps({**EVENT, "model": "@", "tags": {"a": "b"}})
    for body in (whole.replace(b"@", broken), b"[" + whole.replace(b"@", broken) + b"]", broken):
        status, answer = await door.post(body)
        assert (status, answer["accepted"]) == (422, 0)
    line = orjson.dumps(EVENT)
    assert (await door.post(line + b"\n" + whole.replace(b"@", broken) + b"\n" + line))[1]["accepted"] == 2


async def test_other_paths_and_methods_are_no_way_in(door: Door) -> None:
    for method, path, status in (("GET", "/v1/events", 405), ("PUT", "/v1/events", 405), ("POST", "/v1/../x", 404)):
        async with door.client.request(method, path) as answer:
            assert answer.status == status


async def test_no_token_is_ever_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a good one nor one with a mistake in it, where Kafka fails and where all goes well."""
    secret = TOKEN.rpartition("_")[2]
    with structlog.testing.capture_logs() as logged:
        async with opened(tokens=[KEPT.model_dump()]) as door:
            for token in (TOKEN, f"{TOKEN}x", TOKEN[:-1]):
                await door.post([EVENT, {"tenant": TOKEN}], Authorization=f"Bearer {token}")
            door.producer.answer = lambda _, __: 1 / 0  # type: ignore[return-value,assignment]
            assert (await door.post(EVENT, Authorization=f"Bearer {TOKEN}"))[0] == 503
    assert logged
    assert secret not in str(logged)
    assert secret not in caplog.text
