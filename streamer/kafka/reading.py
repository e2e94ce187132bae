"""Reads partitions from an offset up to their ends, for what is looked up now and then."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streamer.config import KafkaConfig
from streamer.kafka.connection import consumer_of

# Large fetches, but the event loop gets its turn every few thousand records.
_FETCH_BYTES, _MOST_RECORDS, _FIRST_WAIT_MS, _WAIT_MS = 8 << 20, 2000, 500, 100
# How often partitions are asked for a record before their ends are taken from what the broker says of them.
_LOOKS = 10


@asynccontextmanager
async def reading(kafka: KafkaConfig, places: Sequence[TopicPartition]) -> AsyncIterator[AIOKafkaConsumer]:
    """Run a consumer of these partitions; it is stopped even where it was cancelled while it started."""
    consumer = consumer_of(kafka, max_partition_fetch_bytes=_FETCH_BYTES)
    try:
        await consumer.start()
        consumer.assign(list(places))
        yield consumer
    finally:
        await consumer.stop()


async def first_offsets(
    consumer: AIOKafkaConsumer, places: Sequence[TopicPartition], since: float
) -> dict[TopicPartition, int]:
    """Give the offset of the first record of each partition that was written at `since` (epoch seconds) or later.

    Where the broker knows none it is the partition's first.
    """
    firsts = await consumer.beginning_offsets(places)
    found = await consumer.offsets_for_times(dict.fromkeys(places, round(since * 1000)))
    return {place: found[place].offset if found.get(place) else firsts[place] for place in places}


async def bounds_of(
    consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """Give where partitions begin and end now; the consumer, which is assigned them, stands anywhere afterwards.

    The embedded broker, asked for the end, counts batches: how many records there are it says only with records.
    """
    begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    for place in places:
        consumer.seek(place, max(begins[place], ends[place] - 1))
    for _ in range(_LOOKS):
        if not (unknown := [place for place in places if consumer.last_stable_offset(place) is None]):
            break
        await consumer.getmany(*unknown, timeout_ms=_FIRST_WAIT_MS, max_records=1)
    return begins, {place: max(ends[place], consumer.last_stable_offset(place) or 0) for place in places}


async def to_the_end(
    consumer: AIOKafkaConsumer, places: Sequence[TopicPartition], ends: dict[TopicPartition, int]
) -> AsyncIterator[Sequence[Any]]:
    """Give the records from where the consumer stands up to `ends`, some at a time."""
    wait = _FIRST_WAIT_MS
    while (open_ := [place for place in places if await consumer.position(place) < ends[place]]) or wait != _WAIT_MS:
        found = await consumer.getmany(*(open_ or places), timeout_ms=wait, max_records=_MOST_RECORDS)
        for records in found.values():
            yield records
        # The embedded broker understates the end until it is asked for records.
        ends = {place: max(ends[place], consumer.last_stable_offset(place) or 0) for place in places}
        wait = _WAIT_MS
