"""Ctrl-C at any moment: files are whole or as they were, and nobody sees a traceback. As in a terminal, all processes
of the command get it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyarrow import parquet

from tests.streamer.replay.data import as_jsonl, day, summary
from tests.streamer.replay.test_feed import many_tenants
from tests.streamer.replay.test_replay import FILES

pytestmark = pytest.mark.processes


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a session of its own, as a terminal has it."""
    command = [sys.executable, "-m", "streamer.cli", *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, start_new_session=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def stopped(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    os.killpg(process.pid, signal.SIGINT)
    return process.communicate(timeout=60)


@pytest.mark.parametrize("after", [0.0, 0.3])
def test_processes_that_share_a_replay_end_whole_whenever_they_are_stopped(after: float, tmp_path: Path) -> None:
    path, out = tmp_path / "long.jsonl", tmp_path / "out"
    path.write_bytes(as_jsonl([{**row, "id": f"{row['id']}/{n}"} for n in range(20) for row in many_tenants()]))
    with running("replay", path, "--out", out, "--workers", "2") as process:
        while not list(tmp_path.glob("out/.*.part")):
            time.sleep(0.01)
        # The processes begin only then; no other event tells of the moments that are meant here.
        time.sleep(after)
        _, error = stopped(process)
    assert process.returncode == 1, error
    assert b"Traceback" not in error
    assert sorted(file.name for file in out.iterdir()) == FILES
    counted = summary(out)["events"].get("counted", 0)
    rollups = parquet.read_table(out / "rollups.parquet").to_pylist()
    assert sum(row["events"] for row in rollups if row["level"] == "tenant") == counted


@pytest.mark.parametrize("command", ["compare", "backtest", "tune"])
def test_what_has_no_answer_before_its_end_writes_none(command: str, tmp_path: Path) -> None:
    path, out = tmp_path / "long.jsonl", tmp_path / "out"
    os.mkfifo(path)
    (tmp_path / "e.toml").touch()
    (tmp_path / "labels.csv").write_text("tenant,start,end\nacme,2026-11-22T12:00:00Z,2026-11-22T12:10:00Z\n")
    twice = ("--config", tmp_path / "e.toml", "--config", tmp_path / "e.toml")
    more = twice if command == "compare" else ("--labels", tmp_path / "labels.csv")
    with running(command, path, "--out", out, *more) as process:
        with path.open("wb", buffering=0) as pipe:
            pipe.write(as_jsonl([{**row, "id": f"{row['id']}/{n}"} for n in range(30) for row in day()]))
            os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (1, b"tidegate: stopped by hand; nothing was written\n")
    assert not out.exists()
