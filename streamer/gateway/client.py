"""A gateway's client: the throttle topic in memory, decisions from it, and acknowledgements."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from alerts.throttle.admission import Admission, Decision, Request
from alerts.throttle.command import Ack, Command
from alerts.throttle.gateway import GatewayState
from streamer.clock import utc, wall
from streamer.config import GatewayConfig, KafkaConfig
from streamer.events.rejected import rejected_by
from streamer.kafka.connection import consumer_of, producer_of
from streamer.kafka.topics import Topics
from streamer.web.metrics import Metrics

log = structlog.get_logger()
_POLL_MS = 200
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
_RETRY_AFTER = 5
_OUTAGE = "Tidegate: there is no news of what may go through; try again"


class _Named(msgspec.Struct):
    """What of a bad record is needed to refuse it."""

    id: str


class GatewayClient:
    """Reads the whole throttle topic, then goes on reading; decides at any time from what it knows.

    While Kafka is away it goes by the commands it knows, until they expire by themselves. If that lasts longer than
    `gateway.outage_seconds`, or the topic was not read yet, it then lets all other requests through (outage "open"), or
    refuses every request ("closed"). `heard` is told each command that is news.
    """

    def __init__(
        self,
        kafka: KafkaConfig,
        gateway: GatewayConfig,
        metrics: Metrics | None = None,
        *,
        heard: Callable[[Command], None] = lambda _: None,
        clock: Callable[[], float] = wall,
    ) -> None:
        self._kafka, self._config, self._clock, self._heard = kafka, gateway, clock, heard
        self._metrics = metrics or Metrics()
        self._topics = Topics.named(kafka.topic_prefix)
        self._state = GatewayState(gateway.clock_tolerance_seconds)
        self._acks: asyncio.Queue[tuple[bytes, Ack]] = asyncio.Queue()
        self._seen_at = float("-inf")
        self.name = gateway.name or socket.gethostname()
        self.admission = Admission(self._state)
        #: Set once the topic was read to its end.
        self.caught_up = asyncio.Event()
        self._patient_until: float | None = None

    def decide(self, request: Request) -> Decision:
        """Decide on a request, now; microseconds, and no I/O."""
        now = self._clock()
        if self.why_blind(now) and self._config.outage == "closed":
            self._metrics.admissions.labels("outage").inc()
            return Decision(verdict="outage", allowed=False, reason=_OUTAGE, retry_after=_RETRY_AFTER)
        decision = self.admission.decide(request, now)
        self._metrics.admissions.labels(decision.verdict).inc()
        return decision

    async def read_within(self, seconds: float) -> bool:
        """Wait for the topic to be read, for so many `seconds` from when the first did; False if that was in vain."""
        if self.caught_up.is_set():  # as for all calls but the first: a timeout costs more than a decision
            return True
        if self._patient_until is None:
            self._patient_until = asyncio.get_running_loop().time() + seconds
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._patient_until):
                await self.caught_up.wait()
        return self.caught_up.is_set()

    def why_blind(self, now: float) -> str:
        """Say why there is no news of commands, "" if there is."""
        if not self.caught_up.is_set():
            return "the throttle topic is not read yet"
        away = now - self._seen_at > self._config.outage_seconds
        return f"no news of Kafka for {self._config.outage_seconds:g} s" if away else ""

    async def run(self) -> None:
        """Read and acknowledge until cancelled; what Kafka fails in is begun anew after a pause."""
        pause = _FIRST_PAUSE
        while True:
            began = self._clock()
            try:
                await self._connected()
            except* (KafkaError, OSError, TimeoutError) as errors:
                log.warning("the gateway has lost Kafka", why=[type(error).__name__ for error in errors.exceptions])
            pause = _FIRST_PAUSE if self._clock() - began > _LONGEST_PAUSE else min(pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _connected(self) -> None:
        consumer = consumer_of(self._kafka, self._topics.throttle, auto_offset_reset="earliest")
        async with consumer, producer_of(self._kafka) as producer, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(consumer))
            tasks.create_task(self._check(consumer))
            tasks.create_task(self._speak(producer))

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        """Take in the topic from its start; what was there before is acknowledged once, as it stands at the end."""
        caught_up = False
        while True:
            for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                for record in records:
                    self._take(record, aloud=caught_up)
            if not caught_up and await self._at_end(consumer):
                caught_up = True
                for command in self._state.in_force(self._clock()):
                    self._say(command, "applied")
                self._seen_at = self._clock()
                self.caught_up.set()

    async def _at_end(self, consumer: AIOKafkaConsumer) -> bool:
        partitions = consumer.assignment()
        if not partitions:
            return False
        ends = await consumer.end_offsets(partitions)
        # The embedded broker understates the end until it is asked for records.
        return all(
            [await consumer.position(tp) >= max(end, consumer.last_stable_offset(tp) or 0) for tp, end in ends.items()]
        )

    async def _check(self, consumer: AIOKafkaConsumer) -> None:
        """See whether Kafka answers, for an idle topic and one that is out of reach look alike."""
        while True:
            partitions = consumer.assignment()
            if partitions:
                async with asyncio.timeout(self._config.outage_seconds):
                    await consumer.end_offsets(partitions)
                self._seen_at = self._clock()
            self._metrics.outage.set(bool(self.why_blind(self._clock())))
            self.admission.forget(self._clock())
            await asyncio.sleep(self._config.check_seconds)

    def _take(self, record: Any, *, aloud: bool) -> None:
        key, value = record.key or b"", record.value
        try:
            command = self._state.apply(key.decode(), value, self._clock())
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._refuse(record, error, aloud=aloud)
            return
        if command is None:
            return
        self._heard(command)
        if aloud and command.mode == "enforce":
            self._say(command, "released" if command.action == "release" else "applied")

    def _refuse(self, record: Any, error: Exception, *, aloud: bool) -> None:
        """Pass over what is no command, and say so where it has a name."""
        why = rejected_by(error)
        self._metrics.rejected.labels(why.reason).inc()
        log.warning("not a throttle command", why=why.detail, offset=record.offset)
        try:
            name = msgspec.json.decode(record.value or b"", type=_Named).id
        except (msgspec.MsgspecError, RecursionError):
            return
        if aloud and 0 < len(name) <= 256:
            self._acks.put_nowait((record.key or b"", self._ack(name, "refused", why.detail[:1000])))

    def _say(self, command: Command, state: Any) -> None:
        self._acks.put_nowait((command.scope.key().encode(), self._ack(command.id, state)))

    def _ack(self, command: str, state: Any, detail: str = "") -> Ack:
        return Ack(command=command, gateway=self.name, state=state, at=utc(self._clock()), detail=detail)

    async def _speak(self, producer: AIOKafkaProducer) -> None:
        """Write what is to be acknowledged; what a lost connection takes with it is said again by the next."""
        while True:
            key, ack = await self._acks.get()
            await producer.send_and_wait(self._topics.acks, msgspec.json.encode(ack), key)
