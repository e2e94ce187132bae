"""`POST /v1/events`: decodes, tells what is wrong with which item, and answers 202 once Kafka has the rest."""

import asyncio
import ipaddress
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import structlog
from aiohttp import web
from prometheus_client import Counter

from streamer.clock import wall
from streamer.config import Config, IngestConfig
from streamer.events.decoder import Decoded, Decoder, headers_of
from streamer.events.rejected import Rejected
from streamer.events.skipped import Skipped
from streamer.events.usage import UsageEvent
from streamer.garbage import collect_seldom
from streamer.ingest import body, loops, openapi
from streamer.ingest.firehose import Firehose
from streamer.ingest.outbox import Outbox
from streamer.ingest.refused import Refused
from streamer.ingest.tokens import Grant, Tokens
from streamer.ingest.traces import Traces
from streamer.kafka.batches import Batches
from streamer.kafka.connection import writing
from streamer.kafka.stage import Out
from streamer.kafka.topics import Topics, ensure
from streamer.web.metrics import Metrics
from streamer.web.server import operations, serving
from streamer.wiring import decoder_of

log = structlog.get_logger()
# Requests that may be held at once, however small.
_MOST_WAITING = 1000
# Rejected items that an answer names; it counts the others.
_MOST_NAMED = 100
_JSON = {"Content-Type": "application/json"}
_encode = msgspec.json.encode


class FrontDoor:
    """Takes requests in; nothing that was answered with 202 is lost, and nothing of another tenant than allowed taken.

    `decoders` makes the decoder of those whose events belong to the given tenant where they name none.
    """

    def __init__(
        self, config: IngestConfig, decoders: Callable[[str], Decoder], outbox: Outbox, topic: str, metrics: Metrics
    ) -> None:
        self._config, self._outbox, self._topic, self._metrics = config, outbox, topic, metrics
        self._tokens = Tokens(config.tokens)
        self._room = body.Room(config.max_waiting_bytes, _MOST_WAITING)
        self._patience = body.Patience(config.body_seconds)
        self._make, self._decoders = decoders, dict[str, Decoder]()
        # Looked up once: finding a metric by its labels costs more than counting.
        self._answered: dict[int, Counter] = {}
        self._ingested = metrics.events.labels("ingested")

    async def events(self, request: web.Request) -> web.Response:
        """Take one event, a JSON array or NDJSON of any accepted format."""
        try:
            answer = await self._taken(request)
        except Refused as refused:
            answer = _json(refused.status, {"error": refused.why}, refused.headers)
            if refused.hang_up:
                answer.force_close()
        self._count(answer.status)
        return answer

    def stop(self) -> None:
        """Turn away whose body has not come yet, to be sent elsewhere or again; what is on its way to Kafka goes on."""
        self._patience.end()

    def _count(self, status: int) -> None:
        counter = self._answered.get(status)
        if counter is None:
            counter = self._answered[status] = self._metrics.requests.labels(str(status))
        counter.inc()

    async def _taken(self, request: web.Request) -> web.Response:
        grant = self._tokens.grant(_authorization(request.headers))
        if grant is None:
            raise Refused(401, "a bearer token of this front door is needed", {"WWW-Authenticate": "Bearer"})
        with self._room.hold() as held:
            record = await self._body(request, held)
            items = self._items(record, request.headers, grant)
            outs = [Out(self._topic, item.tenant, _encode(item)) for item in items if isinstance(item, UsageEvent)]
            bad = [item for item in items if isinstance(item, Rejected)]
            for item in items:
                if isinstance(item, Skipped):
                    self._metrics.skipped.labels(item.cause).inc()
            del record, items  # while Kafka is waited for, only what it is to have is held
            await self._outbox.send(outs)
        return self._result(len(outs), bad)

    async def _body(self, request: web.Request, held: Callable[[int], None]) -> bytes:
        limit = self._config.max_body_bytes
        if (request.content_length or 0) > limit:
            raise body.too_large()
        packed = await body.read(request.content, limit, self._patience, held)
        encoding = request.headers.get("Content-Encoding")
        if not encoding:
            return packed
        record = body.unpacked(packed, encoding, limit)
        held(len(record))
        return record

    def _items(self, record: bytes, headers: Mapping[str, str], grant: Grant) -> Sequence[Decoded]:
        decoder = self._decoders.get(grant.owner)
        if decoder is None:
            decoder = self._decoders[grant.owner] = self._make(grant.owner)
        # Bytes that are no UTF-8 come as lone surrogates: such a header is left out, as one of Kafka's is.
        given = ((name, value.encode("utf-8", "surrogateescape")) for name, value in headers.items())
        items = decoder.decode(record, wall(), headers_of(list(given)))
        if grant.tenants is None:
            return items
        return [_allowed(item, number, grant) for number, item in enumerate(items)]

    def _result(self, accepted: int, bad: list[Rejected]) -> web.Response:
        self._ingested.inc(accepted)
        if not bad:
            return _json(202, {"accepted": accepted})
        for item in bad:
            self._metrics.rejected.labels(item.reason).inc()
        named = [msgspec.to_builtins(item) for item in bad[:_MOST_NAMED]]
        return _json(422, {"accepted": accepted, "rejected": named, "rejected_in_all": len(bad)})


