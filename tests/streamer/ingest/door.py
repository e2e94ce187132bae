"""A front door over a producer in memory, served on a port as the process serves it."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import msgspec
import orjson
from aiohttp import web

from streamer.config import Config, IngestConfig
from streamer.ingest.firehose import Firehose
from streamer.ingest.outbox import Outbox
from streamer.ingest.server import FrontDoor
from streamer.ingest.traces import Traces
from streamer.kafka.batches import Batches
from streamer.kafka.stage import Out
from streamer.web.metrics import Metrics
from streamer.web.server import serving
from streamer.wiring import decoder_of
from tests.streamer.kafka.fakes import FakeProducer, sample

TOPIC = "t.usage"
Answer = tuple[int, dict[str, Any]]


class CountedOutbox(Outbox):
    """One that can be waited for until so many more requests have handed in."""

    def __init__(self, batches: Batches, seconds: float) -> None:
        super().__init__(batches, seconds)
        self._arrived = asyncio.Semaphore(0)

    async def send(self, outs: Sequence[Out]) -> None:
        self._arrived.release()
        await super().send(outs)

    async def arrived(self, count: int) -> None:
        for _ in range(count):
            await self._arrived.acquire()


class Door:
    """What senders see of the door, and what Kafka gets."""

    def __init__(self, **settings: Any) -> None:
        self.producer, self.metrics = FakeProducer(), Metrics()
        config = IngestConfig.model_validate(settings)
        self.outbox = CountedOutbox(Batches(cast(Any, self.producer)), config.kafka_seconds)
        self.door = FrontDoor(config, lambda owner: decoder_of(Config(), owner=owner), self.outbox, TOPIC, self.metrics)
        self.client: aiohttp.ClientSession
        self.port = 0
        self.headers: dict[str, str] = {}

    async def post(self, body: object, **headers: str) -> Answer:
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.post("/v1/events", data=io.BytesIO(data), headers=named) as answer:
            self.headers = dict(answer.headers)
            return answer.status, orjson.loads(await answer.read())

    def answered(self, status: int) -> float:
        return sample(self.metrics, "tidegate_ingest_requests_total", status=str(status))

    @property
    def events(self) -> list[dict[str, Any]]:
        return [orjson.loads(value or b"") for value in self.producer.values(TOPIC)]


@asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[Door]:
    """Serve a door with these settings of `[ingest]`."""
    door = Door(**settings)
    rounds = asyncio.create_task(door.outbox.run())
    routes = [
        web.post("/v1/events", door.door.events),
        web.post("/v1/traces", Traces(door.door.events).post),
        web.post("/v1/firehose", Firehose(door.door.events).post),
    ]
    async with (
        serving(routes, "127.0.0.1", 0, auto_decompress=False) as door.port,
        aiohttp.ClientSession(f"http://127.0.0.1:{door.port}") as door.client,
    ):
        yield door
    rounds.cancel()
