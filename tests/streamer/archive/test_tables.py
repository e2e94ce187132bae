"""What is archived is read back as it was: by replay, and by DuckDB."""

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import orjson
import pytest

from streamer.archive.command import Archiver
from streamer.archive.store import Store
from streamer.archive.tables import Rows
from streamer.pipeline import Pipeline
from streamer.wiring import decoder_of
from tests.streamer.kafka.fakes import Fake
from tests.streamer.replay.data import CONFIG, Row, day, lines, replayed, summary, write
from tests.streamer.replay.test_replay import said
from tests.streamer.samples import NOW, event, submit


def archived(folder: Path, topic: Any, values: list[bytes], every: int = 100) -> Rows:
    """Archive records in commits of so many."""
    with Store(folder, topic) as store:
        archiver = Archiver(store, Rows(topic, decoder_of(CONFIG, feedback=True)), 0.0, lambda: NOW + 3600)
        for start in range(0, len(values), every):
            part = [Fake(value, offset=start + n) for n, value in enumerate(values[start : start + every])]
            archiver.take(0, part)
            archiver.commit_if_due()
        return archiver.rows


def sorted_day() -> list[Row]:
    """The day with a person's word in it, in the order of time: an archive is read so."""
    rows = [{**row, "time": row["time"].replace("Z", "+00:00")} for row in said(day(), 190)]
    return sorted(rows, key=lambda row: datetime.fromisoformat(row["time"]))


@pytest.mark.slow
def test_a_replay_of_the_archive_is_a_replay_of_the_topic(tmp_path: Path) -> None:
    rows = sorted_day()
    archived(tmp_path / "archive", "usage", [orjson.dumps(row) for row in rows])
    replayed(tmp_path / "a", tmp_path / "archive")
    replayed(tmp_path / "b", write(tmp_path, "day.jsonl", rows))
    assert lines(tmp_path / "a" / "anomalies.jsonl")
    for name in ("anomalies.jsonl", "commands.jsonl", "incidents.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert summary(tmp_path / "a") == summary(tmp_path / "b")
    assert summary(tmp_path / "a")["feedback"] == {"false_alarm": {"applied": 1}}


def test_duckdb_reads_the_layout(tmp_path: Path) -> None:
    rows = [{**row, "tenant": "a/b %"} if row["tenant"] == "beta" else row for row in day()]
    archived(tmp_path, "usage", [orjson.dumps(row) for row in rows])
    query = f"SELECT tenant, count(*) FROM read_parquet('{tmp_path}/usage/**/*.parquet', hive_partitioning = true) WHERE day = '2026-11-22' GROUP BY 1"  # noqa: E501, S608
    with duckdb.connect() as database:
        found = dict(database.execute(query).fetchall())
    assert found == {tenant: sum(row["tenant"] == tenant for row in rows) for tenant in ("acme", "a/b %")}


def test_what_is_no_event_is_counted_and_the_rest_is_kept(tmp_path: Path) -> None:
    rows = archived(tmp_path, "usage", [b"nonsense", orjson.dumps(day()[0]), b"[]"])
    assert dict(rows.rejected) == {"undecodable": 2}
    assert len(list(tmp_path.glob("usage/**/*.parquet"))) == 1


def test_rollups_are_archived_as_a_replay_writes_them(tmp_path: Path) -> None:
    pipeline = Pipeline(CONFIG)
    submit(pipeline, [event(n, n, input_tokens=5, cost_usd=None) for n in range(50)])
    rollups = pipeline.flush().rollups
    archived(tmp_path, "rollups", [msgspec.json.encode(rollup) for rollup in rollups])
    query = f"SELECT sum(input_tokens) FROM '{tmp_path}/rollups/**/*.parquet' WHERE level = 'tenant'"  # noqa: S608
    with duckdb.connect() as database:
        assert database.execute(query).fetchone() == (sum(r.input_tokens for r in rollups if r.level == "tenant"),)
