"""Batches carry each record to its partition, in order, and what the broker refuses is heard of."""

import asyncio
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.partitioner import DefaultPartitioner
from faust.types import TP

from streamer.kafka.batches import Batches
from streamer.kafka.stage import Out
from tests.streamer.kafka.fakes import FakeProducer


def batches_of(producer: FakeProducer) -> Batches:
    return Batches(cast(Any, producer))


async def test_a_key_goes_to_the_partition_that_every_client_of_kafka_gives_it() -> None:
    producer = FakeProducer(partitions=7)
    keys = [f"tenant-{number}" for number in range(50)] * 2
    await batches_of(producer).send([Out("usage", key, b"") for key in keys])
    everywhere = list(range(7))
    expected = {(TP("usage", DefaultPartitioner()(key.encode(), everywhere, everywhere)), key.encode()) for key in keys}
    assert set(producer.places) == expected
    assert len(producer.places) == 100


async def test_a_given_partition_is_taken_modulo_the_topics_count() -> None:
    producer = FakeProducer(partitions=4)
    await batches_of(producer).send([Out("rollups", "a", b"", 2), Out("rollups", "b", b"", 5)])
    assert producer.places == [(TP("rollups", 2), b"a"), (TP("rollups", 1), b"b")]


async def test_records_of_a_partition_keep_their_order_over_many_batches() -> None:
    producer = FakeProducer(batch=3)
    values = [b"%d" % number for number in range(20)]
    await batches_of(producer).send([Out("rollups", "k", value, 0) for value in values])
    assert producer.values("rollups") == values


async def test_what_the_broker_refuses_is_raised() -> None:
    producer = FakeProducer(batch=1)
    refused: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    refused.set_exception(KafkaTimeoutError())
    producer.answer = lambda _, key: refused if key == b"b" else None
    with pytest.raises(KafkaTimeoutError):
        await batches_of(producer).send([Out("x", key, b"", 0) for key in "abc"])


async def test_a_topic_that_was_given_more_partitions_is_hashed_anew() -> None:
    producer = FakeProducer(partitions=1)
    batches = batches_of(producer)
    await batches.send([Out("usage", "acme", b"")])
    producer._partitions = 64
    await batches.send([Out("usage", "acme", b"")])
    assert [tp.partition for tp, _ in producer.places] == [0, DefaultPartitioner()(b"acme", range(64), [])]
