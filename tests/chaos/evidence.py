"""What the deployment wrote, as a reader sees it that takes no record of a transaction that was not committed."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streamer.kafka.topics import Topics
from tests.chaos.totals import Totals
from tests.chaos.usage import TENANTS, Known

# Windows of 2 s close within 3 s of silence, and rollups of all tenants come in the meantime.
_QUIET = 3.5
# What does not come within this is not coming: a transaction that nobody ends is over much sooner.
_SILENCE = 30.0
_PATIENCE = 150.0


class Evidence:
    """The rollups, each counted once, and the anomalies; with what must not be among them.

    `contradictions` are rollups that were written twice and not alike; `repeats` are those that were, alike, each with
    both places and moments. A record that was only read twice, by its place, counts once.
    """

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._rollups: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.contradictions: list[tuple[Any, ...]] = []
        self.repeats: list[str] = []
        self.ids: dict[Known, set[str]] = {}
        self.openings: dict[str, list[str]] = defaultdict(list)
        self._read_to: dict[TopicPartition, int] = defaultdict(int)
        self._places: dict[tuple[Any, ...], str] = {}
        self._last = time.monotonic()
        self._written: list[float] = []
        self.delay = 0.0

    def read(self, bootstrap: str, complete: Callable[["Evidence"], bool]) -> None:
        """Read from the start until it is `complete` and nothing comes any more, or hope is lost."""
        asyncio.run(self._read(bootstrap, complete))

    async def _read(self, bootstrap: str, complete: Callable[["Evidence"], bool]) -> None:
        consumer = AIOKafkaConsumer(
            self._topics.rollups,
            self._topics.session_rollups,
            self._topics.anomalies,
            bootstrap_servers=bootstrap,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        self._last = time.monotonic()
        end = self._last + _PATIENCE
        async with consumer:
            while time.monotonic() < end and not self._quiet_for(_SILENCE):
                if self._quiet_for(_QUIET) and complete(self):
                    return
                for tp, batch in (await consumer.getmany(timeout_ms=200)).items():
                    for record in batch:
                        # aiokafka begins anew where it finds that the topics have changed.
                        if record.offset >= self._read_to[tp]:
                            self._read_to[tp] = record.offset + 1
                            self._take(record)

    @property
    def totals(self) -> Totals:
        """The sum of all rollups."""
        totals = Totals()
        for rollup in self._rollups.values():
            totals.metered(rollup)
        return totals

    def pauses(self, longest: int) -> list[float]:
        """Give the longest times, in seconds, in which no rollup was written."""
        moments = sorted(self._written)
        return sorted((b - a for a, b in pairwise(moments)), reverse=True)[:longest]

    def _quiet_for(self, seconds: float) -> bool:
        return time.monotonic() - self._last > seconds

    def _take(self, record: ConsumerRecord) -> None:
        self._last = time.monotonic()
        found, place = (
            msgspec.json.decode(record.value),
            f"{record.topic}:{record.partition}:{record.offset} at {record.timestamp}",
        )
        if record.topic == self._topics.anomalies:
            self._take_anomaly(found, place)
        else:
            self._take_rollup(found, record.timestamp / 1000, place)

    def _take_rollup(self, rollup: dict[str, Any], written: float, place: str) -> None:
        key = (rollup["series"], rollup["start"], rollup["part"])
        if (earlier := self._rollups.get(key)) is not None:
            self.repeats.append(f"{key}: {self._places[key]} and {place}")
            if earlier != rollup:
                self.contradictions.append(key)
        self._rollups[key], self._places[key] = rollup, place
        self._written.append(written)
        # Others tell of windows that were over when their usage was sent.
        if rollup["tenant"] in TENANTS and not rollup["late"]:
            self.delay = max(self.delay, written - datetime.fromisoformat(rollup["end"]).timestamp())

    def _take_anomaly(self, anomaly: dict[str, Any], place: str) -> None:
        known = Known(anomaly["tenant"], anomaly["kind"], anomaly["series"])
        self.ids.setdefault(known, set()).add(anomaly["id"])
        if anomaly["state"] == "opened":
            self.openings[anomaly["id"]].append(place)
