"""The command line: an example with every command, 0 for success, 1 for a failure in one line, 2 for wrong usage."""

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import OutlierParams, OutlierScorer
from streamer import cli, logs
from streamer.cli.base import cli as commands
from streamer.errors import SourceUnreadable
from streamer.replay.feed import Job
from streamer.replay.score import write_scores
from tests.streamer.replay.data import day, write

ROOT = Path(__file__).parents[2]
# CONTRACTS.md: the commands that exist so far.
COMMANDS = {
    "worker",
    "check-config",
    "ingest",
    "page",
    "page-token",
    "replay",
    "score",
    "demo",
    "feedback",
    "routes",
    "tokens",
    "reconcile",
    "dead-letters",
    "showback",
    "status",
    "doctor",
    "topics",
    "backup",
    "restore",
    "gateway",
    "compare",
    "backtest",
    "tune",
    "archive",
}


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the tester's environment, and logs left as they are: they would keep this test's standard error."""
    for name in list(os.environ):
        if name.startswith("TIDEGATE_") or name == "SLACK_BOT_TOKEN":
            monkeypatch.delenv(name)
    monkeypatch.setattr(logs, "set_up", lambda _: None)


def status(*arguments: object) -> int:
    """Run the command as the shell does; gives the exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["tidegate", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
    return int(end.value.code or 0)


def below(group: click.Group) -> dict[str, click.Command]:
    """The commands of a group."""
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: command for name, command in found.items() if command}


def test_the_commands_are_those_of_the_contract_and_each_is_in_its_module() -> None:
    assert set(below(commands)) == COMMANDS == set(commands.commands)


