"""Produces many records at once: in batches of our own making, for aiokafka's `send` costs 15 microseconds a record."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from faust.types import TP

from streamer.clock import wall
from streamer.kafka.stage import Out

# Keys whose partition is remembered, a topic; tenants and scopes come again and again.
_MOST_KEYS = 100_000
# So many records are packed before others get their turn.
_TURN = 500
Pair = tuple[bytes, bytes | None]


class _Partitions(NamedTuple):
    """A topic's partition count, and what was worked out for it."""

    many: int
    of_key: dict[str, int]


class Batches:
    """Sends records through one producer, each partition's in their order."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._topics: dict[str, _Partitions] = {}

    async def send(self, outs: Sequence[Out], stored: Mapping[TP, Sequence[Pair]] | None = None) -> None:
        """Send outputs, and what is to be stored in given partitions; returns when the broker has all.

        Raises what it answered where it has not.
        """
        for topic in {out.topic for out in outs}:
            await self._look_up(topic)
        pairs: dict[TP, list[Pair]] = {tp: list(of_tp) for tp, of_tp in (stored or {}).items()}
        for out in outs:
            pairs.setdefault(self._place(out), []).append((out.key.encode(), out.value))
        await asyncio.gather(*(self._send(tp, of_tp) for tp, of_tp in pairs.items()))

    async def _send(self, tp: TP, pairs: Iterable[Pair]) -> None:
        sent: list[asyncio.Future[object]] = []
        try:
            await self._hand_over(tp, pairs, sent)
            await asyncio.gather(*sent)
        finally:
            for answer in sent:  # so that none complains that nobody heard it, where another came first
                answer.cancel()

    async def _hand_over(self, tp: TP, pairs: Iterable[Pair], sent: list[asyncio.Future[object]]) -> None:
        at = round(wall() * 1000)
        batch = self._producer.create_batch()
        for number, (key, value) in enumerate(pairs):
            if number % _TURN == _TURN - 1:
                await asyncio.sleep(0)
            if batch.append(timestamp=at, key=key, value=value) is None:
                # Full, and so closed. Handing over waits until the one before it is on its way: that keeps the order.
                sent.append(await self._producer.send_batch(batch, tp.topic, partition=tp.partition))
                batch = self._producer.create_batch()
                batch.append(timestamp=at, key=key, value=value)
        if batch.record_count():
            batch.close()
            sent.append(await self._producer.send_batch(batch, tp.topic, partition=tp.partition))

    async def _look_up(self, topic: str) -> None:
        many = len(await self._producer.partitions_for(topic))
        known = self._topics.get(topic)
        if known is None or known.many != many or len(known.of_key) > _MOST_KEYS:
            self._topics[topic] = _Partitions(many, {})

    def _place(self, out: Out) -> TP:
        """Find the given partition, else the key's, as every client of Kafka works it out."""
        many, of_key = self._topics[out.topic]
        if out.partition is not None:
            return TP(out.topic, out.partition % many)
        partition = of_key.get(out.key)
        if partition is None:
            partition = of_key[out.key] = (murmur2(out.key.encode()) & 0x7FFFFFFF) % many
        return TP(out.topic, partition)
