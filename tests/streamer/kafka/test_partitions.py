"""A worker's partitions: fenced before they are read, read before they go on, dropped once they are another's."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, cast

import msgspec
import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from streamer.config import KafkaConfig
from streamer.errors import StateUnreadable
from streamer.kafka import partitions as module
from streamer.kafka.checkpoint import Checkpoints, Head, Topic
from streamer.kafka.journal import Entry, StaleOwner
from streamer.kafka.layout import LAYOUT
from streamer.kafka.partitions import Kind, Partitions
from streamer.kafka.restore import Kept
from streamer.kafka.stage import AT_ONCE
from streamer.kafka.transport import BEGINNING
from streamer.web.metrics import Metrics
from tests.streamer.kafka.fakes import TOPICS, USAGE, FakeConsumer, run, sample
from tests.streamer.kafka.test_runner import Counting, settled

RAW = TP(TOPICS.raw, 0)


class FakeJournal:
    """Keeps what is written; `stale` once somebody else has the partition."""

    def __init__(self, events: list[str], name: str) -> None:
        self.events, self.name = events, name
        self.stale = False
        self.entries: list[Entry] = []

    async def open(self) -> None:
        self.events.append(f"open {self.name}")

    async def discard(self, topics: Iterable[str]) -> None:
        self.events.append(f"discard in {' '.join(topics)}")

    async def ready(self) -> bool:
        return True

    async def write(self, entry: Entry) -> bool:
        if self.stale:
            raise StaleOwner("fenced")
        self.entries.append(entry)
        return not entry.hurried

    async def close(self) -> None:
        self.events.append(f"close {self.name}")


class Bench:
    """The partitions of a worker over one stage with state and one without."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[str] = []
        self.consumer, self.metrics = FakeConsumer(), Metrics()
        self.stages: list[Counting] = []
        self.journals: dict[str, FakeJournal] = {}
        self.log: dict[bytes, bytes] = {}
        self.topics = {TOPICS.usage: Topic("one", 4), "g-meter-changelog": Topic("log", 4)}
        self.failures: list[Exception] = []
        self.hanging = 0
        monkeypatch.setattr(module, "read_log", self._read)
        monkeypatch.setattr(module, "identified", self._identified)
        monkeypatch.setattr(module, "_PAUSE", 0.0)
        kinds = [
            Kind("normaliser", (TOPICS.raw,), (TOPICS.usage,), self._stage, keeps_state=False),
            Kind("meter", (TOPICS.usage,), (TOPICS.rollups, TOPICS.anomalies), self._stage),
        ]
        kafka = KafkaConfig(group="g", checkpoint_seconds=60)
        consumer = cast(Callable[[], Any], lambda: self.consumer)
        self.partitions = Partitions(kafka, kinds, self._journal, consumer, self.metrics)

    @property
    def meter(self) -> FakeJournal:
        return self.journals["g-meter-0"]

    async def begin(self, *assigned: TP) -> dict[TP, int]:
        wanted = dict(await self.partitions.adopt(set(assigned)))
        self.partitions.settled({tp: max(0, wanted.get(tp, 0)) for tp in assigned})
        return wanted

    def stored(self, topics: dict[str, Topic]) -> None:
        log = Checkpoints(0)
        records = [*log.parts([("a", b"7")]), log.head({TOPICS.usage: 40}, topics)]
        self.log = {key: value for key, value in records if value is not None}

    def _stage(self, _: int) -> Counting:
        self.stages.append(Counting())
        return self.stages[-1]

    def _journal(self, name: str, _: TP | None) -> FakeJournal:
        self.journals[name] = FakeJournal(self.events, name)
        return self.journals[name]

    async def _read(self, _: KafkaConfig, log: TP) -> Kept:
        self.events.append(f"read {log.topic}")
        if self.failures:
            raise self.failures.pop()
        self.hanging -= 1
        return Kept(self.log, hanging=self.hanging >= 0)

    async def _identified(self, _: KafkaConfig, topics: Iterable[str]) -> dict[str, Topic]:
        return {topic: self.topics[topic] for topic in topics if topic in self.topics}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


async def test_all_are_fenced_before_any_state_is_read(bench: Bench) -> None:
    bench.stored(bench.topics)
    assert await bench.begin(RAW, USAGE) == {USAGE: 40}
    assert sorted(bench.events[:2]) == ["open g-meter-0", "open g-normaliser-0"]
    assert bench.events[2:] == ["read g-meter-changelog"]
    assert bench.stages[-1].counts == Counter({"a": 7})
    await bench.partitions.release()


