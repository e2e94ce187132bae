"""What a person says on the command line closes the anomaly, and holds over a restart of the worker."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import Broker
from tests.integration.deployment import Deployment, until
from tests.integration.events import record, usage

pytestmark = pytest.mark.integration
SERIES = "tenant=acme/session=runaway#loop"


@pytest.fixture
def deployment(broker: Broker, tmp_path: Path) -> Deployment:
    # Longer than the test takes, so that nothing but a person's word closes the loop.
    return Deployment(broker, tmp_path, DETECT__LOOP__QUIET_SECONDS="600")


def turns(first: int, times: int, session: str = "runaway") -> Iterator[dict[str, Any]]:
    """One call of a session of acme, over and over."""
    call = {"kind": "tool", "tool": "search", "tool_args_hash": "aa", "agent": "triage", "session": session}
    return (usage(n, tenant="acme", at=time.time(), **call) for n in range(first, first + times))


def states(found: dict[str, list[Any]], topic: str, series: str = SERIES) -> list[str]:
    return [one["state"] for one in found[topic] if one["series"] == series]


def test_a_false_alarm_is_closed_by_the_command_and_stays_excused_over_a_restart(deployment: Deployment) -> None:
    topics = deployment.topics
    anomalies = topics.anomalies
    with deployment.running() as worker:
        deployment.produce(topics.usage, map(record, turns(0, 8)))
        deployment.consume_until(lambda found: "opened" in states(found, anomalies), anomalies)
        done = deployment.command("feedback", "false_alarm", "--tenant", "acme", "--series", SERIES, "--by", "ann")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("false_alarm is said, as ")
        deployment.consume_until(lambda found: "closed" in states(found, anomalies), anomalies)
        until(lambda: worker.metric("tidegate_feedback_total", verdict="false_alarm", outcome="applied") == 1, "it")
        worker.kill()
    with deployment.running():
        deployment.produce(topics.usage, map(record, [*turns(100, 12), *turns(200, 8, "another")]))
        other = SERIES.replace("runaway", "another")
        found = deployment.consume_until(lambda found: "opened" in states(found, anomalies, other), anomalies)
    assert states(found, anomalies).count("opened") == 1
    assert states(found, anomalies)[-1] == "closed"


def test_an_incident_is_answered_as_a_whole_and_what_is_wrong_goes_to_the_dead_letters(deployment: Deployment) -> None:
    topics = deployment.topics
    with deployment.running() as worker:
        deployment.produce(topics.feedback, [("x", b'{"schema": "tidegate.feedback/9"}')])
        deployment.produce(topics.usage, map(record, turns(0, 8)))
        found = deployment.consume_until(lambda found: bool(found[topics.alerts]), topics.alerts)
        incident = found[topics.alerts][0]["id"]
        assert deployment.command("feedback", "expected", "--incident", incident).returncode == 0
        deployment.consume_until(lambda found: "closed" in states(found, topics.anomalies), topics.anomalies)
        letters = deployment.consume_until(lambda found: bool(found[topics.dead_letters]), topics.dead_letters)
        assert [one["reason"] for one in letters[topics.dead_letters]] == ["unknown_format"]
        assert worker.metric("tidegate_rejected_total", reason="unknown_format") == 1
