"""The worker as a process of its own, against every broker that can be had."""

import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.brokers import Broker
from tests.integration.deployment import Deployment, Process, until
from tests.integration.events import metered, produced, record, usage

pytestmark = pytest.mark.integration


@pytest.fixture
def deployment(broker: Broker, tmp_path: Path) -> Deployment:
    return Deployment(broker, tmp_path)


def all_metered(events: list[dict[str, Any]], rollups: str) -> Any:
    return lambda found: metered(found[rollups]) == produced(events)


def test_what_is_produced_is_metered_to_the_last_unit(deployment: Deployment) -> None:
    """Totals of the closed windows equal what was produced, from the raw topic and from the usage topic."""
    events = [usage(n) for n in range(600)]
    with deployment.running() as worker:
        deployment.produce(deployment.topics.raw, map(record, events[:300]))
        deployment.produce(deployment.topics.usage, map(record, events[300:]))
        deployment.consume_until(all_metered(events, deployment.topics.rollups), deployment.topics.rollups)
        assert worker.metric("tidegate_events_total", outcome="duplicate") == 0
        assert worker.terminate() == 0


def test_a_killed_worker_loses_nothing_and_counts_nothing_twice(deployment: Deployment) -> None:
    """SIGKILL in the middle of the stream, with events on both sides of it and in its window."""
    events = [usage(n) for n in range(1500)]
    with deployment.running() as first:
        deployment.produce(deployment.topics.usage, map(record, events[:500]))
        until(lambda: first.metric("tidegate_events_total", outcome="counted") > 0, "the first events")
        deployment.produce(deployment.topics.usage, map(record, events[500:1000]))
        first.kill()
    deployment.produce(deployment.topics.usage, map(record, events[1000:]))
    with deployment.running():
        found = deployment.consume_until(all_metered(events, deployment.topics.rollups), deployment.topics.rollups)
    assert metered(found[deployment.topics.rollups]) == produced(events)


def test_what_waits_on_the_raw_topic_while_no_worker_runs_is_not_late(deployment: Deployment) -> None:
    """It is taken for no silence of its tenants, but judged as it would have been."""
    begin = time.time()
    events = [usage(n, tenant="acme", at=begin) for n in range(10)]
    with deployment.running() as first:
        deployment.produce(deployment.topics.raw, map(record, events))
        until(lambda: first.metric("tidegate_events_total", outcome="counted") == 10, "the first events")
        assert first.terminate() == 0
    waiting = [usage(100 + n, tenant="acme", at=begin + 1 + n / 10_000) for n in range(10_000)]
    deployment.produce(deployment.topics.raw, map(record, waiting))
    until(lambda: time.time() > begin + 8, "the clock to be beyond the windows of what waits")
    with deployment.running() as second:
        rollups = deployment.topics.rollups
        deployment.consume_until(all_metered([*events, *waiting], rollups), rollups)
        assert second.metric("tidegate_events_total", outcome="late") == 0


def test_two_workers_share_the_work_and_the_totals_stay_exact(deployment: Deployment) -> None:
    """A second worker joins, then the first leaves by SIGTERM; each event counts once."""
    events = [usage(n) for n in range(1500)]
    with deployment.running() as first:
        deployment.produce(deployment.topics.usage, map(record, events[:500]))
        with deployment.running() as second:
            first.wait_until_ready()
            deployment.produce(deployment.topics.usage, map(record, events[500:1000]))
            assert first.terminate() == 0
            until(lambda: second.metric("tidegate_ready") == 1, "the second worker to take over")
            deployment.produce(deployment.topics.usage, map(record, events[1000:]))
            deployment.consume_until(all_metered(events, deployment.topics.rollups), deployment.topics.rollups)


