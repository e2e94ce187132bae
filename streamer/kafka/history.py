"""How a series went before its incident and since: the last rollups of its tenant's partition, within bounds."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
import structlog
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.structs import TopicPartition

from alerts.history import History
from alerts.incident import Incident
from streamer.config import KafkaConfig
from streamer.curves import Curve, holder_of
from streamer.kafka.reading import first_offsets, reading, to_the_end
from streamer.kafka.topics import Topics
from streamer.records import Rollup

log = structlog.get_logger()
_BEFORE_SECONDS = 1800.0
_ENOUGH = 8


class RollupHistory:
    """Reads at the time at which somebody is to be told, so that nobody has to keep what is seldom asked for.

    `partitions` are the counts of each topic. A read takes at most the newest `most_records` records of the tenant's
    partition (of a session: of both topics' partitions), and `seconds`; what was read by then is what is known. One at
    a time. See decision 19.
    """

    def __init__(
        self,
        kafka: KafkaConfig,
        topics: Topics,
        partitions: Mapping[str, int],
        *,
        most_records: int = 50_000,
        seconds: float = 2.0,
    ) -> None:
        self._kafka, self._topics, self._partitions = kafka, topics, partitions
        self._most, self._seconds = most_records, seconds
        self._turn = asyncio.Lock()

    async def of(self, incident: Incident) -> History | None:
        """Give the history of the incident's main alert; None where no broker answers or nothing is known.

        Of a session that has only begun it is that of its agent.
        """
        alert = incident.main
        if "#" not in alert.series:
            return None
        own, holder, found = Curve(alert.series), holder_of(alert), list[Rollup]()
        opened_at = alert.opened_at.timestamp()
        async with self._turn:
            try:
                async with asyncio.timeout(self._seconds):
                    await self._read(alert.labels["tenant"], opened_at - _BEFORE_SECONDS, (own, holder), found)
            except TimeoutError:
                log.warning("history cut short", incident=incident.id, rollups=len(found))
            except KafkaError as error:
                log.warning("no history", incident=incident.id, why=type(error).__name__)
        return _told(own, holder, found, opened_at) if found else None

    async def _read(self, tenant: str, since: float, curves: Sequence[Curve], found: list[Rollup]) -> None:
        places = [self._place(topic, tenant) for topic in self._holding(curves)]
        async with reading(self._kafka, places) as consumer:
            ends = await consumer.end_offsets(places)
            for place, first in (await first_offsets(consumer, places, since)).items():
                consumer.seek(place, max(first, ends[place] - self._most))
            async for records in to_the_end(consumer, places, ends):
                kept = (each for each in records if each.value and any(curve.takes(each.key) for curve in curves))
                found += [msgspec.json.decode(each.value, type=Rollup) for each in kept]

    def _holding(self, curves: Sequence[Curve]) -> list[str]:
        of_session = any("/session=" in curve.series for curve in curves)
        return [self._topics.rollups, *([self._topics.session_rollups] if of_session else [])]

    def _place(self, topic: str, tenant: str) -> TopicPartition:
        """Rollups are in the partition of the usage that they sum up, and that is its tenant's."""
        usage = list(range(self._partitions[self._topics.usage]))
        place = DefaultPartitioner()(tenant.encode(), usage, usage)
        return TopicPartition(topic, place % self._partitions[topic])


def _told(own: Curve, holder: Curve, found: list[Rollup], opened_at: float) -> History:
    told, wider = (
        curve.history([rollup for rollup in found if curve.takes(rollup.series.encode())], opened_at)
        for curve in (own, holder)
    )
    if "/session=" not in own.series or len(told.samples) >= _ENOUGH:
        return told
    return msgspec.structs.replace(wider, split=told.split or wider.split)
