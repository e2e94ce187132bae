"""`tidegate doctor`: looks at all that Tidegate stands on, and says what to do about what is not good."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import msgspec
from aiokafka.errors import KafkaError

from streamer.config import Config
from streamer.kafka.topics import Topics
from streamer.operate import kafka, permissions, slack, topics
from streamer.operate.finding import Finding
from streamer.records import Rollup

# By so much another machine's clock may differ.
_APART = 5.0
# Of so many events without a price something is to be said.
_UNPRICED = 0.01


async def examine(config: Config, now: float) -> list[Finding]:
    """Look at everything; what cannot be looked at is a finding too. `now` is this machine's time (epoch seconds)."""
    looks: list[Callable[[], Awaitable[list[Finding]]]] = [
        lambda: topics.look(config.kafka),
        lambda: permissions.topics(config.kafka),
        lambda: permissions.group(config.kafka),
        lambda: permissions.transactions(config.kafka),
        lambda: _clock(config, now),
        lambda: _prices(config),
        lambda: slack.look(config, now),
    ]
    try:
        async with asyncio.timeout(config.kafka.connect_seconds):
            found = [await kafka.brokers(config.kafka)]
    except (KafkaError, OSError, TimeoutError) as error:
        todo = "start it, or correct kafka.bootstrap and how we sign in"
        return [Finding("bad", f"no broker answers at {config.kafka.bootstrap} ({error})", todo), *await looks[-1]()]
    for look in looks:
        found += await _tried(look)
    return [*found, _access(config)]


async def _tried(look: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    try:
        return await look()
    except (KafkaError, OSError, TimeoutError) as error:
        return [Finding("look", f"could not be looked at: {error!r}", "see Kafka's log")]


async def _clock(config: Config, now: float) -> list[Finding]:
    """Hold our clock against those of whoever writes to our topics: the newest record is of the past."""
    written = await kafka.newest(config.kafka, Topics.named(config.kafka.topic_prefix).usage)
    if written is None:
        return [Finding("look", "no event has come yet, to hold this clock against")]
    if written > now + _APART:
        return [Finding("bad", f"an event was written {written - now:.0f} s from now", "synchronise the clocks (NTP)")]
    return [Finding("good", f"the newest event was written {now - written:.0f} s ago")]


async def _prices(config: Config) -> list[Finding]:
    """Say how many of the last windows' events have no price."""
    topic = Topics.named(config.kafka.topic_prefix).rollups
    records = [record async for record in kafka.last_records(config.kafka, topic)]
    rollups = [msgspec.json.decode(record.value, type=Rollup) for record in records if record.value]
    return [priced([rollup for rollup in rollups if rollup.level == "tenant"])]


def priced(rollups: list[Rollup]) -> Finding:
    """Say how many events have no price, and of whom."""
    events, unpriced = sum(one.events for one in rollups), sum(one.unpriced for one in rollups)
    if not events:
        return Finding("look", "no window has been closed yet, to see whether all has its price")
    if unpriced <= events * _UNPRICED:
        spent = sum((one.usd for one in rollups), start=Decimal(0))
        return Finding("good", f"{events - unpriced:,} of the last {events:,} events have a price: ${spent:,.2f}")
    who = ", ".join(sorted({one.tenant for one in rollups if one.unpriced})[:5])
    return Finding("look", f"{unpriced:,} of the last {events:,} events have no price ({who})", "add them to [pricing]")


def _access(config: Config) -> Finding:
    page = config.page
    if page.open:
        return Finding("look", "the page is open to whoever reaches it", "name page.people, or be sure of the wall")
    if not page.people:
        return Finding("good", "the page listens on loopback only, and lets in whoever is on this machine")
    operators = sum(person.operator for person in page.people)
    return Finding("good", f"the page knows {len(page.people)} people, {operators} of them operators")
