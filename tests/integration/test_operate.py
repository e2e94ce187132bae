"""The operator's commands on real brokers: what stands, what is wrong, and what to do about it."""

import asyncio
import time
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic

from tests.brokers import Broker, administering
from tests.integration.deployment import Deployment
from tests.integration.events import record, usage

pytestmark = pytest.mark.integration


@pytest.fixture
def deployment(broker: Broker, tmp_path: Path) -> Deployment:
    return Deployment(broker, tmp_path)


def test_missing_topics_are_named_and_made(deployment: Deployment) -> None:
    before = deployment.command("topics")
    assert (before.returncode, before.stdout.count("is missing")) == (1, 13)
    made = deployment.command("topics", "--create")
    assert made.returncode == 0, made.stdout + made.stderr[-2000:]
    assert made.stdout.count("ok  ") == 13


def test_the_doctor_and_the_status_of_a_deployment_that_works(deployment: Deployment, broker: Broker) -> None:
    # However long the commands take that come first: what is open stays so.
    with deployment.running(DETECT__LOOP__QUIET_SECONDS="600"):
        calls = {"kind": "tool", "tool": "search", "tool_args_hash": "aa", "session": "runaway"}
        events = [record(usage(n, tenant="acme", at=time.time(), **calls)) for n in range(8)]
        deployment.produce(deployment.topics.usage, events)
        deployment.consume_until(lambda found: bool(found[deployment.topics.alerts]), deployment.topics.alerts)
        doctor = deployment.command("doctor")
        assert (doctor.returncode, doctor.stderr) == (0, ""), doctor.stdout
        assert "BAD" not in doctor.stdout
        assert "the newest event was written" in doctor.stdout
        status = deployment.command("status")
    lines = {line.split()[0]: line for line in status.stdout.splitlines() if not line.startswith(" ")}
    assert status.returncode == 0, status.stderr[-3000:]
    assert "1 worker" in lines["group"]
    assert lines["incidents"].endswith("1 open")
    if broker.name == "apache":
        assert lines["checkpoint"].endswith("s old")


def test_topics_that_lose_their_state_are_found(apache_broker: object, deployment: Deployment, broker: Broker) -> None:
    if broker.name == "embedded":
        pytest.skip("the embedded broker keeps no settings")
    asyncio.run(_spoil(deployment, broker))
    found = deployment.command("topics")
    spoilt = next(line for line in found.stdout.splitlines() if deployment.topics.throttle + " has" in line)
    assert found.returncode == 1
    assert spoilt.startswith("BAD")
    assert "set cleanup.policy=compact" in spoilt
    small = next(line for line in found.stdout.splitlines() if deployment.topics.raw + " has" in line)
    assert "max.message.bytes=1000" in small


async def _spoil(deployment: Deployment, broker: Broker) -> None:
    async with administering(broker.bootstrap) as admin:
        await admin.create_topics([NewTopic(deployment.topics.throttle, 1, 1)])
        await admin.create_topics([NewTopic(deployment.topics.raw, 4, 1, topic_configs={"max.message.bytes": "1000"})])


def test_without_a_broker_it_says_so_in_a_line(tmp_path: Path) -> None:
    nowhere = Deployment(Broker("embedded", "127.0.0.1:1"), tmp_path)
    doctor, status = nowhere.command("doctor"), nowhere.command("status")
    assert (doctor.returncode, status.returncode) == (1, 1)
    assert "start it, or correct kafka.bootstrap" in doctor.stdout
    assert status.stderr.splitlines()[-1].startswith("tidegate: no Kafka broker answers at 127.0.0.1:1")