def test_a_deployment_with_other_topics_does_not_join_the_group_of_one_that_runs(deployment: Deployment) -> None:
    """They would take each other's state, and fence each other without end. The embedded broker does not tell."""
    if deployment.environment["TIDEGATE_KAFKA__IDEMPOTENCE"] == "false":
        return
    with deployment.running() as worker:
        deployment.produce(deployment.topics.usage, [record(usage(1))])
        until(lambda: worker.metric("tidegate_checkpoint_seconds_count") > 0, "the group to have its first offsets")
        with deployment.running(wait=False, KAFKA__TOPIC_PREFIX="other.") as other:
            assert other.wait_for_end() == 1
        assert "needs a kafka.group of its own" in other.log
        assert worker.metric("tidegate_lost_partitions_total") == 0


def lagging(worker: Process, topic: str) -> set[str]:
    """The partitions of which a worker tells how much of them is not applied."""
    told = (sample for sample in worker.samples() if sample.name == "tidegate_lag_records")
    return {sample.labels["partition"] for sample in told if sample.labels["topic"] == topic}


def test_a_partition_that_moves_takes_its_lag_along(deployment: Deployment) -> None:
    """What a worker last saw of it is told by nobody: alerts and scaling add up what all workers tell."""
    with deployment.running() as first:
        until(lambda: lagging(first, deployment.topics.usage) == {"0", "1", "2", "3"}, "all to be of the first")
        with deployment.running() as second:
            first.wait_until_ready()
            until(lambda: len(lagging(second, deployment.topics.usage)) == 2, "the second to have its half")
            until(lambda: len(lagging(first, deployment.topics.usage)) == 2, "the first to tell of its own half only")


def test_a_producers_repeats_are_dropped_even_after_a_restart(deployment: Deployment) -> None:
    """The memory of ids seen is part of the state that a restart takes up."""
    events = [usage(n) for n in range(100)]
    with deployment.running() as first:
        deployment.produce(deployment.topics.usage, map(record, [*events, *events]))
        until(lambda: first.metric("tidegate_events_total", outcome="duplicate") == 100, "the repeats to be seen")
        assert first.terminate() == 0
    with deployment.running() as second:
        deployment.produce(deployment.topics.usage, map(record, events))
        until(lambda: second.metric("tidegate_events_total", outcome="duplicate") == 100, "the repeats to be seen")
        deployment.consume_until(all_metered(events, deployment.topics.rollups), deployment.topics.rollups)


BAD = {
    "undecodable": b"\xff\xfe not json",
    "unknown_format": b'{"hello": "world"}',
    "missing_id": orjson.dumps({**usage(1), "id": ""}),
    "missing_tenant": orjson.dumps({k: v for k, v in usage(2).items() if k != "tenant"}),
    "wrong_type": orjson.dumps({**usage(3), "input_tokens": "many"}),
    "negative_count": orjson.dumps({**usage(4), "output_tokens": -1}),
    "impossible_time": orjson.dumps({**usage(5), "time": "1969-12-31T23:59:59Z"}),
    "too_large": b'{"id": "' + b"x" * (10 << 20) + b'"}',
}


def test_bad_input_goes_to_the_dead_letters_and_stops_nothing(deployment: Deployment) -> None:
    """Each bad record is kept with its reason and source position, counted, and the good ones around it count."""
    topics = deployment.topics
    good = [usage(n, tenant="good") for n in range(10, 20)]
    with deployment.running() as worker:
        deployment.produce(topics.raw, [record(good[0]), *(("bad", value) for value in BAD.values())])
        deployment.produce(topics.usage, [("bad", BAD["undecodable"]), *map(record, good[1:])])
        found = deployment.consume_until(
            lambda found: len(found[topics.dead_letters]) == len(BAD) + 1 and all_metered(good, topics.rollups)(found),
            topics.dead_letters,
            topics.rollups,
        )
        letters = found[topics.dead_letters]
        assert sorted(letter["reason"] for letter in letters) == sorted([*BAD, "undecodable"])
        assert {letter["topic"] for letter in letters} == {topics.raw, topics.usage}
        assert all(letter["offset"] >= 0 and letter["size"] > 0 for letter in letters)
        assert worker.metric("tidegate_rejected_total", reason="negative_count") == 1


