"""Turn public traces into canonical usage events: no clock, no Kafka, the same events each time.

The kind of a trace is recognised by its columns. What a trace does not tell is set here, and said here:
models for the CSV traces, a date for the traces without one, times for tau-bench.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import groupby
from math import ceil
from pathlib import Path
from typing import Any, Final

Event = dict[str, Any]

BASE: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""Where traces without a date begin: Mooncake counts milliseconds from its start, tau-bench has no times."""
STEP_GAP: Final = timedelta(seconds=3)
"""Between two steps of a tau-bench episode."""
EPISODE_GAP: Final = timedelta(seconds=10)
"""Between the starts of two tau-bench episodes, so that several are open at a time."""
TOOL_DELAY: Final = timedelta(seconds=1)
"""From a tau-bench step to its tool call."""
CHARS_A_TOKEN: Final = 4


class UnknownTraceError(ValueError):
    """The columns of a file are those of no trace known here."""


def events_of(path: Path) -> Iterator[Event]:
    """Yield the canonical usage events of a trace, sorted by time.

    Raises UnknownTraceError for a file that is neither an Azure nor a Mooncake CSV nor tau-bench JSONL.
    """
    with path.open(newline="") as lines:
        first = lines.readline().strip()
    for columns, reader in _READERS.items():
        if all(column in first for column in columns):
            return reader(path)
    known = "; ".join(", ".join(columns) for columns in _READERS)
    raise UnknownTraceError(f"{path}: begins with {first[:80]!r}; known are files with the columns {known}")


def azure_events(path: Path) -> Iterator[Event]:
    """Yield one `llm` event a request of the Azure LLM inference trace 2023; model chosen here."""
    for number, row in enumerate(_rows(path)):
        yield {
            **_request("azure-code", number, datetime.fromisoformat(row["TIMESTAMP"]).replace(tzinfo=UTC)),
            "use_case": "code",
            "agent": "completion",
            "provider": "openai",
            "model": "gpt-4o-mini",
            "input_tokens": int(row["ContextTokens"]),
            "output_tokens": int(row["GeneratedTokens"]),
        }


def mooncake_events(path: Path) -> Iterator[Event]:
    """Yield one `llm` event a request of the Mooncake conversation trace from BASE on; model chosen here."""
    for number, row in enumerate(_rows(path)):
        yield {
            **_request("mooncake-chat", number, BASE + timedelta(milliseconds=int(row["timestamp_ms"]))),
            "use_case": "chat",
            "agent": "assistant",
            "provider": "moonshotai",
            "model": "kimi-k2-0905-preview",
            "input_tokens": int(row["input_tokens"]),
            "output_tokens": int(row["output_tokens"]),
        }


def tau_bench_events(path: Path) -> Iterator[Event]:
    """Yield an `llm` event a step of the tau-bench episodes and a `tool` event a tool call.

    Times are laid out from BASE by STEP_GAP, EPISODE_GAP and TOOL_DELAY. Tokens are characters / 4: the
    output is what the step writes, the input what the episode's earlier steps wrote, because the trace
    carries neither the system prompt, nor the user's words, nor the tools' answers.
    """
    with path.open() as lines:
        steps = [json.loads(line) for line in lines]
    timed = [
        timed_event
        for number, (_, episode) in enumerate(groupby(steps, key=lambda step: str(step["session"])))
        for timed_event in _episode(BASE + number * EPISODE_GAP, list(episode))
    ]
    timed.sort(key=lambda timed_event: timed_event[0])
    for number, (at, event) in enumerate(timed):
        yield {**_identity("airline", number, at), **event}


_READERS: Final[dict[tuple[str, ...], Callable[[Path], Iterator[Event]]]] = {
    ("TIMESTAMP", "ContextTokens", "GeneratedTokens"): azure_events,
    ("timestamp_ms", "input_tokens", "output_tokens"): mooncake_events,
    ('"session"', '"step"', '"chars"'): tau_bench_events,
}


def rfc3339(at: datetime) -> str:
    """Write a UTC time with microseconds and `Z`."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as lines:
        yield from csv.DictReader(lines)


def _identity(tenant: str, number: int, at: datetime) -> Event:
    return {"id": f"{tenant}-{number:06d}", "source": "traces", "time": rfc3339(at), "tenant": tenant}


def _request(tenant: str, number: int, at: datetime) -> Event:
    return {**_identity(tenant, number, at), "kind": "llm", "steps": 1, "requests": 1, "status": "ok"}


def _episode(at: datetime, steps: list[dict[str, Any]]) -> Iterator[tuple[datetime, Event]]:
    context = 0
    for step in steps:
        written = step["chars"] + len(step.get("arguments", ""))
        yield at, _step(step["session"], context, written)
        if "tool" in step:
            yield at + TOOL_DELAY, _tool_call(step)
        context += written
        at += STEP_GAP


def _step(session: str, context: int, written: int) -> Event:
    return {
        **_airline(session),
        "kind": "llm",
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": ceil(context / CHARS_A_TOKEN),
        "output_tokens": ceil(written / CHARS_A_TOKEN),
        "steps": 1,
        "requests": 1,
    }


def _tool_call(step: dict[str, Any]) -> Event:
    return {
        **_airline(step["session"]),
        "kind": "tool",
        "tool": step["tool"],
        "tool_args_hash": args_hash(step["arguments"]),
        "tool_calls": 1,
        "requests": 0,
    }


def _airline(session: str) -> Event:
    return {"use_case": "support", "agent": "airline", "session": session, "status": "ok"}


def args_hash(arguments: str) -> str:
    """Hash JSON arguments so that order of keys and white space make no difference (blake2b, 128 bits, hex).

    >>> args_hash('{"a": 1, "b": 2}') == args_hash('{"b":2,"a":1}')
    True
    """
    canonical = json.dumps(json.loads(arguments), sort_keys=True, separators=(",", ":"))
    return blake2b(canonical.encode(), digest_size=16).hexdigest()
