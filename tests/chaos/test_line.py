"""The line passes bytes, holds them back while it is silent, and breaks connections when it resets."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from streamer.demo.broker import free_port
from tests.chaos.line import Line

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest_asyncio.fixture
async def echo() -> AsyncIterator[str]:
    """A server that says everything again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1000):
            writer.write(chunk)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield "{}:{}".format(*server.sockets[0].getsockname())
    server.close()


@pytest_asyncio.fixture
async def line(echo: str) -> AsyncIterator[Line]:
    with Line(f"127.0.0.1:{free_port()}", echo) as line:
        yield line


async def connected(line: Line) -> Streams:
    host, _, port = line.client.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def say(streams: Streams, words: bytes) -> bytes:
    streams[1].write(words)
    return await asyncio.wait_for(streams[0].read(1000), 0.2)


async def test_bytes_pass_both_ways(line: Line) -> None:
    streams = await connected(line)
    assert await say(streams, b"hello") == b"hello"
    streams[1].close()


async def test_what_is_sent_into_silence_arrives_when_the_line_is_mended(line: Line) -> None:
    old = await connected(line)
    await say(old, b"hello")
    line.cut("silence")
    new = await connected(line)
    for streams in (old, new):
        with pytest.raises(TimeoutError):
            await say(streams, b"is anybody there?")
    line.mend()
    for reader, writer in (old, new):
        assert await asyncio.wait_for(reader.read(1000), 2) == b"is anybody there?"
        writer.close()


async def test_a_reset_breaks_old_and_new_connections_until_the_line_is_mended(line: Line) -> None:
    old = await connected(line)
    await say(old, b"hello")
    line.cut("reset")
    with pytest.raises(ConnectionResetError):
        await say(old, b"hello")
    with pytest.raises(ConnectionResetError):
        await say(await connected(line), b"hello")
    line.mend()
    fresh = await connected(line)
    assert await say(fresh, b"hello") == b"hello"
    fresh[1].close()
