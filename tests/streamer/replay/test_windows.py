"""The windows of a picture are read from the file of all, and no others are kept."""

import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from streamer.replay.facts import Found
from streamer.replay.report.windows import curves, wanted
from streamer.replay.tables import INSTANT, ROLLUPS
from tests.streamer.replay.test_trials import case
from tests.streamer.samples import NOON

WINDOW, COUNT = 10, 40_000


def days(path: Path) -> Path:
    """Days of one tenant's windows, a request in each."""
    starts = [NOON + timedelta(seconds=WINDOW * number) for number in range(COUNT)]
    given: dict[str, Any] = {"series": "tenant=acme", "level": "tenant", "tenant": "acme", "requests": 1}
    columns = {"start": pa.array(starts, INSTANT)} | {
        name: pa.repeat(pa.scalar(given.get(name), ROLLUPS.field(name).type), COUNT)
        if name in given or name == "session"
        else pa.repeat(0, COUNT).cast(ROLLUPS.field(name).type)
        for name in ROLLUPS.names
        if ROLLUPS.field(name).type != INSTANT
    }
    parquet.write_table(pa.table(columns), path)
    return path


def test_a_picture_of_minutes_takes_no_memory_for_days(tmp_path: Path) -> None:
    at = NOON + timedelta(hours=50)
    over = at + timedelta(minutes=10)
    one = case("burst", series="tenant=acme#requests", opened_at=at, closed_at=over, updated_at=over)
    found = Found(one, one, [])
    found.take(one, None)
    end = NOON.timestamp() + WINDOW * COUNT
    rollups = days(tmp_path / "rollups.parquet")
    tracemalloc.start()
    (curve,) = curves(rollups, [wanted(found, NOON.timestamp(), end)], WINDOW)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(curve.points) > 100
    assert {value for _, value in curve.points[2:-2]} == {1.0}
    assert peak < 3e6, f"{peak / 1e6:.0f} MB"
