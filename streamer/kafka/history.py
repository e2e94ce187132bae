"""How a series went before its incident and since: the last rollups of its tenant's partition, within bounds."""

import asyncio
from collections.abc import Sequence

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.structs import TopicPartition

from alerts.history import History
from alerts.incident import Incident
from streamer.config import KafkaConfig
from streamer.curves import Curve, holder_of
from streamer.kafka.connection import consumer_of
from streamer.records import Rollup

log = structlog.get_logger()
_BEFORE_SECONDS = 1800.0
_ENOUGH = 8
_FETCH_BYTES, _FETCH_RECORDS, _WAIT_MS = 8 << 20, 4000, 50


class RollupHistory:
    """Reads at the time at which somebody is to be told, so that nobody has to keep what is seldom asked for.

    A read takes at most the newest `most_records` records of the partition, and `seconds`; what was read by then is
    what is known. One at a time. See decision 19.
    """

    def __init__(self, kafka: KafkaConfig, topic: str, *, most_records: int = 50_000, seconds: float = 2.0) -> None:
        self._kafka, self._topic = kafka, topic
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
        consumer = consumer_of(self._kafka, max_partition_fetch_bytes=_FETCH_BYTES)
        async with consumer:
            await consumer.topics()  # or it knows none of the partitions
            partitions = sorted(consumer.partitions_for_topic(self._topic) or ())
            if not partitions:
                return
            # Rollups are in the partition of the usage that they sum up, and that is its tenant's.
            place = TopicPartition(self._topic, DefaultPartitioner()(tenant.encode(), partitions, partitions))
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            start = await self._start(consumer, place, since, end)
            consumer.seek(place, start)
            await _collect(consumer, place, end, curves, found)

    async def _start(self, consumer: AIOKafkaConsumer, place: TopicPartition, since: float, end: int) -> int:
        first = (await consumer.beginning_offsets([place]))[place]
        by_time = (await consumer.offsets_for_times({place: round(since * 1000)})).get(place)
        return int(max(first, end - self._most, by_time.offset if by_time else first))


async def _collect(
    consumer: AIOKafkaConsumer, place: TopicPartition, end: int, curves: Sequence[Curve], found: list[Rollup]
) -> None:
    while await consumer.position(place) < end:
        for records in (await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_FETCH_RECORDS)).values():
            kept = (each for each in records if each.value and any(curve.takes(each.key) for curve in curves))
            found += [_rollup(each.value) for each in kept]
        # The embedded broker understates the end until it is asked for records.
        end = max(end, consumer.last_stable_offset(place) or 0)


def _told(own: Curve, holder: Curve, found: list[Rollup], opened_at: float) -> History:
    told, wider = (
        curve.history([rollup for rollup in found if curve.takes(rollup.series.encode())], opened_at)
        for curve in (own, holder)
    )
    if "/session=" not in own.series or len(told.samples) >= _ENOUGH:
        return told
    return msgspec.structs.replace(wider, split=told.split or wider.split)


def _rollup(value: bytes) -> Rollup:
    return msgspec.json.decode(value, type=Rollup)
