"""The brokers as fixtures. Apache Kafka is used wherever it can be had: CI fails without it, others skip."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from streamer.demo.broker import EmbeddedBroker
from tests.brokers import Broker
from tests.brokers.apache import ApacheKafka, KafkaUnavailable, apache_kafka

# CI judges a change by the same examples each time; whoever runs the tests elsewhere looks for new ones. Machines are
# shared, so that neither says anything by being slow.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")


@pytest.fixture(scope="session")
def embedded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the embedded broker."""
    with EmbeddedBroker(tmp_path_factory.mktemp("embedded") / "broker.log") as broker:
        yield broker.bootstrap


@pytest.fixture(scope="session")
def apache_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """A running Apache Kafka."""
    with ExitStack() as stack:
        try:
            kafka = stack.enter_context(apache_kafka(tmp_path_factory.mktemp("apache")))
        except KafkaUnavailable as why:
            _go_without(str(why))
        yield kafka


def _go_without(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI needs Apache Kafka: {reason}")
    pytest.skip(f"no Apache Kafka: {reason}")


@pytest.fixture(params=["embedded", "apache"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each of the brokers in turn."""
    if request.param == "embedded":
        return Broker("embedded", request.getfixturevalue("embedded_broker"))
    return Broker("apache", request.getfixturevalue("apache_broker").bootstrap)
