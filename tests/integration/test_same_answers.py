"""What the worker said of a stream, a replay of its topic says to the byte; and so does one of its archive."""

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import orjson
import pytest

from examples.trace_events import events_of
from streamer.config import Config, KafkaConfig, WindowsConfig
from streamer.records import Rollup
from streamer.replay.command import run
from streamer.replay.extent import Extent
from streamer.replay.faults import Faults
from streamer.replay.feed import Job
from streamer.replay.run import Shard
from streamer.replay.topic import topic_records
from tests.brokers import Broker
from tests.brokers.apache import ApacheKafka
from tests.integration.deployment import Deployment
from tests.streamer.replay.data import lines, replayed, summary

pytestmark = pytest.mark.integration
# As many requests of the trace as fit into a test, and a session that goes round in circles among them.
REQUESTS, CALLS = 3000, 12
CONFIG = Config(windows=WindowsConfig(size_seconds=10, lateness_seconds=5, grace_seconds=2))


def trace(shared_data: Path) -> list[dict[str, Any]]:
    events = list(events_of(shared_data / "traces" / "azure_llm_2023_code.csv"))[:REQUESTS]
    calls = [_call(events[REQUESTS // 2], n) for n in range(CALLS)]
    return sorted([*events, *calls], key=lambda event: datetime.fromisoformat(event["time"]))


def _call(event: dict[str, Any], number: int) -> dict[str, Any]:
    at = datetime.fromisoformat(event["time"]) + timedelta(seconds=number * 1.5)
    call = {"kind": "tool", "tool": "search", "tool_args_hash": "aa", "tool_calls": 1, "session": "runaway"}
    return {"id": f"call-{number}", "source": "test", "time": at.isoformat(), "tenant": event["tenant"], **call}


def said_live(deployment: Deployment, topic: str) -> list[bytes]:
    return [record.value or b"" for record in topic_records(f"kafka://{deployment.bootstrap}/{topic}", KafkaConfig())]


def said_again(source: str) -> tuple[list[bytes], list[bytes]]:
    """The rollups and anomalies of a replay, as the worker would write them."""
    shard, rollups = Shard(CONFIG), list[Rollup]()

    def see(_: int, rollup: Rollup) -> None:
        rollups.append(rollup)

    chunk = shard.take(list(Job((source,), CONFIG).words(Faults(strict=False), Extent())), see)
    shard.end(see)
    anomalies = [case for step in chunk.steps for case in step.anomalies]
    return [msgspec.json.encode(rollup) for rollup in rollups], [msgspec.json.encode(case) for case in anomalies]


@pytest.fixture(scope="module")
def live(
    apache_broker: ApacheKafka, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Deployment, list[dict[str, Any]]]:
    """A deployment that has metered the trace."""
    windows = {"WINDOWS__SIZE_SECONDS": "10", "WINDOWS__LATENESS_SECONDS": "5", "WINDOWS__GRACE_SECONDS": "2"}
    deployment = Deployment(
        Broker("apache", apache_broker.bootstrap), tmp_path_factory.mktemp("live"), **windows, KAFKA__PARTITIONS="2"
    )
    events, rollups = trace(shared_data), deployment.topics.rollups
    with deployment.running() as worker:
        deployment.produce(deployment.topics.usage, ((event["tenant"], orjson.dumps(event)) for event in events))
        deployment.consume_until(
            lambda found: sum(r["events"] for r in found[rollups] if r["level"] == "tenant") == len(events), rollups
        )
        assert worker.terminate() == 0
    return deployment, events


def test_a_replay_of_the_topic_says_what_the_worker_said(live: tuple[Deployment, list[dict[str, Any]]]) -> None:
    deployment, _ = live
    rollups, anomalies = said_again(f"kafka://{deployment.bootstrap}/{deployment.topics.usage}")
    topics = deployment.topics
    live_rollups = said_live(deployment, topics.rollups), said_live(deployment, topics.session_rollups)
    assert sorted(rollups) == sorted(rollup for of_topic in live_rollups for rollup in of_topic)
    assert [any(b'"level":"session"' in rollup for rollup in of_topic) for of_topic in live_rollups] == [False, True]
    told = said_live(deployment, deployment.topics.anomalies)
    assert any(b'"kind":"loop"' in anomaly for anomaly in anomalies)
    # Live, time goes on behind the last event; what came until then is the same.
    assert told[: len(anomalies)] == anomalies


def test_two_processes_give_the_bytes_of_one_of_a_topic_too(
    live: tuple[Deployment, list[dict[str, Any]]], tmp_path: Path
) -> None:
    deployment, events = live
    source = f"kafka://{deployment.bootstrap}/{deployment.topics.usage}"
    for workers in (1, 2):
        list(run([source], CONFIG, tmp_path / str(workers), workers=workers))
    assert summary(tmp_path / "2") == summary(tmp_path / "1")
    assert summary(tmp_path / "2")["events"]["counted"] == len(events)
    for path in (tmp_path / "1").iterdir():
        assert path.name == "summary.json" or (tmp_path / "2" / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_stretch_of_a_topic_is_read_by_offset_and_by_time(live: tuple[Deployment, list[dict[str, Any]]]) -> None:
    deployment, events = live
    source = f"kafka://{deployment.bootstrap}/{deployment.topics.usage}"

    def count(query: str) -> int:
        return sum(1 for _ in topic_records(f"{source}?{query}", KafkaConfig()))

    # One tenant, so one of the partitions has it all.
    assert count("") == len(events)
    assert count("from=100&to=250") == 150
    assert count("from=2020-01-01T00:00Z") == len(events)
    assert count(f"from={datetime.fromtimestamp(time.time() + 60).astimezone().isoformat()}") == 0
    assert count("to=2020-01-01T00:00Z") == 0


def test_the_archive_takes_each_record_once_and_replays_alike(
    live: tuple[Deployment, list[dict[str, Any]]], tmp_path: Path
) -> None:
    deployment, events = live
    for _ in range(2):
        done = deployment.command("archive", "--out", str(tmp_path / "archive"), "--once")
        assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0 records")
    late = [{**events[-1], "id": f"more-{n}"} for n in range(5)]
    deployment.produce(deployment.topics.usage, ((event["tenant"], orjson.dumps(event)) for event in late))
    assert deployment.command("archive", "--out", str(tmp_path / "archive"), "--once").stdout.startswith("5 records")
    replayed(tmp_path / "a", tmp_path / "archive", config=CONFIG)
    (tmp_path / "trace.jsonl").write_bytes(b"\n".join(map(orjson.dumps, [*events, *late])))
    replayed(tmp_path / "b", tmp_path / "trace.jsonl", config=CONFIG)
    assert summary(tmp_path / "a") == summary(tmp_path / "b")
    assert lines(tmp_path / "a" / "anomalies.jsonl") == lines(tmp_path / "b" / "anomalies.jsonl")


def test_the_rollups_of_all_levels_are_archived_in_two_folders(
    live: tuple[Deployment, list[dict[str, Any]]], tmp_path: Path
) -> None:
    deployment, events = live
    for topic in ("rollups", "session-rollups"):
        done = deployment.command("archive", "--topic", topic, "--out", str(tmp_path / topic), "--once")
        assert done.returncode == 0, done.stderr
    query = f"SELECT level, sum(events) FROM '{tmp_path}/*/rollups/**/*.parquet' GROUP BY 1"  # noqa: S608
    with duckdb.connect() as database:
        found = dict(database.execute(query).fetchall())
    assert found["tenant"] == len(events)
    assert found["session"] == sum("session" in event for event in events)
