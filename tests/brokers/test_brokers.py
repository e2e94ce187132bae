"""Both brokers keep what they are given, and Apache Kafka keeps it over a power cut."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic

from streamer.demo.broker import BrokerProcess, EmbeddedBroker, free_port
from streamer.errors import BrokerFailed
from tests.brokers import Broker, administering
from tests.brokers.apache import GIVEN, ApacheKafka, JarsKafka, KafkaUnavailable, apache_kafka

RECORDS = [f"record {number}".encode() for number in range(100)]
OWNER = """
from streamer.demo.broker import EmbeddedBroker
with EmbeddedBroker() as broker:
    print(broker.bootstrap, flush=True)
    input()
"""


@pytest.mark.integration
async def test_a_broker_gives_back_100_records_in_their_order(broker: Broker) -> None:
    topic = await _new_topic(broker.bootstrap)
    await _produce(broker.bootstrap, topic)
    assert await _consume(broker.bootstrap, topic) == RECORDS


@pytest.mark.integration
async def test_apache_kafka_keeps_its_records_over_kill_and_start(apache_broker: ApacheKafka) -> None:
    if not isinstance(apache_broker, JarsKafka):
        pytest.skip(f"Apache Kafka is {apache_broker.description}: not ours to kill")
    topic = await _new_topic(apache_broker.bootstrap)
    await _produce(apache_broker.bootstrap, topic)
    apache_broker.kill()
    apache_broker.start()
    assert await _consume(apache_broker.bootstrap, topic) == RECORDS


@pytest.mark.integration
async def test_the_embedded_broker_comes_back_empty_at_its_address() -> None:
    with EmbeddedBroker() as broker:
        topic = await _new_topic(broker.bootstrap)
        broker.kill()
        broker.start()
        assert topic not in await _topics(broker.bootstrap)


@pytest.mark.integration
def test_the_embedded_broker_prints_into_its_log_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with EmbeddedBroker(tmp_path / "broker.log"):
        pass
    assert capfd.readouterr() == ("", "")
    assert "listening on" in (tmp_path / "broker.log").read_text()


@pytest.mark.integration
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_the_embedded_broker_ends_with_a_process_that_is_killed() -> None:
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        host, port = owner.stdout.readline().split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            owner.kill()
            # One that the broker had not yet accepted is reset: that is its end, too.
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b"", "the end of the broker ends its connections"


def test_a_broker_that_dies_tells_its_last_words() -> None:
    broker = BrokerProcess([sys.executable, "-c", "print('no disk is left')"], f"127.0.0.1:{free_port()}")
    with pytest.raises(BrokerFailed, match="ended by itself; its log ends: no disk is left"):
        broker.start()


def test_a_broker_that_never_answers_is_killed_when_patience_ends() -> None:
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    broker = BrokerProcess(command, f"127.0.0.1:{free_port()}", patience=0.1)
    with pytest.raises(BrokerFailed, match="did not answer within"):
        broker.start()


def test_without_docker_and_java_the_reason_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(GIVEN, raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    with pytest.raises(KafkaUnavailable, match="java"), apache_kafka(tmp_path):
        pass


async def _new_topic(bootstrap: str) -> str:
    topic = f"numbers-{uuid.uuid4()}"
    async with administering(bootstrap) as admin:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    return topic


async def _topics(bootstrap: str) -> list[str]:
    async with administering(bootstrap) as admin:
        return list(await admin.list_topics())


async def _produce(bootstrap: str, topic: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for record in RECORDS:
            await producer.send(topic, record)


async def _consume(bootstrap: str, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, 0)])
    async with consumer, asyncio.timeout(30):
        return [(await consumer.getone()).value for _ in RECORDS]
