"""Reads what a compacted changelog partition keeps, up to its end as it was when reading began."""

import asyncio
from typing import NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.structs import TopicPartition
from faust.types import TP

from streamer.config import KafkaConfig
from streamer.kafka.connection import consumer_of

log = structlog.get_logger()
# Large fetches, but the event loop gets its turn every few thousand records.
_FETCH_BYTES, _MOST_RECORDS, _WAIT_MS = 8 << 20, 4000, 50
# A transaction that is decided may take a moment until all replicas know; one that still has no end then gets none.
_LOOKS, _PAUSE = 10, 0.2


class Kept(NamedTuple):
    """What a changelog keeps; and whether behind it something stands of a transaction that nobody will end."""

    values: dict[bytes, bytes]
    hanging: bool


async def read_log(kafka: KafkaConfig, log_of: TP) -> Kept:
    """Give the newest value of each key; the writer before us must be fenced by now, or the end is not the end."""
    consumer = consumer_of(kafka, max_partition_fetch_bytes=_FETCH_BYTES, fetch_max_wait_ms=_WAIT_MS)
    tp = TopicPartition(*log_of)
    consumer.assign([tp])
    values: dict[bytes, bytes] = {}
    async with consumer:
        await consumer.seek_to_beginning(tp)
        for _ in range(_LOOKS):
            await _read(consumer, tp, values)
            if not (kafka.idempotence and _goes_on(consumer, tp)):
                return Kept(values, hanging=False)
            await asyncio.sleep(_PAUSE)
    return Kept(values, hanging=True)


async def _read(consumer: AIOKafkaConsumer, tp: TopicPartition, values: dict[bytes, bytes]) -> None:
    end = (await consumer.end_offsets([tp]))[tp]
    while True:
        for records in (await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_MOST_RECORDS)).values():
            _keep(records, values)
        # The embedded broker understates the end until it is asked for records.
        end = max(end, consumer.last_stable_offset(tp) or 0)
        # The position, not the last record, tells that the end is reached: it may be the mark of a transaction.
        if await consumer.position(tp) >= end:
            return


def _keep(records: list[ConsumerRecord], values: dict[bytes, bytes]) -> None:
    for record in records:
        if record.value is None:
            values.pop(record.key, None)
        else:
            values[record.key] = record.value


def _goes_on(consumer: AIOKafkaConsumer, tp: TopicPartition) -> bool:
    """Tell whether the log goes on behind what can be read; all that was under way has its end, for it was fenced."""
    return (consumer.highwater(tp) or 0) > (consumer.last_stable_offset(tp) or 0)
