"""Reads the public topics into the state, from as far back as they are shown, and tells the live pages what is new."""

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streamer.config import KafkaConfig
from streamer.kafka.connection import consumer_of
from streamer.kafka.topics import Topics
from streamer.page.live import Live
from streamer.page.state import PageState

log = structlog.get_logger()
_DAY = 86_400
# Between two turns of the event loop.
_MOST_RECORDS = 1000
# A broker answers once it has so much, or after so long: the worker commits many times a second, and whoever looks at a
# page does not see a quarter of one.
_FETCH_BYTES, _FETCH_MS = 1 << 20, 250


class Reader:
    """Follows every partition by itself, in no group: it costs the worker nothing, and has no offsets to lose."""

    def __init__(self, kafka: KafkaConfig, topics: Topics, history: float, state: PageState, live: Live) -> None:
        self._kafka, self._state, self._live, self._pulse = kafka, state, live, state.pulse
        self._since = {topics.rollups: history, topics.dead_letters: history, topics.anomalies: _DAY, topics.acks: _DAY}
        self._behind: dict[TopicPartition, int] = {}

    async def run(self, now: float) -> None:
        """Read until cancelled; `now` (epoch seconds) is what the pasts of the topics are counted from."""
        few = {"fetch_min_bytes": _FETCH_BYTES, "fetch_max_wait_ms": _FETCH_MS}
        consumer = consumer_of(self._kafka, *self._state.topics, auto_offset_reset="earliest", **few)
        async with consumer:
            await self._seek(consumer, now)
            ends = await consumer.end_offsets(consumer.assignment())
            self._behind, self._pulse.reading = dict(ends), "reading what is already there"
            while True:
                await self._read(consumer)

    async def _seek(self, consumer: AIOKafkaConsumer, now: float) -> None:
        """Go to where the past begins that is shown; a broker that cannot tell gives all it has."""
        since = {
            tp: round((now - self._since[tp.topic]) * 1000) for tp in consumer.assignment() if tp.topic in self._since
        }
        try:
            found = await consumer.offsets_for_times(since)
        except KafkaError as error:
            log.info("reading topics from their start", reason=repr(error))
            return
        for tp, offset in found.items():
            if offset is not None:
                consumer.seek(tp, offset.offset)
            else:
                await consumer.seek_to_end(tp)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        batches = await consumer.getmany(timeout_ms=200, max_records=_MOST_RECORDS)
        for tp, records in batches.items():
            for record in records:
                change = self._state.take(tp.topic, record.key, record.value)
                if change is not None and not self._behind:
                    self._live.tell(change)
        for tp in list(self._behind):
            if await consumer.position(tp) >= self._behind[tp]:
                del self._behind[tp]
        if not self._behind:
            self._pulse.reading = ""
