"""The gateway's client, without a broker: what it says of commands, and what it does without news of Kafka."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from alerts.throttle.admission import Request
from alerts.throttle.command import Ack, Command, CommandReason, CommandScope
from streamer.clock import utc
from streamer.config import GatewayConfig, KafkaConfig
from streamer.gateway.client import GatewayClient
from streamer.web.metrics import Metrics
from tests.streamer.kafka.fakes import sample
from tests.streamer.samples import NOW

SCOPE = CommandScope("acme", session="s1")
REQUEST = Request(tenant="acme", session="s1")


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


class Record:
    """A record of the throttle topic."""

    offset = 7

    def __init__(self, value: bytes | None, key: bytes | None = SCOPE.key().encode()) -> None:
        self.key, self.value = key, value


def command(generation: int = 1, action: Any = "pause", **changes: Any) -> Record:
    made = Command(
        id=f"c{generation}",
        scope=SCOPE,
        action=action,
        mode="enforce",
        reason=CommandReason("i", "loop", "why", 1, 1, "1"),
        issued_at=utc(NOW),
        expires_at=utc(NOW) + timedelta(seconds=60),
        generation=generation,
    )
    return Record(msgspec.json.encode(msgspec.structs.replace(made, **changes)))


def client(clock: Clock | None = None, metrics: Metrics | None = None, **gateway: Any) -> GatewayClient:
    config = GatewayConfig.model_validate({"name": "edge-1", **gateway})
    return GatewayClient(KafkaConfig(), config, metrics, clock=clock or Clock())


def said(found: GatewayClient, *records: Record, aloud: bool = True) -> list[Ack]:
    for record in records:
        found._take(record, aloud=aloud)
    return [found._acks.get_nowait()[1] for _ in range(found._acks.qsize())]


async def test_all_who_come_before_the_topic_is_read_wait_for_it_together() -> None:
    found = client()
    waiting = [asyncio.create_task(found.read_within(60.0)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(one.done() for one in waiting)
    found.caught_up.set()
    assert await asyncio.gather(*waiting) == [True, True, True]


async def test_nobody_waits_for_the_topic_once_that_was_in_vain() -> None:
    found = client()
    assert not await found.read_within(0.01)
    async with asyncio.timeout(10):
        assert not await found.read_within(3600.0)


def test_each_command_that_is_news_is_acknowledged_once() -> None:
    records = [command(), command(), command(2, "release"), command(), Record(None)]
    acks = said(client(), *records)
    assert [(ack.command, ack.state, ack.gateway) for ack in acks] == [
        ("c1", "applied", "edge-1"),
        ("c2", "released", "edge-1"),
    ]


def test_suggestions_and_what_was_there_before_are_not_acknowledged_one_by_one() -> None:
    assert said(client(), command(mode="suggest")) == []
    assert said(client(), command(), aloud=False) == []


@pytest.mark.parametrize(
    "record", [Record(b"garbage"), Record(b"{}", b"\xff"), Record(b"\xff", None), Record(b""), Record(b"[]")]
)
def test_garbage_is_counted_and_stops_nothing(record: Record) -> None:
    metrics = Metrics()
    found = client(metrics=metrics)
    assert [ack.state for ack in said(found, record, command())] == ["applied"]
    assert sum(s.value for m in metrics.rejected.collect() for s in m.samples if s.name.endswith("total")) == 1
    assert not found.decide(REQUEST).allowed


def test_a_command_that_cannot_be_obeyed_is_refused_with_its_reason() -> None:
    (ack,) = said(client(), command(action="limit_rate"))
    assert (ack.command, ack.state) == ("c1", "refused")
    assert "requests_per_minute" in ack.detail


@pytest.mark.parametrize(
    "value",
    [b"[" * 5000, b'{"id":"c1","x":' + b"[" * 5000, command(action="limit_rate").value[:-1] + b',"x":' + b"[" * 5000],
)
def test_a_record_that_nests_too_deep_stops_nothing(value: bytes) -> None:
    found = client()
    assert said(found, Record(value), command(2))[-1].command == "c2"
    assert not found.decide(REQUEST).allowed


@pytest.mark.parametrize("action, param", [("limit_rate", "requests_per_minute"), ("cap_steps", "steps")])
def test_a_number_that_nobody_can_count_to_is_refused_and_stops_no_request(action: str, param: str) -> None:
    found = client()
    value = command(action=action, params={param: 1}).value
    assert value is not None
    (ack,) = said(found, Record(value.replace(b":1}", b":1" + b"0" * 400 + b"}", 1)))
    assert (ack.state, found.decide(REQUEST).allowed) == ("refused", True)


def test_without_a_name_a_gateway_has_its_hosts() -> None:
    assert GatewayClient(KafkaConfig(), GatewayConfig()).name


@pytest.mark.parametrize(("outage", "allowed"), [("open", True), ("closed", False)])
def test_what_happens_before_the_topic_is_read_and_while_kafka_is_away_is_configured(
    outage: str, allowed: bool
) -> None:
    clock, metrics = Clock(), Metrics()
    found = client(clock, metrics, outage=outage, outage_seconds=30)
    assert found.decide(REQUEST).allowed == allowed
    found.caught_up.set()
    found._seen_at = clock.now
    clock.now += 30
    assert found.decide(REQUEST).allowed
    clock.now += 1
    assert found.decide(REQUEST).allowed == allowed
    assert found.why_blind(clock.now) == "no news of Kafka for 30 s"
    assert sample(metrics, "tidegate_decisions_total", verdict="outage") == (0 if allowed else 2)


def test_while_kafka_is_away_known_commands_hold_until_they_expire() -> None:
    clock = Clock()
    found = client(clock, outage_seconds=10)
    said(found, command())
    clock.now += 59
    assert not found.decide(REQUEST).allowed
    clock.now += 1
    assert found.decide(REQUEST).allowed
