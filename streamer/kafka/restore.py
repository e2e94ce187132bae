"""Reads what a compacted changelog partition keeps, up to its end as it was when reading began."""

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from faust.types import TP

from streamer.config import KafkaConfig
from streamer.kafka.connection import consumer_of

log = structlog.get_logger()
# Large fetches, but the event loop gets its turn every few thousand records.
_FETCH_BYTES, _MOST_RECORDS, _WAIT_MS = 8 << 20, 4000, 50


async def read_log(kafka: KafkaConfig, log_of: TP) -> dict[bytes, bytes]:
    """Give the newest value of each key; the writer before us must be fenced by now, or the end is not the end."""
    consumer = consumer_of(kafka, max_partition_fetch_bytes=_FETCH_BYTES)
    tp = TopicPartition(*log_of)
    consumer.assign([tp])
    async with consumer:
        await consumer.seek_to_beginning(tp)
        return await _kept(consumer, tp)


async def _kept(consumer: AIOKafkaConsumer, tp: TopicPartition) -> dict[bytes, bytes]:
    kept: dict[bytes, bytes] = {}
    end = (await consumer.end_offsets([tp]))[tp]
    # The position, not the last record, tells that the end is reached: it may be the mark of a transaction.
    while await consumer.position(tp) < end:
        for records in (await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_MOST_RECORDS)).values():
            for record in records:
                if record.value is None:
                    kept.pop(record.key, None)
                else:
                    kept[record.key] = record.value
        # The embedded broker understates the end until it is asked for records.
        end = max(end, consumer.last_stable_offset(tp) or 0)
    return kept
