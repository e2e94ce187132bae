"""Stand-ins of Kafka in memory: records, a consumer that knows positions, a producer that keeps what it is given."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from aiokafka.errors import KafkaTimeoutError
from faust.types import TP

from streamer.kafka.batches import Batches
from streamer.kafka.journal import Journal, OrderedJournal
from streamer.kafka.runner import Runner
from streamer.kafka.stage import Stage
from streamer.kafka.topics import Topics
from streamer.kafka.transport import Run
from streamer.web.metrics import Metrics

TOPICS = Topics.named("t.")
USAGE = TP(TOPICS.usage, 0)
LOG = "t-meter-changelog"


@dataclass
class Fake:
    """A consumed record."""

    value: bytes | None
    topic: str = TOPICS.usage
    offset: int = 0
    partition: int = 0
    headers: Sequence[tuple[str, bytes | None]] = ()


def run(values: Sequence[bytes], base: int = 0, tp: TP = USAGE) -> Run:
    """The values as a run that begins at offset `base`."""
    records = [Fake(value, tp.topic, base + place, tp.partition) for place, value in enumerate(values)]
    return Run(tp, base, base + len(values), records)


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    """The value of one metric, 0 where it was never set."""
    return metrics.registry.get_sample_value(name, labels) or 0.0


@dataclass
class FakeConsumer:
    """What a runner asks of the consumer; every call is written into `journal`."""

    journal: list[str] = field(default_factory=list)
    accepts: bool = True
    answers: bool = True
    committed: dict[TP, int] = field(default_factory=dict)
    rewinds: list[tuple[TP, int]] = field(default_factory=list)
    ends: dict[TP, int] = field(default_factory=dict)
    handed: dict[TP, int] = field(default_factory=dict)
    rejoined: int = 0

    async def commit_positions(self, positions: Mapping[TP, int]) -> bool:
        if not self.answers:
            self.journal.append("no answer")
            raise KafkaTimeoutError
        self.journal.append("commit" if self.accepts else "refused")
        if self.accepts:
            self.committed.update(positions)
        return self.accepts

    async def rewind(self, tp: TP, offset: int) -> None:
        self.rewinds.append((tp, offset))

    async def rejoin(self) -> None:
        self.rejoined += 1

    def end_of(self, tp: TP) -> int | None:
        return self.ends.get(tp)

    def handed_over(self, tp: TP) -> int | None:
        return self.handed.get(tp)


class FakeBatch:
    """A batch that holds any number of records, or `most`."""

    def __init__(self, most: int = 1000) -> None:
        self.records: list[tuple[bytes, bytes | None]] = []
        self._most = most

    def append(self, *, timestamp: int, key: bytes, value: bytes | None) -> object | None:
        if len(self.records) == self._most:
            return None
        self.records.append((key, value))
        return timestamp

    def record_count(self) -> int:
        return len(self.records)

    def close(self) -> None:
        pass


class FakeProducer:
    """Keeps what it is sent, by topic; `answer` may refuse a record, or give a future that is not done."""

    def __init__(self, journal: list[str] | None = None, *, partitions: int = 4, batch: int = 1000) -> None:
        self.journal = [] if journal is None else journal
        self.sent: list[tuple[str, bytes | None, bytes]] = []
        self.places: list[tuple[TP, bytes]] = []
        self.answer: Callable[[str, bytes], asyncio.Future[object] | None] = lambda _, __: None
        self._partitions, self._batch = partitions, batch

    async def partitions_for(self, _: str) -> set[int]:
        return set(range(self._partitions))

    def create_batch(self) -> FakeBatch:
        return FakeBatch(self._batch)

    async def send_batch(self, batch: FakeBatch, topic: str, *, partition: int) -> asyncio.Future[object]:
        answers = [self._take(topic, key, value, partition) for key, value in batch.records]
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return next((answer for answer in answers if answer is not None), done)

    def _take(self, topic: str, key: bytes, value: bytes | None, partition: int) -> asyncio.Future[object] | None:
        answer = self.answer(topic, key)
        self.sent.append((topic, value, key))
        self.journal.append(f"{topic} {key.decode()}")
        self.places.append((TP(topic, partition), key))
        return answer

    def values(self, topic: str) -> list[bytes | None]:
        """The values sent to a topic, in order."""
        return [value for name, value, _ in self.sent if name == topic]

    def log(self, topic: str = LOG) -> dict[bytes, bytes]:
        """What a compacted topic keeps."""
        kept: dict[bytes, bytes] = {}
        for name, value, key in self.sent:
            if name == topic:
                kept.pop(key, None) if value is None else kept.update({key: value})
        return kept


def runner_of(
    stage: Stage,
    consumer: FakeConsumer,
    producer: FakeProducer,
    *,
    sources: Iterable[TP] = (USAGE,),
    changelog: str | None = LOG,
    metrics: Metrics | None = None,
    journal: Journal | None = None,
    turns: asyncio.Lock | None = None,
) -> Runner:
    """A runner on the stand-ins, by default for a broker without transactions."""
    log = TP(changelog, 0) if changelog else None
    return Runner(
        stage,
        sources,
        journal or OrderedJournal(Batches(cast(Any, producer)), consumer.commit_positions, log),
        consumer=cast(Any, consumer),
        metrics=metrics or Metrics(),
        every=1.0,
        turns=turns or asyncio.Lock(),
        runners=lambda: 4,
        keeps_state=changelog is not None,
    )
