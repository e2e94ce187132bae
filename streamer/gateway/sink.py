"""Usage on its way from a gateway's plug-in to Tidegate, by Kafka or by the front door."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import aiohttp
import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from streamer.config import Config
from streamer.kafka.connection import producer_of
from streamer.kafka.topics import Topics
from streamer.web.metrics import Metrics

log = structlog.get_logger()
_MOST_WAITING, _MOST_AT_ONCE = 10_000, 200
# A batch takes in no more once it has so much: brokers refuse records of more than 1 MB by default.
_ENOUGH_BYTES = 512 << 10
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
_HTTP_SECONDS = 15.0


class Refused(Exception):
    """A batch that nobody will ever take; the message says why, and holds none of it."""


class Way(Protocol):
    """How a batch (a JSON array) gets to Tidegate: returns once it is there.

    Raises Refused, and anything of `_TROUBLE` for what may be tried again.
    """

    async def __call__(self, batch: bytes) -> None:
        """Send it."""


_TROUBLE = (KafkaError, aiohttp.ClientError, OSError, TimeoutError)
Connect = Callable[[Config], AbstractAsyncContextManager[Way]]


@asynccontextmanager
async def connected(config: Config) -> AsyncIterator[Way]:
    """Open the way that the configuration names."""
    if config.gateway.usage == "http":
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_HTTP_SECONDS)) as session:
            yield _Posted(session, config.gateway.usage_url)
    else:
        async with producer_of(config.kafka) as producer:
            yield _Produced(producer, Topics.named(config.kafka.topic_prefix).raw)


class UsageSink:
    """Sends usage in the background, in order, each batch until it is taken; calls never wait for it.

    Past so many waiting events further ones are dropped, and counted: a gateway's memory is not Tidegate's. What fails
    is tried again over a new connection: a producer that had a record refused may never be believed again.
    """

    def __init__(self, config: Config, metrics: Metrics, connect: Connect = connected) -> None:
        self._config, self._metrics, self._connect = config, metrics, connect
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)
        self._batch: list[bytes] = []

    def add(self, payload: dict[str, Any]) -> None:
        """Take in one payload, already stripped; what JSON cannot hold is dropped here, and stops no other."""
        try:
            self._waiting.put_nowait(msgspec.json.encode(payload))
        except (asyncio.QueueFull, TypeError, ValueError) as error:
            if not isinstance(error, asyncio.QueueFull):
                log.error("usage that is no JSON", why=type(error).__name__)
            self._metrics.usage_sent.labels("dropped").inc()

    async def run(self) -> None:
        """Send until cancelled."""
        pause = _FIRST_PAUSE
        while self._config.gateway.usage != "none":
            try:
                async with self._connect(self._config) as way:
                    while True:
                        await self._send(way)
                        pause = _FIRST_PAUSE
            except _TROUBLE as error:
                log.warning("usage is not taken yet", why=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _send(self, way: Way) -> None:
        await self._gather()
        outcome = "sent"
        try:
            await way(b"[" + b",".join(self._batch) + b"]")
        except Refused as why:
            log.error("usage was refused", why=str(why))
            outcome = "dropped"
        self._metrics.usage_sent.labels(outcome).inc(len(self._batch))
        self._batch = []

    async def _gather(self) -> None:
        """Put a batch together, unless there is one that was not taken yet."""
        if self._batch:
            return
        self._batch.append(await self._waiting.get())
        size = len(self._batch[0])
        while not self._waiting.empty() and len(self._batch) < _MOST_AT_ONCE and size < _ENOUGH_BYTES:
            self._batch.append(self._waiting.get_nowait())
            size += len(self._batch[-1])


class _Posted:
    """To the front door; what it takes in part (422) has its good events taken, and its bad ones named there."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def __call__(self, batch: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self._url, data=batch, headers=headers) as answer:
            if 400 <= answer.status < 500 and answer.status not in (422, 429):
                raise Refused(f"status {answer.status}")
            if answer.status != 422:
                answer.raise_for_status()


class _Produced:
    """To the topic of raw records."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer, self._topic = producer, topic

    async def __call__(self, batch: bytes) -> None:
        try:
            await self._producer.send_and_wait(self._topic, batch)
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            raise Refused(f"{len(batch):,} bytes are more than the topic takes") from error