def test_an_unknown_model_counts_but_is_marked_unpriced_and_warned_of_once(deployment: Deployment) -> None:
    """Its tokens are in the totals, its cost is not silently zero."""
    topics = deployment.topics
    events = [usage(n, tenant="acme", model="nobodys-model-9", provider="nobody") for n in range(5)]
    for event in events:
        del event["cost_usd"]
    with deployment.running() as worker:
        deployment.produce(topics.usage, map(record, events))
        found = deployment.consume_until(
            lambda found: sum(r["unpriced"] for r in found[topics.rollups] if r["level"] == "tenant") == 5,
            topics.rollups,
        )
        assert sum(r["events"] for r in found[topics.rollups] if r["level"] == "tenant") == 5
        until(lambda: worker.metric("tidegate_events_total", outcome="unpriced") == 5, "the metric")
        assert worker.log.count("nobodys-model-9") == 1


def test_a_loop_is_answered_by_a_throttle_command_and_let_go_afterwards(broker: Broker, tmp_path: Path) -> None:
    """From the repeated call to the command, its release and the compacted topics; well within the session's time."""
    policy = '[{"kind": "loop", "scope": "session", "action": "pause", "mode": "enforce", "expires_seconds": 60}]'
    deployment = Deployment(
        broker,
        tmp_path,
        THROTTLE__POLICIES=policy,
        THROTTLE__HOLD_SECONDS="1",
        DETECT__LOOP__QUIET_SECONDS="2",
    )
    topics, now = deployment.topics, time.time()
    calls = [
        usage(
            n, tenant="acme", agent="triage", session="runaway", kind="tool", tool="search", tool_args_hash="aa", at=now
        )
        for n in range(12)
    ]
    with deployment.running():
        deployment.produce(topics.usage, map(record, calls))
        found = deployment.consume_until(
            lambda found: any(command and command["action"] == "release" for command in found[topics.throttle]),
            topics.throttle,
            topics.anomalies,
            topics.alerts,
        )
    pause, release = [command for command in found[topics.throttle] if command][:2]
    assert (pause["action"], release["action"]) == ("pause", "release")
    assert pause["scope"] == {"tenant": "acme", "session": "runaway"}
    assert release["generation"] == pause["generation"] + 1
    opened = [anomaly for anomaly in found[topics.anomalies] if anomaly["state"] == "opened"]
    assert [(a["kind"], a["observed"]) for a in opened] == [("loop", 6.0)]
    assert found[topics.alerts][-1]["state"] == "resolved"


def test_secrets_are_never_logged(broker: Broker, tmp_path: Path) -> None:
    """Not at the start, not with debug logs, not in the tracebacks of a failure."""
    deployment = Deployment(
        broker, tmp_path, SLACK__TOKEN="xoxb-secret-1", EVENTS__HASH_KEY="secret-2", LOG__LEVEL="debug"
    )
    with deployment.running() as worker:
        deployment.produce(deployment.topics.raw, [("k", b"{")])
        until(lambda: worker.metric("tidegate_rejected_total") == 1, "the bad record")
        worker.terminate()
        assert "secret" not in worker.log


@pytest.mark.parametrize("command", ["worker", "ingest"])
def test_a_process_without_a_broker_says_so_in_one_line(command: str, tmp_path: Path) -> None:
    """And exits with 1."""
    deployment = Deployment(Broker("embedded", "127.0.0.1:1"), tmp_path, KAFKA__CONNECT_SECONDS="1")
    with deployment.running(command, wait=False) as process:
        assert process.wait_for_end() == 1
        assert "no Kafka broker answers at 127.0.0.1:1" in process.log
        assert "Traceback" not in process.log
