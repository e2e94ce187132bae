"""What incidents cost and acting saves: of a storm every tenant counts, and what two receivers hear of counts once."""

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from streamer.config import Config
from streamer.replay.report.figures import savings
from tests.streamer.replay.data import CONFIG, as_jsonl, day, lines, replayed

TENANTS = 60


def storm(folder: Path) -> Path:
    """Sixty tenants whose sessions run in a loop at once, so that one incident holds more than a person reads."""
    rows = [row for row in day() if row.get("session") == "runaway"]
    found = [
        {**row, "tenant": f"t{n:02}", "id": f"{row['id']}-{n}", "cost_usd": str(Decimal(n + 1) / 100)}
        | {"time": (datetime.fromisoformat(row["time"]) + timedelta(milliseconds=n)).isoformat()}
        for row in rows
        for n in range(TENANTS)
    ]
    (folder / "storm.jsonl").write_bytes(as_jsonl(sorted(found, key=lambda row: str(row["time"]))))
    return folder / "storm.jsonl"


def saved(monkeypatch: pytest.MonkeyPatch, folder: Path, config: Config) -> tuple[Any, Path]:
    """The row of the report's table of savings, and where the replay's files are."""
    kept: list[Any] = []
    monkeypatch.setattr("streamer.replay.command.write_report", lambda _, found: bytes(kept.append(found) or b""))
    replayed(folder / "out", storm(folder), config=config)
    (row,) = savings(kept[0].facts)
    return row, folder / "out"


def above_in(out: Path) -> tuple[Decimal, Decimal]:
    """Dollars above normal of the tenants' anomalies, and before they were known, by the table alone."""
    rows = parquet.read_table(out / "anomalies.parquet").to_pylist()
    assert len({row["tenant"] for row in rows}) == len(rows) == TENANTS
    return sum(row["usd_excess"] for row in rows), sum(row["usd_excess_when_known"] for row in rows)


def test_of_a_storm_every_tenant_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row, out = saved(monkeypatch, tmp_path, CONFIG)
    above, before = above_in(out)
    assert row.above == above > 0
    assert (row.before, row.after) == (before, above - before)
    # Every session was paused at the moment when it was known.
    assert row.enforced == row.after
    (told,) = lines(out / "incidents.jsonl")
    assert len(told["alerts"]) < told["tenant_count"] == TENANTS


def test_what_two_receivers_are_told_of_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twice = {"routes": [{"receiver": "console", "continue": True}, {"receiver": "second"}]}
    twice["receivers"] = [{"name": "console", "type": "console"}, {"name": "second", "type": "console"}]  # type: ignore[list-item]
    config = CONFIG.model_copy(update={"alerts": type(CONFIG.alerts).model_validate(twice)})
    row, out = saved(monkeypatch, tmp_path, config)
    assert {told["receiver"] for told in lines(out / "incidents.jsonl")} == {"console", "second"}
    assert row.above == above_in(out)[0]
    assert row.enforced == row.after
