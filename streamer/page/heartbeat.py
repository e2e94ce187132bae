"""Asks Kafka every few seconds whether it still answers, and who works."""

import asyncio

import structlog
from aiokafka.errors import KafkaError

from streamer.clock import wall
from streamer.config import KafkaConfig
from streamer.kafka.connection import aiokafka_settings
from streamer.kafka.topics import administering
from streamer.operate.kafka import members
from streamer.page.pulse import Pulse

log = structlog.get_logger()
_EVERY = 5.0


async def feel(pulse: Pulse, kafka: KafkaConfig) -> None:
    """Ask Kafka for the workers every few seconds, until cancelled; each time whichever broker takes a connection."""
    while True:
        try:
            async with asyncio.timeout(_EVERY), administering(aiokafka_settings(kafka)) as admin:
                found = await members(admin, kafka.group)
            pulse.beat(found and found.many)
        except (KafkaError, TimeoutError, OSError) as error:
            if pulse.away_since is None:
                log.warning("Kafka does not answer: the page shows what it knows", error=repr(error))
            pulse.miss(wall())
        await asyncio.sleep(_EVERY)
