"""The archive holds each record of a topic of Apache Kafka once, whenever its process is killed."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import orjson
import pytest

from tests.brokers import Broker
from tests.brokers.apache import ApacheKafka
from tests.integration.deployment import Deployment, until

pytestmark = pytest.mark.integration
# A commit of so many files takes long enough to be killed in the middle of.
TENANTS, DAYS, KILLS = 40, 3, 5


def events(batch: int) -> Iterator[dict[str, Any]]:
    for tenant in range(TENANTS):
        for day in range(DAYS):
            at = f"2026-11-{20 + day}T12:00:00Z"
            yield {"id": f"{batch}/{tenant}/{day}", "tenant": f"t{tenant}", "time": at, "input_tokens": 1}


def killed(deployment: Deployment, archive: Path, pause: float) -> bool:
    """Archive until a commit is under way and for a moment longer; tells whether it was killed among its files."""
    command = [sys.executable, "-m", "streamer.cli", "archive", "--out", str(archive), "--every", "1"]
    staging, head = archive / "_archive" / "staging", archive / "_archive" / "head.json"
    before = head.read_bytes() if head.exists() else b""

    def is_committing() -> bool:
        assert process.poll() is None
        return any(staging.glob("*.parquet")) or (head.exists() and head.read_bytes() != before)

    with subprocess.Popen(command, env={**os.environ, **deployment.environment}, stderr=subprocess.DEVNULL) as process:
        try:
            until(is_committing, "a commit")
            time.sleep(pause)
        finally:
            process.send_signal(signal.SIGKILL)
    return any(staging.glob("*.parquet"))


def held(archive: Path) -> Counter[tuple[int, int, str]]:
    query = f"SELECT partition, \"offset\", id FROM read_parquet('{archive}/usage/**/*.parquet')"  # noqa: S608
    with duckdb.connect() as database:
        return Counter(database.execute(query).fetchall())


def test_each_record_is_archived_once_though_the_process_is_killed(apache_broker: ApacheKafka, tmp_path: Path) -> None:
    deployment = Deployment(Broker("apache", apache_broker.bootstrap), tmp_path, KAFKA__PARTITIONS="2")
    deployment.command("topics", "--create")
    rng, archive, among = Random(8), tmp_path / "archive", 0
    for batch in range(KILLS):
        produced = ((event["tenant"], orjson.dumps(event)) for event in events(batch))
        deployment.produce(deployment.topics.usage, produced)
        among += killed(deployment, archive, rng.uniform(0, 0.15))
    # Some of them, so that this says something.
    assert among > 0
    done = deployment.command("archive", "--out", str(archive), "--once")
    assert done.returncode == 0, done.stderr
    found = held(archive)
    assert set(found.values()) == {1}
    assert Counter(name for _, _, name in found) == Counter(e["id"] for batch in range(KILLS) for e in events(batch))
    assert not list(archive.glob("_archive/staging/*"))
