"""Faust's transport with our consumer, alone on a broker: where it begins, what it hands over, and what it forgets."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.producer import message_accumulator, producer
from aiokafka.record import default_records
from faust.types import TP

from streamer.config import KafkaConfig
from streamer.kafka.app import App
from streamer.kafka.transport import Run, RunConsumer
from tests.brokers import Broker, administering
from tests.brokers.apache import ApacheKafka

pytestmark = pytest.mark.integration
PATIENCE = 30.0


class Reader:
    """One member of a group, which takes runs while its gate is open."""

    def __init__(self, kafka: KafkaConfig, topic: str, wanted: Mapping[TP, int]) -> None:
        self.app = App.of(kafka, self._start)
        self.runs: list[Run] = []
        self.assignments: list[Mapping[TP, int]] = []
        self.restarts: list[tuple[TP, int]] = []
        self.wanted = dict(wanted)
        self.gate = asyncio.Event()
        self.gate.set()
        source = self.app.topic(topic, key_serializer="raw", value_serializer="raw", acks=False, internal=False)

        async def agent(stream: Any) -> None:
            async for run in stream:
                await self.gate.wait()
                self.runs.append(run)

        self.app.agent(source, name=topic)(agent)

    @property
    def consumer(self) -> RunConsumer:
        return cast(RunConsumer, self.app.consumer)

    def values(self) -> list[bytes]:
        return [record.value for run in self.runs for record in run.records]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds():  # noqa: ASYNC110 - Faust tells nobody
                await asyncio.sleep(0.02)

    async def _start(self) -> None:
        self.consumer.adopt, self.consumer.settled = self._adopt, self.assignments.append
        self.consumer.restarted = lambda tp, offset: self.restarts.append((tp, offset))

    async def _adopt(self, assigned: set[TP]) -> Mapping[TP, int]:
        return {tp: offset for tp, offset in self.wanted.items() if tp in assigned}


class Bench:
    """A topic and a group of their own on a broker."""

    def __init__(self, bootstrap: str) -> None:
        name = f"t{uuid.uuid4().hex[:8]}"
        self.topic, self.bootstrap = f"{name}.usage", bootstrap
        self.kafka = KafkaConfig(
            bootstrap=bootstrap, group=name, session_timeout_seconds=6, rebalance_timeout_seconds=4
        )

    def tp(self, partition: int = 0) -> TP:
        return TP(self.topic, partition)

    async def create(self, partitions: int = 1) -> None:
        async with administering(self.bootstrap) as admin:
            await admin.create_topics([NewTopic(self.topic, partitions, 1)])

    async def produce(self, values: Iterable[bytes], partition: int = 0) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all") as sender:
            for value in values:
                await sender.send(self.topic, value, partition=partition)

    async def committed(self, partition: int = 0) -> int | None:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=self.kafka.group)
        async with consumer:
            consumer.assign([self.tp(partition)])
            found: int | None = await consumer.committed(self.tp(partition))
            return found

    @asynccontextmanager
    async def reading(self, wanted: Mapping[TP, int] | None = None) -> AsyncIterator[Reader]:
        reader = Reader(self.kafka, self.topic, wanted or {})
        await reader.app.start()
        try:
            await reader.until(lambda: bool(reader.assignments))
            yield reader
        finally:
            reader.gate.set()
            await reader.app.stop()


@pytest.fixture
async def bench(broker: Broker) -> Bench:
    made = Bench(broker.bootstrap)
    await made.create()
    return made


def numbers(first: int, end: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, end)]


def assert_gapless(runs: Iterable[Run]) -> None:
    ends: dict[TP, int] = {}
    for run in runs:
        assert run.base == ends.get(run.tp, run.base)
        ends[run.tp] = run.end


async def test_it_begins_where_the_state_says_and_commits_nothing_by_itself(bench: Bench) -> None:
    await bench.produce(numbers(0, 30))
    async with bench.reading({bench.tp(): 10}) as reader:
        await reader.until(lambda: len(reader.values()) == 20)
        assert reader.values() == numbers(10, 30)
        assert reader.assignments == [{bench.tp(): 10}]
        assert_gapless(reader.runs)
    assert await bench.committed() in (None, -1)
    async with bench.reading() as again:
        await again.until(lambda: len(again.values()) == 30)
        assert again.assignments == [{bench.tp(): 0}]


async def test_what_is_committed_is_where_a_reader_without_state_begins(bench: Bench) -> None:
    await bench.produce(numbers(0, 30))
    async with bench.reading() as reader:
        await reader.until(lambda: len(reader.values()) == 30)
        assert await reader.consumer.commit_positions({bench.tp(): 20})
    async with bench.reading() as again:
        await again.until(lambda: len(again.values()) == 10)
        assert again.values() == numbers(20, 30)


async def test_a_rewind_hands_the_same_records_over_again(bench: Bench) -> None:
    await bench.produce(numbers(0, 10))
    async with bench.reading() as reader:
        await reader.until(lambda: len(reader.values()) == 10)
        await reader.consumer.rewind(bench.tp(), 4)
        await reader.until(lambda: len(reader.values()) == 16)
        assert reader.values()[10:] == numbers(4, 10)
        assert reader.consumer.handed_over(bench.tp()) == 10


async def test_who_takes_no_runs_is_sent_a_bounded_number_and_later_all(bench: Bench) -> None:
    async with bench.reading() as reader:
        reader.gate.clear()
        for number in range(60):
            await bench.produce(numbers(number, number + 1))
        held = reader.consumer.handed_over(bench.tp())
        assert held is not None
        reader.gate.set()
        await reader.until(lambda: len(reader.values()) == 60)
        assert reader.values() == numbers(0, 60)
        assert_gapless(reader.runs)


async def test_a_rebalance_asks_anew_where_to_go_on(broker: Broker) -> None:
    bench = Bench(broker.bootstrap)
    await bench.create(2)
    async with bench.reading() as first:
        for partition in range(2):
            await bench.produce(numbers(0, 10), partition)
        await first.until(lambda: len(first.values()) == 20)
        first.wanted = {bench.tp(0): 5, bench.tp(1): 5}
        async with bench.reading(first.wanted) as second:
            await first.until(lambda: len(first.assignments) > 1 and len(first.assignments[-1]) == 1)
            await second.until(lambda: len(second.values()) == 5)
            (mine,), (yours,) = first.assignments[-1], second.assignments[-1]
            assert {mine, yours} == {bench.tp(0), bench.tp(1)}
            await first.until(lambda: len(first.values()) == 25)
            assert first.consumer.handed_over(yours) is None
            assert not await first.consumer.commit_positions({yours: 9})


async def test_who_asks_to_rejoin_is_assigned_its_partitions_anew(bench: Bench) -> None:
    await bench.produce(numbers(0, 10))
    async with bench.reading() as reader:
        await reader.until(lambda: len(reader.values()) == 10)
        reader.wanted = {bench.tp(): 7}
        await reader.consumer.rejoin()
        await reader.until(lambda: len(reader.values()) == 13)
        assert reader.assignments == [{bench.tp(): 0}, {bench.tp(): 7}]


async def test_a_position_that_the_log_does_not_hold_is_told_and_the_log_read_from_its_beginning(
    apache_broker: ApacheKafka,
) -> None:
    bench = Bench(apache_broker.bootstrap)
    await bench.create()
    await bench.produce(numbers(0, 10))
    async with bench.reading({bench.tp(): 99}) as reader:
        await reader.until(lambda: len(reader.values()) == 10)
        assert reader.restarts == [(bench.tp(), 0)]


class _Bytes(str):
    """A name that is no UTF-8, as clients of C may write one."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return b"\xff\xfe"


