"""`POST /v1/events`: decodes, tells what is wrong with which item, and answers 202 once Kafka has the rest."""

import asyncio
import signal
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from aiohttp import web
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streamer.clock import wall
from streamer.config import Config
from streamer.events.decoder import Decoder
from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent
from streamer.ingest.traces import Traces
from streamer.kafka.connection import producer_of
from streamer.kafka.topics import Topics, ensure
from streamer.web.metrics import Metrics
from streamer.web.server import operations, serving
from streamer.wiring import decoder_of

log = structlog.get_logger()
# Requests that may wait for Kafka at once; further ones are told to come back, before memory fills up.
_MOST_WAITING = 1000
_KAFKA_SECONDS = 10.0


class FrontDoor:
    """Decodes requests and produces their events; nothing that was answered with 202 is lost."""

    def __init__(self, decoder: Decoder, producer: AIOKafkaProducer, topic: str, metrics: Metrics) -> None:
        self._decoder, self._producer, self._topic, self._metrics = decoder, producer, topic, metrics
        self._waiting = 0

    async def events(self, request: web.Request) -> web.Response:
        """Take one event, a JSON array or NDJSON of any accepted format."""
        answer = await self._answer(request)
        self._metrics.requests.labels(str(answer.status)).inc()
        return answer

    async def _answer(self, request: web.Request) -> web.Response:
        if self._waiting >= _MOST_WAITING:
            return _busy(429, "too many requests are waiting for Kafka")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _json(413, {"error": "the body is over the limit (ingest.max_body_bytes)"})
        except web.RequestPayloadError:
            return _json(400, {"error": "the body could not be decompressed"})
        items = self._decoder.decode(body, wall(), {name.lower(): value for name, value in request.headers.items()})
        good = [item for item in items if isinstance(item, UsageEvent)]
        bad = [item for item in items if isinstance(item, Rejected)]
        self._waiting += 1
        try:
            await self._produce(good)
        except (KafkaError, TimeoutError) as error:
            log.warning("Kafka did not take the events", error=repr(error))
            return _busy(503, "Kafka does not answer; nothing of this request was acknowledged")
        finally:
            self._waiting -= 1
        return self._result(good, bad)

    async def _produce(self, events: Sequence[UsageEvent]) -> None:
        async with asyncio.timeout(_KAFKA_SECONDS):
            sent = [
                await self._producer.send(self._topic, msgspec.json.encode(event), event.tenant.encode())
                for event in events
            ]
            await asyncio.gather(*sent)

    def _result(self, good: list[UsageEvent], bad: list[Rejected]) -> web.Response:
        for item in bad:
            self._metrics.rejected.labels(item.reason).inc()
        self._metrics.events.labels("ingested").inc(len(good))
        answer: dict[str, Any] = {"accepted": len(good)}
        if bad:
            answer["rejected"] = [msgspec.to_builtins(item) for item in bad]
        return _json(422 if bad else 202, answer)


async def _serve(config: Config) -> None:
    metrics, stopped = Metrics(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with producer_of(config.kafka) as producer:
        topic = Topics.named(config.kafka.topic_prefix).usage
        door = FrontDoor(decoder_of(config), producer, topic, metrics)
        traces = web.post("/v1/traces", Traces(door.events).post)
        routes = [web.post("/v1/events", door.events), traces, *operations(metrics, lambda: "")]
        limit = config.ingest.max_body_bytes
        async with serving(routes, config.ingest.host, config.ingest.port, client_max_size=limit):
            await stopped.wait()


def start(config: Config) -> int:
    """Make sure of the topics, then serve until SIGTERM or SIGINT; gives the exit status."""
    asyncio.run(ensure(config.kafka, Topics.named(config.kafka.topic_prefix), {}))
    asyncio.run(_serve(config))
    return 0


def _json(status: int, answer: dict[str, Any]) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(answer), content_type="application/json")


def _busy(status: int, why: str) -> web.Response:
    answer = _json(status, {"error": why})
    answer.headers["Retry-After"] = "1"
    return answer
