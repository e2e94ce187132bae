"""What is measured is the same in one process and in two, and what is not at hand is said to be left out."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from benchmarks.quality import __main__ as command
from benchmarks.quality import kept, measure, nab

TENANTS = frozenset({"5-48-short-small", "5-49-short-small"})


def figures(processes: int) -> dict[str, object]:
    console = Console(file=io.StringIO())
    options = measure.Options(seeds=(5,), tenants=TENANTS, processes=processes)
    return {name: value for name, value in measure.measure(console, options).items() if name != "cost"}


@pytest.mark.processes
def test_two_processes_give_the_figures_of_one():
    one = figures(1)
    assert one["tenants"] == 2
    assert json.dumps(one) == json.dumps(figures(2))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(command, "_ROOT", tmp_path)
    monkeypatch.setattr(kept, "PATH", tmp_path / "build" / "quality.json")
    monkeypatch.setattr(nab, "DATA", tmp_path / "nab")
    monkeypatch.setattr(nab, "TOOL", tmp_path / "nab_score.py")
    return tmp_path


def test_a_benchmark_that_is_not_at_hand_is_left_out_and_that_is_said(folder):
    run = CliRunner().invoke(command.main, ["--part", "nab"], catch_exceptions=False)
    assert "NAB is left out" in run.output
    assert list(kept.read()["nab"]) == ["left_out"]


def test_a_benchmark_that_is_at_hand_is_measured_and_the_other_figures_stay(folder, monkeypatch):
    (folder / "nab").mkdir()
    (folder / "nab_score.py").touch()
    kept.keep("memory", {"bytes_per_series": 976.0})
    asked = []
    found = {
        **{"standard": 75.0, "low_fp": 70.0, "low_fn": 78.0, "by_split": 72.0, "by_split_reselected": 71.0},
        **{"by_family": {"realTweets": 81.6}, "us_per_row": 10.0, "us_per_row.river_gaussian": 1.5},
    }
    monkeypatch.setattr(nab, "measure", lambda *given: asked.append(given) or found)
    run = CliRunner().invoke(command.main, ["--part", "nab", "--processes", "1"], catch_exceptions=False)
    assert asked == [(folder / "nab", folder / "nab_score.py", 1)]
    assert "realTweets" in run.output
    assert kept.read() == {"memory": {"bytes_per_series": 976.0}, "nab": found}
