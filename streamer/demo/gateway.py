"""The demo's gateway: obeys the throttle topic for every request, and says so on the topic of acknowledgements."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaProducer

from alerts.throttle.command import Ack, Command, CommandScope
from alerts.throttle.gateway import GatewayState
from streamer.clock import utc, wall
from streamer.config import KafkaConfig
from streamer.kafka.connection import aiokafka_settings, consumer_of
from streamer.kafka.topics import Topics

log = structlog.get_logger()
NAME = "demo-gateway"


class Admission:
    """Decides on requests by the commands in force; a rate limit is a token bucket that holds a second's requests."""

    def __init__(self, state: GatewayState) -> None:
        self._state = state
        self._buckets: dict[str, tuple[float, float]] = {}
        self.refused: Counter[str] = Counter()

    def admits(self, event: Mapping[str, Any], now: float) -> bool:
        """Tell whether the request behind `event` goes through at `now` (epoch seconds)."""
        command = self._state.command_for(_scope(event), now)
        if command is None or self._within(command, now):
            return True
        self.refused[command.scope.key()] += 1
        return False

    def _within(self, command: Command, now: float) -> bool:
        if command.action != "limit_rate":
            return command.action != "pause"
        per_second = int(command.params.get("requests_per_minute", 0)) / 60
        key, most = command.scope.key(), max(per_second, 1.0)
        tokens, since = self._buckets.get(key, (most, now))
        tokens = min(most, tokens + (now - since) * per_second)
        self._buckets[key] = (tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1


class Gateway:
    """Reads the whole throttle topic, then goes on reading; acknowledges each command that is news."""

    def __init__(self, kafka: KafkaConfig, topics: Topics, heard: Callable[[Command], None]) -> None:
        self._kafka, self._topics, self._heard = kafka, topics, heard
        self._state = GatewayState()
        self.admission = Admission(self._state)

    async def run(self) -> None:
        """Obey until cancelled."""
        settings = aiokafka_settings(self._kafka)
        consumer = consumer_of(self._kafka, self._topics.throttle, auto_offset_reset="earliest")
        async with consumer, AIOKafkaProducer(**settings) as producer:
            async for record in consumer:
                await self._obey(record, producer)

    async def _obey(self, record: Any, producer: AIOKafkaProducer) -> None:
        try:
            command = self._state.apply((record.key or b"").decode(), record.value)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("not a throttle command", error=str(error), offset=record.offset)
            return
        if command is not None:
            self._heard(command)
            released = command.action == "release"
            ack = Ack(command=command.id, gateway=NAME, state="released" if released else "applied", at=utc(wall()))
            await producer.send_and_wait(self._topics.acks, msgspec.json.encode(ack), command.scope.key().encode())


def _scope(event: Mapping[str, Any]) -> CommandScope:
    return CommandScope(**{name: event.get(name, "") for name in CommandScope.__struct_fields__})