async def test_a_record_that_cannot_be_read_is_passed_by_with_what_follows_in_its_batch(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (message_accumulator, producer):
        # The compiled one makes sure that names are text.
        monkeypatch.setattr(module, "DefaultRecordBatchBuilder", default_records._DefaultRecordBatchBuilderPy)
    bench = Bench(broker.bootstrap)
    await bench.create(2)
    async with AIOKafkaProducer(bootstrap_servers=bench.bootstrap, acks="all", linger_ms=500) as sender:
        for batch in (numbers(0, 10), numbers(10, 20), numbers(20, 30), numbers(30, 40)):
            for number in batch:
                headers = [(_Bytes("x"), b"")] if number in {b"7", b"20"} else []
                await sender.send(bench.topic, number, partition=0, headers=headers)
                await sender.send(bench.topic, number, partition=1)
            await sender.flush()
    read = [*numbers(0, 7), *numbers(10, 20), *numbers(30, 40)]
    async with bench.reading() as reader:
        await reader.until(lambda: len(reader.values()) == len(read) + 40)
        assert_gapless(reader.runs)
        assert [record.value for run in reader.runs if run.tp == bench.tp() for record in run.records] == read
        await reader.until(lambda: reader.consumer.handed_over(bench.tp()) == 40)


async def test_marks_of_transactions_are_part_of_a_run_and_what_was_aborted_is_not(
    apache_broker: ApacheKafka,
) -> None:
    """Else nobody could tell that all is applied: the last offset of such a log has no record."""
    bench = Bench(apache_broker.bootstrap)
    await bench.create()
    async with bench.reading() as reader:
        producer = AIOKafkaProducer(bootstrap_servers=bench.bootstrap, transactional_id=bench.topic)
        async with producer:
            async with producer.transaction():
                await producer.send(bench.topic, b"a", partition=0)
            await producer.begin_transaction()
            await (await producer.send(bench.topic, b"never", partition=0))
            await producer.abort_transaction()
        await reader.until(lambda: reader.consumer.handed_over(bench.tp()) == 4)
        await reader.until(lambda: reader.runs[-1].end == 4)
        assert reader.values() == [b"a"]
        assert_gapless(reader.runs)
        assert reader.consumer.end_of(bench.tp()) == 4
