"""Reads letters, looks up what they are about, and sends it again."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streamer.config import KafkaConfig
from streamer.errors import KafkaUnreachable
from streamer.kafka.connection import aiokafka_settings, consumer_of, writing
from streamer.kafka.dead_letters import DeadLetter
from streamer.kafka.topics import Topics, ensure, partition_counts
from streamer.letters.select import Wanted, from_letter, from_source, target
from streamer.replay.topic import topic_records

log = structlog.get_logger()
_SECONDS = 10.0


class Found(msgspec.Struct):
    """The newest of the letters that are wanted, oldest first, and how many there are by topic and reason in all."""

    letters: deque[DeadLetter]
    counts: Counter[tuple[str, str]]


def read(wanted: Wanted, most: int, kafka: KafkaConfig) -> Found:
    """Read the topic of dead letters; raises KafkaUnreachable."""
    topics = Topics.named(kafka.topic_prefix)
    asyncio.run(ensure(kafka, topics, {}))
    found = Found(deque(maxlen=most), Counter())
    decode = msgspec.json.Decoder(DeadLetter).decode
    for record in topic_records(f"kafka://{kafka.bootstrap}/{topics.dead_letters}", kafka):
        try:
            letter = decode(record.value or b"")
        except msgspec.MsgspecError as error:
            log.warning("this is no dead letter", place=record.place, error=str(error))
            continue
        if wanted.has(letter):
            found.letters.append(letter)
            found.counts[letter.topic, letter.reason] += 1
    return found


def resend(letters: Iterable[DeadLetter], kafka: KafkaConfig, *, dry: bool) -> list[tuple[DeadLetter, str]]:
    """Send again what the letters are about, unless it is only to be tried.

    Gives the letters for which that is not possible, with the reason. Raises KafkaUnreachable.
    """
    try:
        return asyncio.run(_resend(letters, kafka, dry))
    except (KafkaError, TimeoutError) as error:
        said = "does not answer" if dry else "did not take all of it; it may be sent again"
        raise KafkaUnreachable(f"{kafka.bootstrap} {said}: {error!r}") from error


async def _resend(letters: Iterable[DeadLetter], kafka: KafkaConfig, dry: bool) -> list[tuple[DeadLetter, str]]:
    topics = Topics.named(kafka.topic_prefix)
    left: list[tuple[DeadLetter, str]] = []
    sending = nullcontext() if dry else writing(kafka)
    async with consumer_of(kafka, auto_offset_reset="none") as consumer, sending as producer:
        source = _Source(consumer, await partition_counts(aiokafka_settings(kafka)))
        for letter in letters:
            topic = target(letter, topics)
            if topic is None:
                left.append((letter, "only usage and feedback are sent again"))
            elif why := await _again(letter, topic, source, producer):
                left.append((letter, why))
    return left


async def _again(letter: DeadLetter, topic: str, source: "_Source", producer: AIOKafkaProducer | None) -> str:
    """Send one; gives why not where that is so. The source has it whole; the letter lacks somebody's words."""
    record = await source.record(letter)
    whole = from_source(letter, record) if record else None
    key = record.key if whole is not None and record else None
    # Of a batch they tell how it was written, and not how an item of it is.
    headers = record.headers if record and whole == record.value else ()
    value: bytes | str = whole if whole is not None else from_letter(letter)
    if isinstance(value, str):
        return f"its source does not have it any more, and {value}"
    if producer:
        async with asyncio.timeout(_SECONDS):
            await producer.send_and_wait(topic, value, key, headers=list(headers))
    return ""


class _Source:
    """The records that letters are about, as long as their topics keep them."""

    def __init__(self, consumer: AIOKafkaConsumer, partitions: Mapping[str, int]) -> None:
        self._consumer, self._partitions = consumer, partitions
        self._last: tuple[TopicPartition, int, Any] | None = None

    async def record(self, letter: DeadLetter) -> Any:
        """Give the record at the letter's source position, None where there is none any more."""
        tp = TopicPartition(letter.topic, letter.partition)
        if self._last is None or self._last[:2] != (tp, letter.offset):
            self._last = (tp, letter.offset, await self._fetched(tp, letter.offset))
        return self._last[2]

    async def _fetched(self, tp: TopicPartition, offset: int) -> Any:
        consumer = self._consumer
        if tp.partition >= self._partitions.get(tp.topic, 0):
            return None
        consumer.assign([tp])
        begin, end = (await consumer.beginning_offsets([tp]))[tp], (await consumer.end_offsets([tp]))[tp]
        if not begin <= offset < end:
            return None
        consumer.seek(tp, offset)
        async with asyncio.timeout(_SECONDS):
            record = await consumer.getone(tp)
        return record if record.offset == offset else None
