"""A transaction holds all of a checkpoint or nothing, and whoever was replaced hears of it."""

import asyncio
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaTimeoutError, ProducerFenced
from faust.types import TP

from streamer.kafka.journal import Entry, StaleOwner, TransactionJournal
from streamer.kafka.stage import Out
from tests.streamer.kafka.fakes import LOG, USAGE, FakeProducer

ENTRY = Entry([Out("out", "a", b"1")], [(b"0:0:a", b"1")], (b"0:head", b"h"), {USAGE: 7})


class Transactional(FakeProducer):
    """A producer with transactions; `fenced` once another one has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets: dict[Any, Any] = {}
        self.fenced = False
        self._txn_manager = self

    def wait_for_transaction_end(self) -> None:
        """There is nothing to wait for."""

    async def start(self) -> None:
        self.journal.append("start")

    async def stop(self) -> None:
        self.journal.append("stop")

    async def begin_transaction(self) -> None:
        self.journal.append("begin")

    async def send_offsets_to_transaction(self, offsets: dict[Any, Any], group: str) -> None:
        self.journal.append(f"offsets of {group}")
        self.offsets = offsets

    async def abort_transaction(self) -> None:
        self.journal.append("abort")

    async def commit_transaction(self) -> None:
        if self.fenced:
            raise ProducerFenced
        self.journal.append("commit")


async def opened(producer: Transactional, changelog: TP | None = TP(LOG, 0)) -> TransactionJournal:  # noqa: B008
    journal = TransactionJournal(lambda: cast(Any, producer), "group", changelog)
    await journal.open()
    return journal


async def test_outputs_parts_head_and_offsets_are_one_transaction() -> None:
    producer = Transactional()
    journal = await opened(producer)
    await journal.write(ENTRY)
    inside = ["offsets of group", f"{LOG} 0:0:a", f"{LOG} 0:head", "out a"]
    assert producer.journal == ["start", "begin", *inside, "commit"]
    assert [offset.offset for offset in producer.offsets.values()] == [7]


async def test_without_a_changelog_there_are_outputs_and_offsets() -> None:
    producer = Transactional()
    journal = await opened(producer, None)
    await journal.write(ENTRY._replace(parts=(), head=None))
    assert producer.journal == ["start", "begin", "offsets of group", "out a", "commit"]


async def test_what_somebody_waits_for_leaves_the_offsets_to_the_next_that_nobody_does() -> None:
    """Where the state says itself where to go on; and not for ever, for people look at them."""
    producer = Transactional()
    journal = await opened(producer)
    hurried = ENTRY._replace(hurried=True)
    assert [await journal.write(hurried) for _ in range(22)] == [*[False] * 20, True, False]
    assert producer.journal.count("offsets of group") == 1
    assert producer.journal.count("commit") == 22
    assert await journal.write(ENTRY)
    assert not await journal.write(hurried)
    assert producer.journal.count("offsets of group") == 2


async def test_a_stage_without_state_goes_on_by_its_offsets_so_they_are_in_every_transaction() -> None:
    producer = Transactional()
    journal = await opened(producer, None)
    assert await journal.write(ENTRY._replace(parts=(), head=None, hurried=True))
    assert "offsets of group" in producer.journal


async def test_whoever_is_fenced_is_a_stale_owner() -> None:
    producer = Transactional()
    journal = await opened(producer)
    producer.fenced = True
    with pytest.raises(StaleOwner, match="ProducerFenced"):
        await journal.write(ENTRY)


async def test_a_transaction_with_a_record_that_was_refused_is_not_committed() -> None:
    producer = Transactional()
    journal = await opened(producer)
    refused: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    refused.set_exception(KafkaTimeoutError())
    producer.answer = lambda topic, _: refused if topic == "out" else None
    with pytest.raises(StaleOwner):
        await journal.write(ENTRY)
    assert "commit" not in producer.journal


async def test_what_was_let_go_writes_nothing_more() -> None:
    producer = Transactional()
    journal = await opened(producer)
    await journal.close()
    with pytest.raises(StaleOwner):
        await journal.write(ENTRY)
    assert producer.journal == ["start", "stop"]


async def test_what_was_left_without_an_end_is_ended_in_every_place_where_it_may_be() -> None:
    producer = Transactional()
    journal = await opened(producer)
    await journal.discard(["rollups", "anomalies"])
    places = {TP(topic, number) for topic in ("rollups", "anomalies") for number in range(4)}
    assert {tp for tp, _ in producer.places} == places | {TP(LOG, 0)}
    assert (producer.journal[1], producer.journal[-1]) == ("begin", "abort")
