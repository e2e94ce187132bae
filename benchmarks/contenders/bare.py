"""A bare aiokafka loop: no state survives it. The upper bound of what Python does here."""

import asyncio
from collections import defaultdict

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.contenders import job


async def run(args: job.Args) -> None:
    """Consume for ever; offsets are committed every five seconds, which is aiokafka's default."""
    consumer = AIOKafkaConsumer(
        args.source,
        bootstrap_servers=args.bootstrap,
        group_id=args.group,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=args.bootstrap, linger_ms=5)
    tenants: defaultdict[str, job.Open] = defaultdict(dict)
    async with consumer, producer:
        while True:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    usage = job.decode(record.value)
                    for closed in job.add(tenants[usage.tenant], usage):
                        await producer.send(args.sink, job.encode(closed), closed.tenant.encode())


if __name__ == "__main__":
    asyncio.run(run(job.args()))
