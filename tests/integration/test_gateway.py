"""A gateway on Apache Kafka: people's words reach it, and neither a killed worker nor a cut line is the end."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts.throttle.admission import Decision, Request
from alerts.throttle.command import Command, CommandReason, CommandScope
from streamer.clock import utc, wall
from streamer.config import GatewayConfig, KafkaConfig
from streamer.gateway.client import GatewayClient
from streamer.kafka.topics import ensure
from tests.brokers import Broker
from tests.brokers.apache import ApacheKafka, JarsKafka
from tests.chaos.line import Line
from tests.integration.deployment import Deployment, Process, until
from tests.integration.events import record, usage

pytestmark = pytest.mark.integration
ENFORCE = '[{"kind": "loop", "scope": "session", "action": "pause", "mode": "enforce", "expires_seconds": 6}]'
SUGGEST = '[{"kind": "loop", "scope": "session", "action": "pause", "expires_seconds": 600}]'


def decision(gateway: Process, session: str = "runaway") -> dict[str, Any]:
    body = json.dumps({"tenant": "acme", "session": session}).encode()
    with urllib.request.urlopen(f"{gateway.url}/v1/decide", body) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return {"allowed": True, "verdict": "allow", **found}


def turns(times: int) -> Iterator[tuple[str, bytes]]:
    call = {"kind": "tool", "tool": "search", "tool_args_hash": "aa", "agent": "triage", "session": "runaway"}
    return map(record, (usage(n, tenant="acme", at=time.time(), **call) for n in range(times)))


def said(deployment: Deployment, verdict: str, incident: str) -> None:
    done = deployment.command("feedback", verdict, "--incident", incident, "--by", "ann")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_persons_word_reaches_the_gateway_and_survives_a_killed_worker_and_bad_records(
    apache_broker: ApacheKafka, tmp_path: Path
) -> None:
    deployment = Deployment(
        Broker("apache", apache_broker.bootstrap),
        tmp_path,
        THROTTLE__POLICIES=SUGGEST,
        THROTTLE__HOLD_SECONDS="0",
        THROTTLE__TOMBSTONE_SECONDS="1",
        THROTTLE__COOL_DOWN_SECONDS="0",
        DETECT__LOOP__QUIET_SECONDS="600",
        GATEWAY__NAME="edge-1",
        TRUST__GATEWAYS='["edge-1"]',
        TRUST__PEOPLE='["ann"]',
    )
    topics = deployment.topics
    with deployment.running() as first, deployment.running("gateway") as gateway:
        deployment.produce(topics.usage, turns(8))
        found = deployment.consume_until(lambda found: bool(found[topics.throttle]), topics.throttle)
        incident = found[topics.throttle][0]["reason"]["incident"]
        assert decision(gateway)["allowed"]
        said(deployment, "throttle", incident)
        until(lambda: not decision(gateway)["allowed"], "the gateway to refuse")
        assert decision(gateway, "another")["allowed"]
        deployment.consume_until(lambda found: _said(found[topics.acks]) == ["applied"], topics.acks)
        first.kill()
        deployment.produce(topics.throttle, [("x", b"[]"), ("tenant=acme/session=runaway", b"{}")])
        stranger = {"command": "c", "gateway": "edge-2", "state": "applied", "at": "2026-11-22T10:00:00Z"}
        deployment.produce(topics.acks, [("x", b"garbage"), ("x", json.dumps(stranger).encode())])
        until(lambda: gateway.metric("tidegate_rejected_total") == 2, "the gateway to pass the bad records over")
        assert not decision(gateway)["allowed"]
        with deployment.running() as second, deployment.running("gateway", GATEWAY__NAME="edge-2") as late:
            until(lambda: second.metric("tidegate_commands_live") == 1, "the command to be known again")
            until(lambda: second.metric("tidegate_rejected_total") >= 3, "bad acknowledgements to be refused")
            assert not decision(late)["allowed"]
            said(deployment, "release", incident)
            until(lambda: decision(gateway)["allowed"] and decision(late)["allowed"], "the gateways to let it go")
            found = deployment.consume_until(lambda found: None in found[topics.throttle], topics.throttle)
    commands = [one for one in found[topics.throttle] if one]
    assert [(one["action"], one["mode"], one["generation"]) for one in commands] == [
        ("pause", "suggest", 1),
        ("pause", "enforce", 2),
        ("release", "enforce", 3),
    ]


def test_a_killed_workers_commands_are_continued_by_the_next_and_let_go_when_their_cause_is_over(
    apache_broker: ApacheKafka, tmp_path: Path
) -> None:
    """Nobody but the next worker knows what the killed one had in force, and it has it from the last checkpoint."""
    deployment = Deployment(
        Broker("apache", apache_broker.bootstrap),
        tmp_path,
        THROTTLE__POLICIES=ENFORCE,
        THROTTLE__HOLD_SECONDS="0",
        DETECT__LOOP__QUIET_SECONDS="20",
        GATEWAY__NAME="edge-1",
    )
    throttle = deployment.topics.throttle
    with deployment.running() as first, deployment.running("gateway") as gateway:
        deployment.produce(deployment.topics.usage, turns(8))
        until(lambda: not decision(gateway)["allowed"], "the gateway to refuse")
        first.kill()
        killed = utc(wall()).isoformat()
        with deployment.running():
            found = deployment.consume_until(lambda found: _ends_with_a_release(found[throttle]), throttle)
            until(lambda: decision(gateway)["allowed"], "the gateway to let it go")
    commands = found[throttle]
    assert [one["generation"] for one in commands] == list(range(1, len(commands) + 1))
    assert {one["action"] for one in commands[:-1]} == {"pause"}
    assert {one["scope"]["session"] for one in commands} == {"runaway"}
    # It was still open when the next worker took over, and so was renewed before it was let go.
    assert [one["action"] for one in commands if one["issued_at"] > killed][:1] == ["pause"]


def _ends_with_a_release(commands: list[Any]) -> bool:
    return bool(commands) and commands[-1]["action"] == "release"


def _said(acks: list[Any]) -> list[str]:
    return [ack["state"] for ack in acks if "state" in ack]


def _command(session: str, seconds: float) -> tuple[str, bytes]:
    now = utc(wall())
    scope = CommandScope("acme", session=session)
    command = Command(
        id=f"c-{session}",
        scope=scope,
        action="pause",
        mode="enforce",
        reason=CommandReason("i", "loop", "why", 6, 1, "1"),
        issued_at=now,
        expires_at=now + timedelta(seconds=seconds),
        generation=1,
    )
    return scope.key(), msgspec.json.encode(command)


async def test_a_gateway_that_is_cut_off_goes_by_what_it_knows_and_finds_back(
    apache_broker: ApacheKafka, tmp_path: Path
) -> None:
    """Closed after a while, because it is configured so; what was issued in the meantime holds when it is back."""
    if not isinstance(apache_broker, JarsKafka):
        pytest.skip("the lines to this broker are not ours to cut")
    deployment = Deployment(Broker("apache", apache_broker.bootstrap), tmp_path)
    place = apache_broker.lines[0]
    prefix = deployment.topics.raw.removesuffix("raw")
    await ensure(KafkaConfig(bootstrap=apache_broker.bootstrap), deployment.topics, {})
    config = GatewayConfig(name="edge", outage="closed", outage_seconds=1.5, check_seconds=0.2)
    with Line(place.client, place.broker) as line:
        client = GatewayClient(KafkaConfig(bootstrap=place.client, topic_prefix=prefix), config)
        running = asyncio.create_task(client.run())
        await asyncio.wait_for(client.caught_up.wait(), 60)
        await asyncio.to_thread(deployment.produce, deployment.topics.throttle, [_command("s1", 600)])
        await _until(lambda: _asked(client, "s1").verdict == "pause")
        line.cut("silence")
        assert (_asked(client, "s1").verdict, _asked(client, "s2").verdict) == ("pause", "allow")
        await _until(lambda: _asked(client, "s2").verdict == "outage")
        await asyncio.to_thread(deployment.produce, deployment.topics.throttle, [_command("s2", 600)])
        line.mend()
        await _until(lambda: _asked(client, "s2").verdict == "pause")
        assert _asked(client, "s3").allowed
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_gateways_whose_clocks_are_a_minute_apart_begin_and_end_a_command_together(
    apache_broker: ApacheKafka, tmp_path: Path
) -> None:
    """One is half a minute ahead of the worker, where a command of two seconds would be void as it comes."""
    deployment = Deployment(Broker("apache", apache_broker.bootstrap), tmp_path)
    kafka = KafkaConfig(bootstrap=apache_broker.bootstrap, topic_prefix=deployment.topics.raw.removesuffix("raw"))
    await ensure(kafka, deployment.topics, {})
    apart = (-30.0, 0.0, 30.0)
    clients = [GatewayClient(kafka, GatewayConfig(name=f"at {by:g}"), clock=_ahead(by)) for by in apart]
    running = [asyncio.create_task(client.run()) for client in clients]
    for client in clients:
        await asyncio.wait_for(client.caught_up.wait(), 60)
    issued = time.monotonic()
    await asyncio.to_thread(deployment.produce, deployment.topics.throttle, [_command("s1", 2)])
    await _until(lambda: not any(_asked(client, "s1").allowed for client in clients))
    await _until(lambda: any(_asked(client, "s1").allowed for client in clients))
    assert time.monotonic() - issued >= 1.9
    first = time.monotonic()
    await _until(lambda: all(_asked(client, "s1").allowed for client in clients))
    assert time.monotonic() - first < 2
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def _ahead(by: float) -> Callable[[], float]:
    return lambda: wall() + by


def _asked(client: GatewayClient, session: str) -> Decision:
    return client.decide(Request(tenant="acme", session=session))


async def _until(holds: Any) -> None:
    await asyncio.to_thread(until, holds, "the gateway to change its mind")