async def test_what_cannot_be_read_now_is_fenced_and_read_again(bench: Bench) -> None:
    bench.failures = [KafkaConnectionError()]
    await bench.begin(USAGE)
    assert bench.events == ["open g-meter-0", "read g-meter-changelog", "close g-meter-0", *bench.events[:2]]
    assert bench.partitions.ready
    await bench.partitions.release()


async def test_what_the_broker_left_without_an_end_is_discarded_and_the_state_read_again(bench: Bench) -> None:
    bench.hanging = 1
    await bench.begin(USAGE)
    read = "read g-meter-changelog"
    assert bench.events == ["open g-meter-0", read, f"discard in {TOPICS.rollups} {TOPICS.anomalies}", read]
    assert sample(bench.metrics, "tidegate_discarded_transactions_total") == 1
    await bench.partitions.release()


async def test_whoever_is_fenced_lets_go_and_asks_the_group_anew(bench: Bench) -> None:
    await bench.begin(USAGE)
    bench.stages[-1].within = AT_ONCE
    bench.meter.stale = True
    await bench.partitions.take(run([b"a"]))
    await settled(lambda: bench.consumer.rejoined == 1)
    assert not bench.partitions.ready
    assert bench.events[-1] == "close g-meter-0"
    assert sample(bench.metrics, "tidegate_lost_partitions_total") == 1
    await bench.partitions.take(run([b"b"], 1))
    await bench.begin(USAGE)
    assert bench.partitions.ready
    assert bench.stages[-1].counts == Counter()
    await bench.partitions.release()


async def test_before_partitions_go_elsewhere_all_is_saved(bench: Bench) -> None:
    await bench.begin(USAGE)
    await bench.partitions.take(run([b"a", b"b"]))
    await bench.partitions.release()
    (entry,) = bench.meter.entries
    assert (len(entry.outs), entry.positions) == (2, {USAGE: 2})
    assert not bench.partitions.ready
    assert bench.events[-1] == "close g-meter-0"


async def test_partitions_that_went_away_while_they_were_read_do_not_begin(bench: Bench) -> None:
    await bench.partitions.adopt({USAGE})
    await bench.partitions.release()
    bench.partitions.settled({USAGE: 0})
    assert not bench.partitions.ready


async def test_a_topic_that_was_made_anew_begins_anew_with_its_state(bench: Bench) -> None:
    bench.stored({TOPICS.usage: Topic("another", 4)})
    assert await bench.begin(USAGE) == {USAGE: BEGINNING}
    assert bench.stages[-1].counts == Counter({"a": 7})
    assert sample(bench.metrics, "tidegate_topic_changes_total", topic=TOPICS.usage, what="recreated") == 1
    await bench.partitions.take(run([b"a"]))
    await bench.partitions.release()
    assert bench.meter.entries[-1].positions == {USAGE: 1}


async def test_a_topic_with_more_partitions_than_before_is_told(bench: Bench) -> None:
    bench.stored({TOPICS.usage: Topic("one", 2)})
    assert await bench.begin(USAGE) == {USAGE: 40}
    assert sample(bench.metrics, "tidegate_topic_changes_total", topic=TOPICS.usage, what="repartitioned") == 1
    await bench.partitions.release()


async def test_a_changelog_is_given_the_partitions_that_its_source_was_given(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    widened: list[tuple[str, int]] = []

    async def widen(_: KafkaConfig, topic: str, partitions: int) -> None:
        widened.append((topic, partitions))

    monkeypatch.setattr(module, "widen", widen)
    await asyncio.wait_for(bench.begin(TP(TOPICS.usage, 5)), 5)
    assert widened == [("g-meter-changelog", 6)]
    await bench.partitions.release()


async def test_state_that_cannot_be_read_is_nobodys_here(bench: Bench) -> None:
    """All are let go: the group gives them to a worker that can read it."""
    bench.log = {b"0:head": msgspec.msgpack.encode(Head(generation=3, layout=LAYOUT + 1))}
    with pytest.raises(StateUnreadable):
        await bench.begin(RAW, USAGE)
    assert list(bench.partitions) == []
    assert sorted(event for event in bench.events if event.startswith("close")) == [
        "close g-meter-0",
        "close g-normaliser-0",
    ]