def _authorization(headers: Mapping[str, str]) -> str:
    """Give what stands for the sender; Amazon's Firehose can give its token in a header of its own alone."""
    given = headers.get("Authorization")
    return f"Bearer {headers.get('X-Amz-Firehose-Access-Key', '')}" if given is None else given


def _allowed(item: Decoded, number: int, grant: Grant) -> Decoded:
    if isinstance(item, UsageEvent) and not grant.allows(item.tenant):
        return Rejected("forbidden_tenant", "the token does not allow events of this tenant", number)
    return item


@asynccontextmanager
async def opened(config: Config, metrics: Metrics) -> AsyncIterator[tuple[FrontDoor, Outbox]]:
    """Connect to Kafka, and give the door while the context lasts."""
    topic = Topics.named(config.kafka.topic_prefix).usage
    async with writing(config.kafka) as producer:
        outbox = Outbox(Batches(producer), config.ingest.kafka_seconds)
        rounds = asyncio.create_task(outbox.run())
        try:
            yield (
                FrontDoor(config.ingest, lambda owner: decoder_of(config, owner=owner), outbox, topic, metrics),
                outbox,
            )
        finally:
            rounds.cancel()
            with suppress(asyncio.CancelledError):
                await rounds


async def _serve(config: Config) -> None:
    metrics, stopped, ingest = Metrics(), asyncio.Event(), config.ingest
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    if not ingest.tokens and not _is_loopback(ingest.host):
        log.warning("anybody who can reach this port may send: no ingest.tokens are configured", host=ingest.host)
    async with opened(config, metrics) as (door, outbox):
        routes = [
            web.post("/v1/events", door.events),
            web.post("/v1/traces", Traces(door.events).post),
            web.post("/v1/firehose", Firehose(door.events).post),
            web.get("/openapi.json", openapi.handler()),
            *operations(metrics, lambda: outbox.trouble),
        ]
        # Bodies are unpacked here, with an eye on how large they become.
        async with serving(routes, ingest.host, ingest.port, auto_decompress=False):
            await stopped.wait()
            door.stop()


def start(config: Config) -> int:
    """Make sure of the topics, then serve until SIGTERM or SIGINT; gives the exit status."""
    asyncio.run(ensure(config.kafka, Topics.named(config.kafka.topic_prefix), {}))
    collect_seldom()
    with asyncio.Runner(loop_factory=loops.factory()) as runner:
        runner.run(_serve(config))
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _json(status: int, answer: dict[str, Any], headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=_encode(answer), headers={**_JSON, **(headers or {})})
