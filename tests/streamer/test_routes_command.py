"""`tidegate routes test`: where an alert would go, and why."""

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from streamer import logs
from streamer.cli.base import cli
from tests.streamer.test_routing import CSV, TREE

END = "2026-11-22T11:00:00Z"


@pytest.fixture(autouse=True)
def _logs_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "set_up", lambda _: None)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "owners.csv").write_text(CSV)
    path = tmp_path / "tidegate.toml"
    path.write_text(f'{TREE}\n[alerts.owners]\nfile = "{tmp_path / "owners.csv"}"\n')
    return path


def shown(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["routes", "test", *map(str, arguments)])


def lines(*arguments: object) -> list[str]:
    found = shown(*arguments)
    assert found.exit_code == 0, found.output
    return [line.strip() for line in found.output.splitlines()]


def test_labels_are_shown_with_their_owner_their_way_and_their_times(config: Path) -> None:
    """The 22nd of November 2026 is a Sunday."""
    labels = ("tenant=acme", "use_case=support", "agent=triage", "kind=loop")
    found = lines(*labels, "--at", "2026-11-22T10:00:00Z", "--config", config)
    assert found[0] == "tenant=acme use_case=support agent=triage kind=loop severity=warning"
    assert found[1].startswith("owner triage-team (") and "line 2; C1, t@acme.example; tag:cost_centre=cc-7" in found[1]
    assert found[2] == "route 0 {tenant=acme|acme-*}"
    assert found[3].startswith("to team, incident ") and found[3].endswith("(group tenant=acme)")
    assert found[5] == "at 2026-11-22 10:00:02 UTC: not told, because quiet_hours until 2026-11-23 07:00:00 UTC"
    assert found[6] == "to pager, too, when nobody has acknowledged it 15 min after it was told"


def test_each_route_that_takes_it_is_shown(config: Path) -> None:
    found = lines("tenant=acme-eu", "tag:team=search", "severity=critical", "kind=loop", "--config", config)
    ways = [line for line in found if line.startswith("route")]
    assert ways == [
        "route 0 {tenant=acme|acme-*} > 0.0 {severity=critical}, continues",
        "route 0 {tenant=acme|acme-*} > 0.1 {tag:team=search}",
    ]
    assert sum("told, because new" in line for line in found) == 2


def test_what_holds_it_back_is_shown(config: Path) -> None:
    by_agent = 'group_by = ["tenant", "agent"]\n[alerts.owners]'
    config.write_text(config.read_text().replace("\n[alerts.owners]", by_agent))
    asked = ("tenant=globex", "agent=triage", "kind=burst", "--config", config)
    found = lines(*asked, "--firing", "tenant=globex,kind=burst")
    assert any("not told, because inhibited by firing-0" in line for line in found)
    assert any("silenced by the command line" in line for line in lines(*asked, "--silenced", "tenant=globex"))


def test_the_anomalies_of_a_replay_are_shown_in_their_order(config: Path, tmp_path: Path) -> None:
    """Those of three tenants at once are a storm."""
    known = {"severity": "warning", "observed": 1, "expected": 1, "score": 0.9, "reason": "x", "usd_excess": "1"}
    known |= {"kind": "burst", "scope": {}, "series": "s", "detector": "rate", "usd_per_hour": "1"}
    rows = [
        known | {"id": name, "tenant": name, "opened_at": f"2026-11-22T10:00:0{second}Z", "closed_at": END}
        for second, name in ((2, "globex"), (1, "initech"), (3, "umbrella"))
    ]
    path = tmp_path / "anomalies.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    found = lines("--anomalies", path, "--config", config)
    assert [line.split()[0] for line in found if line.startswith("tenant=")][:3] == [
        "tenant=initech",
        "tenant=globex",
        "tenant=umbrella",
    ]
    assert any("a storm of 3 alerts in 3 tenants" in line for line in found)


@pytest.mark.parametrize("arguments", [(), ("tenant",), ("colour=red",), ("severity=bad",), ("--anomalies", "missing")])
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert shown(*arguments).exit_code == 2


def test_a_file_that_holds_no_anomalies_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("[1]\n")
    assert "not the anomalies of a replay" in str(shown("--anomalies", tmp_path / "x.jsonl").exception)
