"""What is read when somebody is to be told: the rollups of a series, and those of a day, from real brokers."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from alerts.incident import Incident
from alerts.slack.app import SlackApp
from alerts.slack.client import SlackReceiver
from streamer.config import Config, KafkaConfig
from streamer.config.showback import ShowbackConfig
from streamer.kafka.history import RollupHistory
from streamer.kafka.showback import Showbacks
from streamer.kafka.topics import Topics, ensure
from streamer.operate.kafka import last_records
from streamer.records import Anomaly, Rollup, Scope
from streamer.replay.topic import topic_records
from streamer.showback.marks import Marks
from streamer.windows.totals import COUNTS
from tests.alerts.build import alert, incident
from tests.brokers import Broker
from tests.slack.standin import TOKEN, SlackStandIn

pytestmark = pytest.mark.integration
ACME = "tenant=acme"


@asynccontextmanager
async def topics_on(broker: Broker) -> AsyncIterator[tuple[KafkaConfig, Topics, dict[str, int]]]:
    """Topics of their own, of two partitions."""
    prefix = f"t{uuid4().hex[:8]}."
    kafka = KafkaConfig(bootstrap=broker.bootstrap, topic_prefix=prefix, partitions=2, idempotence=False)
    topics = Topics.named(prefix)
    yield kafka, topics, await ensure(kafka, topics, {})


async def produce(kafka: KafkaConfig, topic: str, records: Iterable[tuple[str, Any]], tenant: str = "acme") -> None:
    """Write records into the tenant's partition, as a meter does."""
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        places = sorted(await producer.partitions_for(topic))
        place = producer._partition(topic, None, None, None, tenant.encode(), tenant.encode()) if len(places) > 1 else 0
        for key, record in records:
            await producer.send(topic, msgspec.json.encode(record), key.encode(), partition=place)


def rollup(start: datetime, series: str = ACME, usd: str = "0.5", **scope: str) -> tuple[str, Rollup]:
    counts = dict.fromkeys(COUNTS, 0)
    named, split = Scope(**scope), {"llm": Decimal(usd)}
    level = next((one for one in ("session", "agent", "use_case") if getattr(named, one)), "tenant")
    end = start + timedelta(seconds=10)
    fields = {**counts, "requests": 5, "usd": Decimal(usd), "usd_by_kind": split, "late": False, "part": 0}
    return series, Rollup(
        series=series,
        level=level,
        tenant="acme",
        scope=named,
        start=start,
        end=end,
        **fields,  # type: ignore[arg-type]
    )


def told(series: str = f"{ACME}#requests") -> Incident:
    """An incident that began now, by the clock that brokers go by."""
    now = datetime.now(UTC)
    made = alert(series=series, seconds=10.0)
    return incident(msgspec.structs.replace(made, opened_at=now, updated_at=now))


async def test_the_history_of_a_series_is_read_from_its_tenants_partition(broker: Broker) -> None:
    async with topics_on(broker) as (kafka, topics, counts):
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=300)
        windows = [rollup(start + timedelta(seconds=10 * n)) for n in range(30)]
        others = [rollup(start, f"{ACME}/use_case=u{n}", use_case=f"u{n}") for n in range(500)]
        await produce(kafka, topics.rollups, [*others, *windows, windows[-1]])
        found = await RollupHistory(kafka, topics, counts, seconds=10).of(told())
        assert found is not None
        assert (found.unit, [sample.value for sample in found.samples]) == ("requests a minute", [30.0] * 30)


async def test_the_history_of_a_session_is_read_from_the_topic_of_sessions(broker: Broker) -> None:
    """Its agent's is on the other; of before an upgrade, the session's is too."""
    async with topics_on(broker) as (kafka, topics, counts):
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=300)
        series = f"{ACME}/use_case=u/agent=a/session=s"
        windows = [
            rollup(start + timedelta(seconds=10 * n), series, use_case="u", agent="a", session="s") for n in range(20)
        ]
        await produce(kafka, topics.rollups, windows[:5])
        await produce(kafka, topics.session_rollups, windows[5:])
        history = RollupHistory(kafka, topics, counts, seconds=10)
        found = await history.of(told(f"{ACME}/session=s#loop"))
        assert found is not None
        assert (found.unit, len(found.samples)) == ("requests and calls a minute", 20)
        of_tenant = await history.of(told())
        assert of_tenant is None


