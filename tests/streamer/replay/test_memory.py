"""A replay of a long source needs no more memory than one of a short source."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.streamer.replay.data import FORMATS, Row, day

pytestmark = pytest.mark.processes
# Stretches of ten minutes, of the same tenants and agents, with sessions and ids of their own.
SHORT, LONG = 30, 150
# An event takes about a kilobyte.
_KEPT_WHOLE = (LONG - SHORT) * len(day()) * 1000


def days(count: int) -> Iterator[Row]:
    """The day that often, one after the other."""
    rows = day()
    for n in range(count):
        for row in rows:
            at = datetime.fromisoformat(row["time"]) + timedelta(minutes=10 * n)
            yield {**row, "id": f"{row['id']}/{n}", "session": f"{row['session']}/{n}", "time": at.isoformat()}


def peak(folder: Path, name: str, count: int) -> int:
    """Bytes that a replay in a process of its own has at the most."""
    path = folder / f"{count}-{name}"
    path.write_bytes(FORMATS[name](list(days(count))))
    command = [sys.executable, "-m", "streamer.cli", "replay", str(path), "--out", str(folder / f"{count}")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_maxrss * 1024


@pytest.mark.parametrize("name", ["day.jsonl", "day.parquet"])
def test_memory_does_not_grow_with_the_length_of_the_source(name: str, tmp_path: Path) -> None:
    grown = peak(tmp_path, name, LONG) - peak(tmp_path, name, SHORT)
    assert grown < _KEPT_WHOLE / 2, f"{grown / 1e6:.0f} MB more"
