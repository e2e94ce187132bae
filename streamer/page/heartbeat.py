"""Asks Kafka every few seconds whether it still answers, and who works."""

import asyncio
from contextlib import suppress

from aiokafka.errors import KafkaError

from streamer.clock import wall
from streamer.config import KafkaConfig
from streamer.kafka.connection import aiokafka_settings
from streamer.kafka.topics import administering
from streamer.operate.kafka import members
from streamer.page.pulse import Pulse

_EVERY = 5.0


async def feel(pulse: Pulse, kafka: KafkaConfig) -> None:
    """Ask Kafka for the workers every few seconds, until cancelled."""
    while True:
        with suppress(KafkaError, TimeoutError, OSError):
            async with administering(aiokafka_settings(kafka)) as admin:
                while True:
                    async with asyncio.timeout(_EVERY):
                        found = await members(admin, kafka.group)
                    pulse.beat(found and found.many, wall())
                    await asyncio.sleep(_EVERY)
        pulse.miss(wall())
        await asyncio.sleep(_EVERY)