async def test_a_history_is_bounded_in_records_and_in_time(broker: Broker) -> None:
    async with topics_on(broker) as (kafka, topics, counts):
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=3000)
        await produce(kafka, topics.rollups, [rollup(start + timedelta(seconds=10 * n)) for n in range(300)])
        newest = await RollupHistory(kafka, topics, counts, most_records=50, seconds=10).of(told())
        assert newest is not None
        # The embedded broker understates the end from which they are counted.
        assert 50 <= len(newest.samples) <= (50 if broker.name == "apache" else 150)
        begun = time.monotonic()
        assert await RollupHistory(kafka, topics, counts, seconds=0.0).of(told()) is None
        assert time.monotonic() - begun < 2


async def test_a_topic_is_replayed_to_its_newest_record(broker: Broker) -> None:
    async with topics_on(broker) as (kafka, topics, _):
        await produce(kafka, topics.rollups, [rollup(datetime.now(UTC)) for _ in range(300)])
        source = f"kafka://{kafka.bootstrap}/{topics.rollups}"

        def read(part: str) -> int:
            return len(list(topic_records(source + part, kafka)))

        assert [await asyncio.to_thread(read, part) for part in ("", "?from=250")] == [300, 50]
        newest = [record async for record in last_records(kafka, topics.rollups, most=3)]
        assert [record.offset for record in newest] == [297, 298, 299]


async def test_without_a_broker_there_is_no_history() -> None:
    kafka = KafkaConfig(bootstrap="127.0.0.1:1")
    topics = Topics.named("t.")
    assert await RollupHistory(kafka, topics, {topics.usage: 4, topics.rollups: 4}).of(told()) is None


async def test_a_showback_that_is_due_is_sent_once(broker: Broker) -> None:
    now = datetime.now(UTC)
    yesterday = now.replace(hour=12) - timedelta(days=1)
    day_before = yesterday - timedelta(days=1)
    series = f"{ACME}/use_case=support"
    rollups = [
        *(rollup(day, usd=usd) for day, usd in ((day_before, "10"), (yesterday, "15"))),
        *(rollup(day, series, usd, use_case="support") for day, usd in ((day_before, "10"), (yesterday, "12"))),
        rollup(now, usd="99"),
    ]
    anomaly = Anomaly(
        id="a1",
        kind="loop",
        tenant="acme",
        scope=Scope(use_case="support"),
        series="x",
        detector="loop",
        opened_at=yesterday,
        updated_at=yesterday,
        severity="warning",
        observed=6,
        expected=1,
        score=0.9,
        usd_excess=Decimal("3.20"),
        reason="search called 6 times",
    )
    async with topics_on(broker) as (kafka, topics, counts), SlackStandIn() as slack:
        await produce(kafka, topics.rollups, rollups)
        await produce(kafka, topics.anomalies, [("acme", anomaly)])
        one = ShowbackConfig(receiver="console", period="day", at="00:00")  # type: ignore[arg-type]
        config = Config(kafka=kafka, alerts={"showback": (one,)})  # type: ignore[arg-type]
        app = SlackApp(TOKEN, base_url=slack.base_url, timeout=5, spacing=0)
        showbacks, marks = Showbacks(config, topics, counts, {"console": SlackReceiver(app, "#finops")}), Marks()
        for _ in range(3):
            showbacks.send_due(marks, now.timestamp())
            await asyncio.wait_for(_sent(showbacks), 60)
        (message,) = slack.messages.values()
    assert message.text.startswith("acme spent $15.00 on ")
    assert message.text.endswith("50% more than the day before")
    shown = str(message.blocks)
    assert "$12.00  support  ▲ 20%" in shown
    assert "(none named)  new" in shown
    assert "$3.20 acme · support, loop: search called 6 times" in shown
    assert len(dict(marks.changes())) == 1


async def _sent(showbacks: Showbacks) -> None:
    if showbacks._sending is not None:
        await showbacks._sending
