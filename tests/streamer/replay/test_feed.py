"""However many processes share a replay, and wherever it is stopped, its files are whole, and the same."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import parquet

from streamer.config import KafkaConfig
from streamer.errors import SourceUnreadable
from streamer.replay import shared
from streamer.replay.command import run
from streamer.replay.extent import Control, Extent, Progress
from streamer.replay.feed import Share
from streamer.replay.run import CHUNK
from streamer.replay.topic import Record
from tests.streamer.replay.data import CONFIG, Row, as_jsonl, day, lines, replayed, summary, write
from tests.streamer.replay.test_replay import FILES, said


def many_tenants() -> list[Row]:
    """The day of six tenants, one after the other in a row, with a person's word."""
    rows = said(day(), 190)
    return [{**row, "tenant": f"{row['tenant']}-{n}", "id": f"{row['id']}-{n}"} for row in rows for n in range(3)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("feed"), "day.jsonl", many_tenants())


@pytest.fixture(scope="module")
def alone(source: Path) -> Path:
    replayed(source.parent / "alone", source)
    return source.parent / "alone"


@pytest.mark.processes
def test_three_processes_give_the_bytes_of_one(source: Path, alone: Path, tmp_path: Path) -> None:
    replayed(tmp_path / "out", source, workers=3)
    for name in FILES:
        if name != "summary.json":
            assert (tmp_path / "out" / name).read_bytes() == (alone / name).read_bytes(), name
    assert summary(tmp_path / "out") == summary(alone)
    assert len(lines(alone / "anomalies.jsonl")) == 3


def test_a_tenant_belongs_to_one_process() -> None:
    for of in (1, 2, 5):
        assert all(sum(Share(k, of).has(f"tenant {n}") for k in range(of)) == 1 for n in range(50))
    assert len({next(k for k in range(4) if Share(k, 4).has(f"t{n}")) for n in range(50)}) == 4


@pytest.mark.processes
def test_a_topic_is_read_once_for_all_processes_and_gives_the_bytes_of_a_file(
    source: Path, alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    seen: list[Progress] = []

    def topic(source: str, _: KafkaConfig, extent: Extent) -> Iterator[list[Record]]:
        read.append(source)
        rows = as_jsonl(many_tenants()).splitlines()
        extent.expect(len(rows))
        for begin in range(0, len(rows), 100):
            extent.advance(len(rows[begin : begin + 100]))
            yield [Record(f"t[0]@{begin + n}", row, ()) for n, row in enumerate(rows[begin : begin + 100])]

    monkeypatch.setattr(shared, "topic_runs", topic)
    list(run(["kafka://b:9092/t"], CONFIG, tmp_path / "out", workers=3, control=Control(watch=seen.append)))
    # The report names the file, whose rows are not all in order.
    for name in set(FILES) - {"summary.json", "report.html"}:
        assert (tmp_path / "out" / name).read_bytes() == (alone / name).read_bytes(), name
    assert summary(tmp_path / "out") == summary(alone)
    assert read == ["kafka://b:9092/t"]
    assert seen[-1].read == seen[-1].size == len(many_tenants())


@pytest.mark.processes
@pytest.mark.parametrize("error", [SourceUnreadable("no such topic"), RuntimeError("no such topic")])
def test_a_topic_that_cannot_be_read_ends_all_processes(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def topic(*_: object) -> Iterator[list[Record]]:
        raise error

    monkeypatch.setattr(shared, "topic_runs", topic)
    with pytest.raises(SourceUnreadable, match="no such topic"):
        list(run(["kafka://b:9092/t"], CONFIG, tmp_path / "out", workers=2))


@pytest.mark.processes
def test_a_fault_in_a_process_is_that_of_the_command(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"nonsense\n")
    with pytest.raises(SourceUnreadable, match=r"bad.jsonl, row 1: undecodable"):
        replayed(tmp_path / "out", path, workers=2, strict=True)
    with pytest.raises(SourceUnreadable, match=r"(?s)bad.jsonl, row 1: undecodable.*no event at all could be read"):
        replayed(tmp_path / "out", path, workers=2)
    path.write_bytes(b"nonsense\n" + as_jsonl(day()[:1]))
    said = replayed(tmp_path / "out", path, workers=2)
    assert said[0].startswith(f"{path}, row 1: undecodable")
    assert summary(tmp_path / "out")["rejected"] == {"undecodable": 1}


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.processes)])
def test_a_replay_that_is_stopped_leaves_whole_files(workers: int, tmp_path: Path) -> None:
    rows = [{**row, "id": f"{row['id']}/{n}"} for n in range(80) for row in day()]
    path = tmp_path / "long.jsonl"
    path.write_bytes(as_jsonl(rows))
    asked: list[bool] = []
    seen: list[Progress] = []
    control = Control(lambda: asked.append(True) or len(asked) < 2, seen.append)  # type: ignore[func-returns-value]
    said = replayed(tmp_path / "out", path, workers=workers, control=control)
    assert any("stopped by hand" in line for line in said)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == FILES
    found = summary(tmp_path / "out")
    assert found["stopped"]
    assert 0 < found["events"]["counted"] < len(rows)
    rollups = parquet.read_table(tmp_path / "out" / "rollups.parquet").to_pylist()
    assert sum(row["events"] for row in rollups if row["level"] == "tenant") == found["events"]["counted"]
    assert seen[0].events == CHUNK
    assert 0 < seen[0].read <= seen[0].size == path.stat().st_size


@pytest.mark.processes
def test_ctrl_c_ends_the_command_with_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    os.mkfifo(path)
    command = [sys.executable, "-m", "streamer.cli", "replay", str(path), "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        with path.open("wb", buffering=0) as pipe:
            pipe.write(as_jsonl([{**row, "id": f"{row['id']}/{n}"} for n in range(30) for row in day()]))
            while not list(tmp_path.glob("out/.*.part")):
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert process.returncode == 1, error
    assert b"stopped by hand" in out
    assert b"Traceback" not in error
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == FILES
