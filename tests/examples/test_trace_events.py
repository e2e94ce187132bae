"""The example traces become canonical events whose totals are the traces' own."""

from __future__ import annotations

import csv
import importlib.util
import json
import runpy
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from streamer.demo import figures
from tests.conftest import SHARED_DATA

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
TRACES = SHARED_DATA / "traces"
EXAMPLES = ROOT / "examples"

needs_traces = pytest.mark.usefixtures("shared_data")
events_of: Callable[[Path], Iterator[dict[str, Any]]]
events_of = runpy.run_path(str(EXAMPLES / "trace_events.py"))["events_of"]


def run(script: str, *arguments: str | Path) -> str:
    command = [sys.executable, EXAMPLES / script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@needs_traces
@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("azure_llm_2023_code.csv", ("ContextTokens", "GeneratedTokens")),
        ("mooncake_conversation.csv", ("input_tokens", "output_tokens")),
    ],
)
def test_totals_of_a_csv_trace_are_kept(name: str, columns: tuple[str, str]) -> None:
    with (TRACES / name).open() as lines:
        rows = list(csv.DictReader(lines))
    events = list(events_of(TRACES / name))
    assert sum(event["requests"] for event in events) == len(rows)
    assert sum(event["input_tokens"] for event in events) == sum(int(row[columns[0]]) for row in rows)
    assert sum(event["output_tokens"] for event in events) == sum(int(row[columns[1]]) for row in rows)


@needs_traces
def test_steps_and_calls_of_tau_bench_are_kept() -> None:
    path = TRACES / "taubench_airline_gpt4o.jsonl"
    steps = [json.loads(line) for line in path.read_text().splitlines()]
    events = list(events_of(path))
    assert sum(event.get("steps", 0) for event in events) == len(steps)
    assert Counter(event["tool"] for event in events if event["kind"] == "tool") == Counter(
        step["tool"] for step in steps if "tool" in step
    )
    calls = Counter((e["session"], e["tool"], e["tool_args_hash"]) for e in events if e["kind"] == "tool")
    assert max(calls.values()) == figures.TAU_BENCH_AIRLINE.most_repeats


@needs_traces
@pytest.mark.parametrize("path", sorted(TRACES.glob("*.*")), ids=lambda path: path.stem)
def test_events_are_sorted_with_unique_ids(path: Path) -> None:
    events = list(events_of(path))
    times = [datetime.fromisoformat(event["time"]) for event in events]
    assert times == sorted(times)
    assert len({event["id"] for event in events}) == len(events)


@needs_traces
def test_the_figures_are_what_the_traces_measure(tmp_path: Path) -> None:
    printed = written(tmp_path / "printed.py", run("measure_traces.py", TRACES))
    measured = runpy.run_path(str(printed), init_globals=vars(figures))
    for name in ("AZURE_CODE", "MOONCAKE_CONVERSATION", "TAU_BENCH_AIRLINE", "SERVEGEN_CLIENTS"):
        assert measured[name] == getattr(figures, name)


def test_an_azure_row_becomes_a_canonical_event(tmp_path: Path) -> None:
    text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n"
    (event,) = events_of(written(tmp_path / "a.csv", text))
    assert event == {
        "id": "azure-code-000000",
        "source": "traces",
        "time": "2023-11-16T18:17:03.979960Z",
        "tenant": "azure-code",
        "use_case": "code",
        "agent": "completion",
        "kind": "llm",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "input_tokens": 4808,
        "output_tokens": 10,
        "steps": 1,
        "requests": 1,
        "status": "ok",
    }


def test_equal_arguments_hash_alike_however_they_are_written(tmp_path: Path) -> None:
    arguments = ('{"a": 1, "b": 2}', '{"b":2,"a":1}', '{"a":1,"b":3}')
    lines = [
        json.dumps({"session": "s", "step": step, "chars": 0, "tool": "t", "arguments": text})
        for step, text in enumerate(arguments)
    ]
    events = events_of(written(tmp_path / "a.jsonl", "\n".join(lines)))
    first, second, third = (event["tool_args_hash"] for event in events if event["kind"] == "tool")
    assert first == second != third


def test_an_unknown_file_is_refused_with_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="timestamp_ms"):
        events_of(written(tmp_path / "a.csv", "a,b\n1,2\n"))


@pytest.mark.skipif(importlib.util.find_spec("aiokafka") is None, reason="the player needs aiokafka")
def test_the_player_writes_traces_that_begin_together(tmp_path: Path) -> None:
    azure = written(
        tmp_path / "a.csv",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00.0,1,1\n2023-11-16 18:00:02.0,2,2\n",
    )
    mooncake = written(tmp_path / "m.csv", "timestamp_ms,input_tokens,output_tokens\n0,3,3\n1000,4,4\n")
    out = tmp_path / "out.jsonl"
    run("play_traces.py", azure, mooncake, "--out", out, "--shift-to-now", "--speed", "max", "--limit", "3")
    events = [json.loads(line) for line in out.read_text().splitlines()]
    assert [event["input_tokens"] for event in events] == [1, 3, 4]
    start, _, end = (datetime.fromisoformat(event["time"]) for event in events)
    assert (end - start).total_seconds() == 1
