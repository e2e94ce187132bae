"""A worker that starts at a bad moment."""

import time
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.brokers.apache import ApacheKafka
from tests.chaos.fleet import Fleet
from tests.chaos.line import Line
from tests.integration.deployment import until

pytestmark = [pytest.mark.integration, pytest.mark.chaos]


def test_a_worker_that_loses_the_broker_while_it_joins_gets_its_partitions_soon_after(
    apache_broker: ApacheKafka, lines: list[Line], tmp_path: Path
) -> None:
    """It cannot learn of its topics then, leads a group without any, and must not wait minutes before it asks again."""
    if not lines:
        pytest.skip(f"the lines to Apache Kafka are not ours to cut: it is {apache_broker.description}")
    with Fleet(Broker("apache", apache_broker.bootstrap), tmp_path, lines, 3) as fleet:
        fleet.be(1)
        fleet.settle()
        fleet.workers[0].leave()
        fleet.be(1)
        (worker,) = fleet.workers
        until(lambda: '"listening"' in worker.log, "the worker to be about to join")
        # Nothing tells when the consumer has its first connection and not yet its topics.
        time.sleep(0.3)
        lines[0].cut("reset")
        time.sleep(2)
        lines[0].mend()
        fleet.settle()