def leaves(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group, by the words that call it."""
    for name, command in below(group).items():
        if isinstance(command, click.Group):
            yield from leaves(command, *path, name)
        else:
            yield (*path, name), command


LEAVES = dict(leaves(commands))


@pytest.mark.parametrize("words", sorted(LEAVES))
def test_help_shows_an_example_that_would_run(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(commands, [*words, "--help"])
    assert shown.exit_code == 0
    (example,) = [line for line in shown.output.splitlines() if line.strip().startswith("Example: ")]
    given = example.partition("Example: ")[2].removeprefix("tidegate ").split()
    assert tuple(given[: len(words)]) == words
    named = {option for parameter in LEAVES[words].params for option in parameter.opts}
    assert {argument for argument in given if argument.startswith("--")} <= named


def test_every_command_and_option_says_what_it_does() -> None:
    assert all(command.help for command in below(commands).values())
    for command in LEAVES.values():
        assert command.help
        for parameter in command.params:
            said = parameter.help if isinstance(parameter, click.Option) else parameter.name
            assert said or parameter.name == "out"


@pytest.mark.processes
def test_the_installed_command_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streamer.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert "0." in done.stdout


@pytest.mark.processes
def test_ctrl_c_ends_a_command_without_a_trace_even_while_its_libraries_are_imported() -> None:
    """The libraries are told by Python as they are imported: the signal comes right after the first."""
    line = [sys.executable, "-v", "-m", "streamer.cli", "worker"]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as started:
        assert started.stderr
        while "import 'click'" not in started.stderr.readline():
            assert started.poll() is None
        started.send_signal(signal.SIGINT)
        said = started.stderr.read()
    assert started.returncode == 130
    assert "Traceback" not in said


@pytest.mark.processes
def test_a_command_brings_what_it_needs_and_not_what_others_do() -> None:
    line = [sys.executable, "-X", "importtime", "-m", "streamer.cli", "check-config", "examples/tidegate.toml"]
    done = subprocess.run(line, capture_output=True, text=True, check=True, cwd=ROOT)
    brought = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "pydantic" in brought
    assert not brought & {"faust", "aiokafka", "aiohttp", "matplotlib", "slack_sdk", "genai_prices"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("replay",),
        ("replay", "a.jsonl", "--from", "yesterday"),
        ("replay", "a.jsonl", "--from", "2026-11-02", "--to", "2026-11-01"),
        ("replay", "a.jsonl", "--from", "2026-11-01T00:00:00Z", "--to", "2026-11-01T01:00:00+01:00"),
        ("compare", "a.jsonl", "--config", "a", "--config", "b", "--from", "2026-11-02", "--to", "2026-11-01"),
        ("backtest", "a.jsonl", "--labels", __file__, "--from", "2026-11-02", "--to", "2026-11-01"),
        ("tune", "a.jsonl", "--labels", __file__, "--from", "2026-11-02", "--to", "2026-11-01"),
        ("replay", "a.jsonl", "--nonsense"),
        ("score", "missing.csv", "--out", "x.csv"),
        ("score",),
        ("reconcile", "rollups.parquet", "bill.csv", "--most", "-1"),
        ("reconcile", "rollups.parquet", "bill.csv", "--most", "0"),
        ("check-config",),
        ("worker", "more"),
        ("feedback",),
        ("feedback", "maybe", "--tenant", "acme"),
        ("feedback", "planned", "--tenant", "acme"),
        ("feedback", "planned", "--tenant", "acme", "--until", "2000-01-02"),
        ("feedback", "planned", "--tenant", "acme", "--for", "8"),
        ("feedback", "planned", "--tenant", "acme", "--for", "0h"),
        ("feedback", "planned", "--tenant", "acme", "--for", "999999w"),
        ("feedback", "planned", "--tenant", "acme", "--for", "8h", "--until", "2100-01-01"),
        ("feedback", "expected", "--tenant", "acme", "--use-case", "support"),
        ("feedback", "expected", "--series", "tenant=acme#requests"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert status(*arguments) == 2
    assert "Usage:" in capsys.readouterr().err


def test_a_good_configuration_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "good.toml"
    path.write_text("[windows]\nsize_seconds = 60\n")
    assert status("check-config", path) == 0
    assert capsys.readouterr().out == f"{path}: good\n"


def test_a_bad_configuration_ends_with_1_and_a_line_for_each_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[windows]\nsize_seconds = 0\nsiz = 1\n")
    monkeypatch.setenv("TIDEGATE_WEB__PORT", "many")
    assert status("check-config", path) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    mistakes = shown.err.splitlines()
    assert len(mistakes) == 3
    assert all(any(place in line for line in mistakes) for place in ("size_seconds", "siz:", "TIDEGATE_WEB__PORT"))


@pytest.mark.parametrize("command", ["worker", "ingest", "replay"])
def test_no_command_starts_with_a_bad_configuration(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing.toml"
    sources = ["day.jsonl"] if command == "replay" else []
    assert status(command, *sources, "--config", missing) == 1
    assert capsys.readouterr().err == f"tidegate: {missing}: there is no such file\n"


def test_a_replay_says_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path, "day.jsonl", day())
    assert status("replay", source, "--out", tmp_path / "out") == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[-2].startswith("320 events, $")
    assert shown[-2].endswith(", 1 anomalies")
    assert shown[-1].endswith(f"written to {tmp_path / 'out'}")


def test_the_bounds_of_a_replay_are_utc_where_they_name_no_zone(tmp_path: Path) -> None:
    source = write(tmp_path, "day.jsonl", day())
    counted = []
    for begin in ("2026-11-22T12:05:00", "2026-11-22T12:05:00Z", "2026-11-22T13:05:00+01:00"):
        assert status("replay", source, "--out", tmp_path / "out", "--from", begin) == 0
        counted.append(orjson.loads((tmp_path / "out" / "summary.json").read_bytes())["events"]["counted"])
    assert counted == [150, 150, 150]


@pytest.mark.parametrize("name", ["missing.jsonl", "day.txt"])
def test_a_source_that_cannot_be_read_is_a_line_and_1(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status("replay", tmp_path / name, "--out", tmp_path / "out") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tidegate: {tmp_path / name}: ")


def test_a_folder_that_cannot_be_written_is_a_line_and_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path, "day.jsonl", day())
    assert status("replay", source, "--out", source / "out") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tidegate: ")


@pytest.mark.parametrize("command", ["compare", "backtest", "tune"])
def test_a_place_that_cannot_be_written_is_known_before_anything_is_read(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Job, "words", lambda *_: pytest.fail("it was read"))
    source, config, labels = write(tmp_path, "day.jsonl", day()), tmp_path / "a.toml", tmp_path / "labels.csv"
    config.touch()
    labels.write_text("tenant,start,end\nacme,2026-11-22T12:00:00Z,2026-11-22T12:01:00Z\n")
    given = {"compare": ("--config", config, "--config", config)}.get(command, ("--labels", labels))
    assert status(command, source, *given, "--out", source / "out") == 1
    assert capsys.readouterr().err.startswith("tidegate: ")


def test_feedback_that_no_broker_takes_is_a_line_and_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEGATE_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("TIDEGATE_KAFKA__CONNECT_SECONDS", "0.2")
    assert status("feedback", "false_alarm", "--tenant", "acme", "--series", "tenant=acme#requests") == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("tidegate: ")]
    assert "no Kafka broker answers at 127.0.0.1:1" in line


def series(path: Path, values: list[float]) -> Path:
    with path.open("w", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(["timestamp", "value"])
        table.writerows((f"2026-11-22 12:{number:02}:00", value) for number, value in enumerate(values))
    return path


def scores(folder: Path, values: list[float]) -> list[str]:
    assert write_scores(series(folder / "series.csv", values), folder / "scores.csv") == len(values)
    with (folder / "scores.csv").open(newline="") as lines:
        return [row["score"] for row in csv.DictReader(lines)]


def test_score_writes_a_row_for_each_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = series(tmp_path / "series.csv", [1.0] * 60 + [500.0])
    assert status("score", path, "--out", tmp_path / "scores.csv") == 0
    assert capsys.readouterr().out == "61 rows scored\n"
    head, *rows = (tmp_path / "scores.csv").read_text().splitlines()
    assert head == "timestamp,score"
    assert [row.split(",")[0] for row in rows] == [row.split(",")[0] for row in path.read_text().splitlines()[1:]]
    found = [float(row.split(",")[1]) for row in rows]
    assert max(found) == found[-1] > 0.5


def test_a_value_is_scored_before_it_is_learned(tmp_path: Path) -> None:
    scorer, begin = OutlierScorer(OutlierParams()), datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
    values = [1.0] * 50 + [5.0]
    expected = [scorer.observe(begin + 60 * row, value) for row, value in enumerate(values)]
    assert [float(score) for score in scores(tmp_path, values)] == expected


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=90),
    st.lists(st.floats(-1e6, 1e6), max_size=30),
)
def test_each_score_depends_on_the_past_alone(
    tmp_path_factory: pytest.TempPathFactory, past: list[float], future: list[float]
) -> None:
    folder = tmp_path_factory.mktemp("score", numbered=True)
    assert scores(folder, past + future)[: len(past)] == scores(folder, past)


def test_scores_do_not_take_the_place_of_their_series(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = series(tmp_path / "series.csv", [1.0] * 9)
    before = path.read_bytes()
    assert status("score", path, "--out", path) == 1
    assert "would take the place of the series" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_series_that_breaks_leaves_the_scores_that_were_there(tmp_path: Path) -> None:
    path = series(tmp_path / "series.csv", [1.0] * 9)
    assert status("score", path, "--out", tmp_path / "scores.csv") == 0
    before = (tmp_path / "scores.csv").read_bytes()
    path.write_text(path.read_text() + "2026-11-22 13:00:00,many\n")
    assert status("score", path, "--out", tmp_path / "scores.csv") == 1
    assert (tmp_path / "scores.csv").read_bytes() == before
    assert sorted(found.name for found in tmp_path.iterdir()) == ["scores.csv", "series.csv"]


@pytest.mark.parametrize("text", ["", '{"timestamp": "2026-11-22T10:00:00Z", "value": 1}\n', "time,value\n"])
def test_what_is_no_series_is_refused_and_not_scored_as_an_empty_one(text: str, tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text(text)
    with pytest.raises(SourceUnreadable, match="names no timestamp and value"):
        write_scores(path, tmp_path / "scores.csv")
    assert not (tmp_path / "scores.csv").exists()


def test_a_series_of_a_spreadsheet_is_scored_like_any_other(tmp_path: Path) -> None:
    path, marked = series(tmp_path / "series.csv", [1.0, 2.0, 9.0]), tmp_path / "marked.csv"
    marked.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert [write_scores(one, tmp_path / f"scores-{one.name}") for one in (path, marked)] == [3, 3]
    assert (tmp_path / "scores-marked.csv").read_bytes() == (tmp_path / "scores-series.csv").read_bytes()


@pytest.mark.parametrize("value", ["", "many", "nan", "inf"])
def test_a_value_that_is_no_number_is_named_by_its_row(
    value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "series.csv"
    path.write_text(f"timestamp,value\n1,1\n2,{value}\n")
    assert status("score", path, "--out", tmp_path / "scores.csv") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tidegate: {path}, row 3: ")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"time,value\n1,1\n", b"timestamp,value\n" + b"1" * 200_000])
def test_a_file_that_is_no_series_is_a_line_and_1(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "series.csv"
    path.write_bytes(content)
    assert status("score", path, "--out", tmp_path / "scores.csv") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tidegate: {path}")
