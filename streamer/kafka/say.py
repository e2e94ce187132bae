"""Writes one person's feedback to its topic, as any client of Kafka would."""

import asyncio

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streamer.config import KafkaConfig
from streamer.errors import KafkaUnreachable
from streamer.feedback import Feedback
from streamer.kafka.connection import writing
from streamer.kafka.topics import Topics, ensure


def say(feedback: Feedback, kafka: KafkaConfig) -> None:
    """Write the record, and return when the broker has it; raises KafkaUnreachable."""
    try:
        asyncio.run(_say(feedback, kafka))
    except (KafkaError, TimeoutError) as error:
        raise KafkaUnreachable(f"{kafka.bootstrap} did not take the feedback: {error!r}") from error


async def _say(feedback: Feedback, kafka: KafkaConfig) -> None:
    topics = Topics.named(kafka.topic_prefix)
    await ensure(kafka, topics, {})
    async with writing(kafka) as producer, asyncio.timeout(kafka.connect_seconds):
        await write(feedback, producer, topics)


async def write(feedback: Feedback, producer: AIOKafkaProducer, topics: Topics) -> None:
    """Write the record by a producer that runs already, and return when the broker has it."""
    key = feedback.incident or feedback.tenant
    await producer.send_and_wait(topics.feedback, msgspec.json.encode(feedback), key.encode())
