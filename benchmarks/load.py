"""Background traffic at a steady rate, in a process of its own: `python -m benchmarks.load BOOTSTRAP TOPIC RATE`."""

import asyncio
import re
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count

from aiokafka import AIOKafkaProducer

from benchmarks import topics
from benchmarks.events import Item, stream
from streamer.demo.traffic import rfc3339

_EVERY = 0.02
# A round cuts sessions off at its ends: it has to be long beside them, or they were many and short.
_MADE = 200_000
_TIME = re.compile(rb'"time":"[^"]*"')


def fresh(items: list[Item], clock: Callable[[], float] = time.time) -> Iterator[tuple[str, bytes]]:
    """Repeat the events without end, each time as other sessions with other ids, and as of what the clock says."""
    for cycle in count():
        other = b"-round%d-" % cycle
        for item in items:
            at = b'"time":"%s"' % rfc3339(clock()).encode()
            yield item.tenant, _TIME.sub(at, item.value.replace(b"-main-", other), count=1)


async def run(bootstrap: str, topic: str, rate: float) -> None:
    """Send for ever; what was held up is caught up with."""
    records = fresh(stream().first(_MADE))
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=256 << 10) as producer:
        began, sent = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began) * rate)
            await _send(producer, topic, [next(records) for _ in range(due - sent)])
            sent = due
            await asyncio.sleep(_EVERY)


async def _send(producer: AIOKafkaProducer, topic: str, records: list[tuple[str, bytes]]) -> None:
    batches = [producer.create_batch() for _ in range(topics.PARTITIONS)]
    for key, value in records:
        partition = topics.partition_of(key)
        if batches[partition].append(key=key.encode(), value=value, timestamp=None) is None:
            await producer.send(topic, value, key.encode())
    for partition, batch in enumerate(batches):
        if batch.record_count():
            await producer.send_batch(batch, topic, partition=partition)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], float(sys.argv[3])))
