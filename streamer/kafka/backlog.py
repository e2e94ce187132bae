"""What waited to be read when a worker got its partitions: until it has been, no tenant is taken for silent."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from streamer.config import KafkaConfig
from streamer.kafka.connection import aiokafka_settings
from streamer.kafka.reading import bounds_of, reading
from streamer.kafka.topics import administering

log = structlog.get_logger()
# Seconds between two looks, and so many of them may fail before time passes all the same.
_PAUSE, _TRIES = 0.2, 50
Offsets = Mapping[TopicPartition, int | None]


class Backlog:
    """Whether what was on the raw topic has come to the meters of its tenants.

    Another worker may have the partitions that it lies in, and a partition of usage with nothing left to read says
    nothing of it. When the group has committed it, what came of it is on the topic of usage.
    """

    def __init__(self, kafka: KafkaConfig, raw: Sequence[TopicPartition]) -> None:
        self._kafka, self._raw = kafka, raw
        self._following: asyncio.Task[None] | None = None
        #: Whether it has: from here on idle time may pass.
        self.through = False

    def begin(self, usage: Callable[[], Offsets]) -> None:
        """Follow what is there now; `usage` gives how far each of the worker's partitions of usage has been applied."""
        self.close()
        self.through = False
        self._following = asyncio.create_task(self._follow(usage))

    def close(self) -> None:
        """Follow it no more."""
        if self._following is not None:
            self._following.cancel()

    async def _follow(self, usage: Callable[[], Offsets]) -> None:
        for _ in range(_TRIES):
            try:
                await self._read(usage)
                break
            except Exception as error:  # what cannot be known may not stop the clock for good
                log.warning("it is not known what waits on the raw topic", error=repr(error))
                await asyncio.sleep(_PAUSE)
        self.through = True

    async def _read(self, usage: Callable[[], Offsets]) -> None:
        ends = await self._ends(self._raw)
        async with administering(aiokafka_settings(self._kafka)) as admin:
            while not _reached(await self._committed(admin), ends):  # noqa: ASYNC110 - Kafka tells nobody
                await asyncio.sleep(_PAUSE)
        # Only now is all that came of it there.
        ends = await self._ends([TopicPartition(*tp) for tp in usage()])
        while not _reached(usage(), ends):  # noqa: ASYNC110 - runners tell nobody
            await asyncio.sleep(_PAUSE)

    async def _ends(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Give where partitions end, but for those that hold nothing."""
        if not places:
            return {}
        async with reading(self._kafka, places) as consumer:
            begins, ends = await bounds_of(consumer, places)
        return {place: end for place, end in ends.items() if end > begins[place]}

    async def _committed(self, admin: AIOKafkaAdminClient) -> Offsets:
        found = await admin.list_consumer_group_offsets(self._kafka.group, partitions=list(self._raw))
        return {tp: known.offset for tp, known in found.items()}


def _reached(found: Offsets, ends: Mapping[TopicPartition, int]) -> bool:
    return all((found.get(tp) or 0) >= end for tp, end in ends.items())
