"""The state into a file and back, that of a release taken up by this version, that of a newer version refused."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from streamer.kafka.checkpoint import Head
from streamer.kafka.layout import LAYOUT
from streamer.kafka.topics import administering, changelog
from tests.brokers import Broker
from tests.brokers.apache import ApacheKafka
from tests.integration.deployment import Deployment, until
from tests.integration.events import metered, produced, record, usage
from tests.streamer.kafka.golden import AFTER, BEFORE, GROUP, TOPICS, Stages, file_of
from tests.streamer.kafka.golden import usage as golden_usage
from tests.streamer.kafka.test_layout import GOLDEN, rollups
from tests.streamer.samples import NOW

pytestmark = pytest.mark.integration


@pytest.fixture
def deployment(apache_broker: ApacheKafka, tmp_path: Path) -> Deployment:
    return Deployment(Broker("apache", apache_broker.bootstrap), tmp_path)


def work_through(deployment: Deployment, events: list[dict[str, Any]], counted: int) -> None:
    """Have a worker count events, and end in order."""
    with deployment.running() as worker:
        deployment.produce(deployment.topics.usage, map(record, events))
        until(lambda: worker.metric("tidegate_events_total", outcome="counted") == counted, "the events to be counted")
        assert worker.terminate() == 0


def test_a_state_is_put_back_and_the_worker_goes_on_from_it_exactly(deployment: Deployment, tmp_path: Path) -> None:
    """Nothing is left of what it replaces, though that has checkpoints of higher numbers."""
    events, file = [usage(n) for n in range(600)], str(tmp_path / "state.zst")
    work_through(deployment, events[:300], 300)
    made = deployment.command("backup", file)
    assert (made.returncode, made.stdout.startswith(f"{file}: ")) == (0, True), made.stderr[-2000:]
    work_through(deployment, events[300:500], 200)  # what the backup does not know of
    refused = deployment.command("restore", file)
    why = "there is state already: --replace has the backup's take its place"
    assert (refused.returncode, refused.stderr) == (1, f"tidegate: {why}\n")
    back = deployment.command("restore", file, "--replace")
    assert back.returncode == 0, back.stderr[-2000:]
    topics = deployment.topics
    with deployment.running() as worker:
        deployment.produce(topics.usage, map(record, [*events[500:], *events[:50]]))
        deployment.consume_until(lambda found: metered(found[topics.rollups]) == produced(events), topics.rollups)
        until(lambda: worker.metric("tidegate_events_total", outcome="duplicate") == 50, "the repeats to be seen")
        assert worker.metric("tidegate_events_total", outcome="counted") == 300  # 200 of them for the second time
        for command in ("backup", "restore"):
            refused = deployment.command(command, file)
            assert refused.returncode == 1
            assert f"1 worker of {deployment.group} runs: stop it first" in refused.stderr


def test_the_backup_of_another_deployment_is_refused(deployment: Deployment) -> None:
    refused = deployment.command("restore", str(file_of(LAYOUT)))
    assert refused.returncode == 1
    assert "the backup is of group tidegate over topics tidegate.*" in refused.stderr


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_worker_takes_up_the_state_of_a_release(path: Path, apache_broker: ApacheKafka, tmp_path: Path) -> None:
    stages = Stages()
    stages.run(0, BEFORE)
    # To the last window: totals that the worker passes through on its way could be missed.
    expected = metered(rollups([*stages.run(BEFORE, BEFORE + AFTER), *stages.meter.tick(NOW + BEFORE + AFTER + 600)]))
    names = {"KAFKA__GROUP": GROUP, "KAFKA__TOPIC_PREFIX": "tidegate.", "KAFKA__PARTITIONS": "1"}
    names["PRICING__PRICES"] = '[{"kind": "tool", "each": "0.01"}]'
    events = [(one.tenant, msgspec.json.encode(one)) for one in golden_usage(BEFORE, BEFORE + AFTER)]
    here = Deployment(
        Broker("apache", apache_broker.bootstrap),
        tmp_path,
        WINDOWS__SIZE_SECONDS="10",
        WINDOWS__STAGGER_SECONDS="0",
        **names,
    )
    back = here.command("restore", str(path), "--replace")
    assert back.returncode == 0, back.stderr[-2000:]
    with here.running() as worker:
        here.produce(TOPICS.usage, events)
        here.consume_until(lambda found: metered(found[TOPICS.rollups]) == expected, TOPICS.rollups)
        assert worker.terminate() == 0
    asyncio.run(_cleared(here.bootstrap))


async def _cleared(bootstrap: str) -> None:
    """Leave nothing of a deployment whose names are those of all golden states."""
    async with administering({"bootstrap_servers": bootstrap}) as admin:
        while names := [name for name in await admin.list_topics() if name.startswith(GROUP)]:
            await admin.delete_topics(names)
            await asyncio.sleep(0.05)


def test_state_of_a_newer_version_ends_the_worker_with_what_to_do(deployment: Deployment) -> None:
    assert deployment.command("topics", "--create").returncode == 0
    asyncio.run(_newer(deployment))
    with deployment.running(wait=False) as worker:
        assert worker.wait_for_end() == 1
        said = worker.log.splitlines()[-1]
    assert said.startswith(f"tidegate: the state has layout {LAYOUT + 1}, of a newer Tidegate; this one reads up to")


async def _newer(deployment: Deployment) -> None:
    head = msgspec.msgpack.encode(Head(generation=1, positions={}, layout=LAYOUT + 1))
    async with AIOKafkaProducer(bootstrap_servers=deployment.bootstrap) as producer:
        await producer.send_and_wait(changelog(deployment.group, "meter"), head, b"2:head", partition=2)
