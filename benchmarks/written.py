"""What a worker at full load writes, recorded once and written again and again as of now: for what reads it."""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import islice

import msgspec
from aiokafka import AIOKafkaProducer

from benchmarks import topics
from benchmarks.events import stream
from benchmarks.load import fresh
from streamer.config import BurstConfig, Config, DetectConfig
from streamer.demo.traffic import rfc3339
from streamer.events.decoder import Decoder
from streamer.kafka.stage import Out
from streamer.kafka.stages import MeterStage
from streamer.kafka.topics import Topics
from streamer.pipeline import Pipeline
from streamer.web.metrics import Metrics

# Seconds of event time: until what is usual is known, and those that are kept, for in a minute each series tells once
# what is usual. And what is metered, and later written, at a time.
_LEARNING, _CYCLE, _STEP = 80.0, 60.0, 0.1
_CONFIG = Config(detect=DetectConfig(burst=BurstConfig(warm_up_seconds=60)))
_WINDOW = _CONFIG.windows.size_seconds
# Any whole minute.
_BEGIN = 1_790_000_040.0
# Events that are repeated, as other sessions, and those a second of event time. At 15,000 a second, which a worker
# carries at its best, the same entities close as many windows, of more events, and there are three times the sessions.
_MADE, _RATE, _SESSIONS = 100_000, 2_500, 3
_TIME = re.compile(rb'"(\d{4}-\d\d-\d\dT[^"]*)"')


class Written(msgspec.Struct, gc=False):
    """A record: when it is written (seconds from the beginning), what kind of topic it goes to, and where there."""

    at: float
    topic: str
    partition: int
    key: bytes
    value: bytes


class _Record(msgspec.Struct):
    value: bytes | None
    offset: int
    partition: int
    topic: str = "usage"
    headers: Sequence[tuple[str, bytes | None]] = ()


def recorded() -> list[Written]:
    """Meter some minutes of the benchmarks' events, and keep what comes of the last."""
    named = Topics.named("")
    kinds = {named.rollups: "rollups", named.session_rollups: "session_rollups", named.anomalies: "anomalies"}
    found = [
        Written(at - _LEARNING, kinds[out.topic], partition, out.key.encode(), out.value)
        for at, partition, out in _metered()
        if at >= _LEARNING and out.value and out.topic in kinds
    ]
    return [one for one in found for _ in range(_SESSIONS if one.topic == "session_rollups" else 1)]


def _metered() -> Iterator[tuple[float, int, Out]]:
    """Give what each partition's stage says, with the second at which it does."""
    stages = [_stage(number) for number in range(topics.PARTITIONS)]
    at, offset = 0.0, 0
    events = fresh(stream().first(_MADE), lambda: _BEGIN + at)
    while at < _LEARNING + _CYCLE:
        taken: dict[int, list[_Record]] = defaultdict(list)
        for key, value in islice(events, round(_RATE * _STEP)):
            partition = topics.partition_of(key)
            taken[partition].append(_Record(value, offset, partition))
            offset += 1
        for partition, records in taken.items():
            for out in stages[partition].apply(records, _BEGIN + at):
                yield at, partition if out.partition is not None else 0, out
            stages[partition].touched()
        at += _STEP


def _stage(number: int) -> MeterStage:
    return MeterStage(Decoder(), Pipeline(_CONFIG), Topics.named(""), Metrics(), number)


class Player:
    """Writes a recording over and over, each record in its time and as of now, to the topics with one of two prefixes.

    Which of them says `aside`: what reads the topics of the first prefix finds nothing of what was written to those of
    the second meanwhile, and yet the broker has as much to do.
    """

    def __init__(self, recording: Sequence[Written], prefixes: tuple[str, str]) -> None:
        self._recording = sorted(recording, key=lambda one: one.at)
        self._topics = tuple(Topics.named(prefix) for prefix in prefixes)
        self.aside = False

    async def run(self, bootstrap: str) -> None:
        """Write until cancelled."""
        began, turn, place = time.time(), 0, 0
        # What is told began when it is now, on the grid of the windows.
        shift = began // _WINDOW * _WINDOW - _BEGIN - _LEARNING
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=512 << 10) as producer:
            while True:
                due = time.time() - began - turn * _CYCLE
                batch = []
                while place < len(self._recording) and self._recording[place].at <= due:
                    batch.append(self._recording[place])
                    place += 1
                await self._send(producer, batch, shift + turn * _CYCLE)
                if place == len(self._recording) and due >= _CYCLE:
                    turn, place = turn + 1, 0
                await asyncio.sleep(_STEP)

    async def _send(self, producer: AIOKafkaProducer, records: Sequence[Written], shift: float) -> None:
        named, batches = self._topics[self.aside], dict[tuple[str, int], list[Written]]()
        for one in records:
            batches.setdefault((getattr(named, one.topic), one.partition), []).append(one)
        for (topic, partition), mine in batches.items():
            made = producer.create_batch()
            for one in mine:
                if made.append(key=one.key, value=_moved(one.value, shift), timestamp=None) is None:
                    await producer.send_batch(made, topic, partition=partition)
                    made = producer.create_batch()
                    made.append(key=one.key, value=_moved(one.value, shift), timestamp=None)
            await producer.send_batch(made, topic, partition=partition)


def _moved(value: bytes, shift: float) -> bytes:
    """Give a record as it would have been so many seconds later."""
    return _TIME.sub(lambda found: _later(found[1], shift), value)


@lru_cache(maxsize=10_000)
def _later(text: bytes, shift: float) -> bytes:
    return b'"%s"' % rfc3339(datetime.fromisoformat(text.decode()).timestamp() + shift).encode()
