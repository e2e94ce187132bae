"""`tidegate showback` tells of the rollups that a replay wrote, in a terminal."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from streamer.cli.base import cli


@pytest.fixture(scope="module")
def rollups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a replay of two days wrote: a dollar an hour, then two."""
    folder = tmp_path_factory.mktemp("replay")
    start = datetime(2026, 11, 20, tzinfo=UTC)
    events = [
        {
            "id": f"e{hour}",
            "tenant": "acme",
            "use_case": "support",
            "agent": "triage",
            "time": (start + timedelta(hours=hour)).isoformat(),
            "cost_usd": "1" if hour < 24 else "2",
        }
        for hour in range(48)
    ]
    source = folder / "events.jsonl"
    source.write_bytes(b"\n".join(orjson.dumps(each) for each in events))
    done = CliRunner().invoke(cli, ["replay", str(source), "--out", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return folder / "rollups.parquet"


def told(*arguments: str) -> list[str]:
    done = CliRunner().invoke(cli, ["showback", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def test_a_day_is_told_against_the_day_before(rollups: Path) -> None:
    found = told(str(rollups), "--day", "2026-11-21")
    assert found[0] == "acme spent $48.00 on Saturday, 21 November, 100% more than the day before"
    assert "  support · triage        $48.00  100% more" in found


def test_a_tenant_that_is_not_in_the_file_is_said_to_be_none(rollups: Path) -> None:
    done = CliRunner().invoke(cli, ["showback", str(rollups), "--tenant", "acmee"], catch_exceptions=False)
    assert done.exit_code == 2
    assert "the file holds nothing of acmee: it knows acme" in done.output


def test_a_tenant_that_spent_nothing_on_a_day_is_named(rollups: Path) -> None:
    found = told(str(rollups), "--tenant", "acme", "--day", "2026-11-25")
    assert found[0].startswith("acme spent $0.00 on Wednesday, 25 November")


def test_without_a_day_it_is_the_newest(rollups: Path) -> None:
    assert told(str(rollups)) == told(str(rollups), "--day", "2026-11-21")


def test_days_are_those_of_the_zone(rollups: Path) -> None:
    """Midnight in Berlin is an hour before midnight in UTC."""
    assert "$47.00" in told(str(rollups), "--day", "2026-11-21", "--zone", "Europe/Berlin")[0]


@pytest.mark.parametrize("span", ["--day", "--week"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_edges_of_time_are_refused(span: str, day: str, rollups: Path) -> None:
    done = CliRunner().invoke(cli, ["showback", str(rollups), span, day], catch_exceptions=False)
    assert done.exit_code == 2
    assert f"{day} is too near to the first or the last of all days" in done.stderr


def test_a_week_holds_its_days(rollups: Path) -> None:
    assert "$72.00 in the week of 16 to 22 November" in told(str(rollups), "--week", "2026-11-18")[0]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--day", "2026-11-21", "--week", "2026-11-21"], 2), (["--zone", "Mars/Olympus"], 2), (["--day", "soon"], 2)],
)
def test_wrong_usage_is_said(rollups: Path, arguments: list[str], status: int) -> None:
    assert CliRunner().invoke(cli, ["showback", str(rollups), *arguments]).exit_code == status


def test_another_file_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"no parquet")
    done = CliRunner().invoke(cli, ["showback", str(path), "--day", "2026-11-21"])
    assert "holds no rollups" in str(done.exception)
