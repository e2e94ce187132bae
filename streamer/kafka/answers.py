"""People's answers from Slack to the topic of feedback, whichever way they came."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from alerts.receiver import DeliveryFailed
from alerts.slack.answers import Answer, Unusable, answer_of
from alerts.slack.app import SlackApp
from alerts.slack.dialog import Asked, Mistaken, answer_of_view, asked_of, is_submitted, view_of
from streamer.clock import utc, wall
from streamer.config import KafkaConfig, TrustConfig
from streamer.feedback import Feedback
from streamer.kafka.connection import producer_of
from streamer.web.metrics import Metrics

log = structlog.get_logger()
# Whether an incident is open, over while a command of it is held yet, over (or forgotten), or known to another worker.
Standing = Literal["open", "held", "over", "elsewhere"]
# Slack gives three seconds.
_LONGEST = 2.5
_MOST_HEARD = 10_000
_OVER = "This incident is over, or nobody knows it any more. Nothing was changed."
_NOT_ALLOWED = "You are none of those who may answer. Nothing was changed."


class Answers:
    """Writes each answer once. Use as an async context manager.

    What is heard again (a double click, a repeat of Slack's) is dropped here where it comes to the same process, and by
    its id where it does not. Whoever may not answer by `trust` is told so; who reads the topic sees to it.
    """

    def __init__(
        self,
        kafka: KafkaConfig,
        topic: str,
        app: SlackApp,
        metrics: Metrics,
        standing: Callable[[str], Standing],
        *,
        trust: TrustConfig,
    ) -> None:
        self._kafka, self._topic, self._app, self._metrics, self._standing = kafka, topic, app, metrics, standing
        self._trust = trust
        self._heard: OrderedDict[str, asyncio.Future[bool]] = OrderedDict()
        self._producer: AIOKafkaProducer
        self._whispers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Answers":
        self._producer = producer_of(self._kafka)
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for whisper in self._whispers:
            whisper.cancel()
        await self._producer.stop()

    async def take(self, payload: Mapping[str, Any]) -> bool:
        """Take in what was pressed or entered, and return when the broker has it; False where it is to be said again.

        Whoever wants to name a date is asked for it. Raises Mistaken for one that cannot be used.
        """
        try:
            if not is_submitted(payload) and (asked := asked_of(payload)):
                return await self._asked(asked)
            answer = answer_of_view(payload, utc(wall())) if is_submitted(payload) else answer_of(payload)
        except Unusable as why:
            self._count("unusable")
            log.warning("not an answer", why=str(why))
            return True
        if answer.id in self._heard:
            self._count("repeated")
            return await asyncio.shield(self._heard[answer.id])
        if self._is_over(answer):
            self._count("over")
            if is_submitted(payload):
                raise Mistaken(_OVER)
            self._whisper(answer, _OVER)
            return True
        return await self._first(answer)

    def _is_over(self, answer: Answer) -> bool:
        """Tell whether an answer comes too late; what is held may be let go."""
        standing = self._standing(answer.incident)
        return standing == "over" or (standing == "held" and answer.verdict != "release")

    async def _asked(self, asked: Asked) -> bool:
        try:
            async with asyncio.timeout(_LONGEST):
                await self._app.ask(asked.trigger, view_of(asked, utc(wall())))
        except (DeliveryFailed, TimeoutError) as error:
            self._count("failed")
            log.warning("not asked until when", why=str(error) or "Slack takes too long")
            return False
        self._count("asked")
        return True

    async def _first(self, answer: Answer) -> bool:
        done = self._heard[answer.id] = asyncio.get_running_loop().create_future()
        if len(self._heard) > _MOST_HEARD:
            self._heard.popitem(last=False)
        kept = False
        try:
            async with asyncio.timeout(_LONGEST):
                await self._write(answer)
            kept = True
        except (KafkaError, TimeoutError) as error:
            log.error("answer not kept", incident=answer.incident, why=type(error).__name__)
        finally:
            # Also where the socket is lost meanwhile: Slack repeats the answer, and it would wait for this for ever.
            if not kept:
                del self._heard[answer.id]
            done.set_result(kept)
        self._count("taken" if kept else "failed")
        if kept and not self._trust.trusts_person(answer.by):
            self._whisper(answer, _NOT_ALLOWED)
        return kept

    async def _write(self, answer: Answer) -> None:
        feedback = Feedback(
            id=answer.id,
            time=answer.time,
            verdict=answer.verdict,
            incident=answer.incident,
            until=answer.until,
            by=answer.by,
        )
        await self._producer.send_and_wait(self._topic, msgspec.json.encode(feedback), answer.incident.encode())

    def _whisper(self, answer: Answer, text: str) -> None:
        task = asyncio.create_task(self._whispered(answer, text))
        self._whispers.add(task)
        task.add_done_callback(self._whispers.discard)

    async def _whispered(self, answer: Answer, text: str) -> None:
        try:
            await self._app.whisper(answer.channel, answer.user, text)
        except DeliveryFailed as error:
            log.warning("not told that nothing was changed", incident=answer.incident, why=str(error))

    def _count(self, outcome: str) -> None:
        self._metrics.answers.labels(outcome).inc()
