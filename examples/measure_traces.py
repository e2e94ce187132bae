"""Measure the figures of `streamer/demo/figures.py` on real traces.

    python examples/measure_traces.py DATA_DIR

DATA_DIR holds the traces as the project's data directory lays them out. Printed is Python: the constants of
`streamer.demo.figures`, to be pasted below its classes and formatted with `ruff format`.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from pathlib import Path
from statistics import fmean, median, pstdev, quantiles
from typing import Any

Request = tuple[float, int, int]
"""Arrival in seconds, input tokens, output tokens."""


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header."""
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def azure(path: Path) -> list[Request]:
    """Return the requests of the Azure LLM inference trace 2023."""
    return [
        (
            datetime.fromisoformat(f"{row['TIMESTAMP']}+00:00").timestamp(),
            int(row["ContextTokens"]),
            int(row["GeneratedTokens"]),
        )
        for row in read_csv(path)
    ]


def mooncake(path: Path) -> list[Request]:
    """Return the requests of the Mooncake conversation trace."""
    return [
        (int(row["timestamp_ms"]) / 1000, int(row["input_tokens"]), int(row["output_tokens"])) for row in read_csv(path)
    ]


def quantiles_21(values: Iterable[float]) -> tuple[int, ...]:
    """Return 21 quantiles, from the least value in steps of 5% to the greatest, as whole numbers."""
    ordered = sorted(values)
    inner = quantiles(ordered, n=20, method="inclusive")
    return tuple(round(value) for value in (ordered[0], *inner, ordered[-1]))


def thirds_by_input(requests: Sequence[Request]) -> list[list[Request]]:
    """Split requests into those with the shortest, the middle and the longest input, a third each."""
    ordered = sorted(requests, key=lambda request: request[1])
    cuts = [round(len(ordered) * third / 3) for third in range(4)]
    return [ordered[low:high] for low, high in pairwise(cuts)]


def request_figures(requests: Sequence[Request]) -> dict[str, Any]:
    """Return the fields of `RequestFigures`."""
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(requests)]
    return {
        "input_tokens": quantiles_21(tokens for _, tokens, _ in requests),
        "output_tokens": tuple(quantiles_21(out for _, _, out in third) for third in thirds_by_input(requests)),
        "requests_per_second": round(1 / fmean(gaps), 3),
        "gap_cv": round(pstdev(gaps) / fmean(gaps), 3),
    }


def session_figures(path: Path) -> dict[str, Any]:
    """Return the fields of `SessionFigures`."""
    with path.open() as lines:
        steps = [json.loads(line) for line in lines]
    episodes = [list(episode) for _, episode in groupby(steps, key=lambda step: step["session"])]
    calls = [step for step in steps if "tool" in step]
    repeats = Counter((call["session"], call["tool"], call["arguments"]) for call in calls)
    repeating = {session for (session, _, _), times in repeats.items() if times > 1}
    return {
        "steps": quantiles_21(len(episode) for episode in episodes),
        "tool_share": round(len(calls) / len(steps), 3),
        "tools": tool_shares(calls),
        "step_chars": quantiles_21(step["chars"] + len(step.get("arguments", "")) for step in steps),
        "most_repeats": max(repeats.values()),
        "repeating_share": round(len(repeating) / len(episodes), 3),
    }


def tool_shares(calls: Sequence[dict[str, Any]]) -> tuple[tuple[str, float], ...]:
    """Return each tool with its share of the calls, the most called first."""
    counts = Counter(call["tool"] for call in calls)
    return tuple((tool, round(count / len(calls), 3)) for tool, count in counts.most_common())


def client_figures(directory: Path) -> dict[str, Any]:
    """Return the fields of `ClientFigures`; per client, medians over its busy 10-minute steps."""
    rates, cvs = [], []
    for path in sorted(directory.glob("*.csv")):
        busy = [row for row in read_csv(path) if float(row["requests_per_second"]) > 0]
        rates.append(median(float(row["requests_per_second"]) for row in busy))
        cvs.append(median(float(row["cv"]) for row in busy))
    return {
        "clients": len(rates),
        "requests_per_second": round(median(rates), 4),
        "gap_cv": round(median(cvs), 3),
    }


def main(data: Path) -> None:
    """Print each constant as Python source."""
    measured = {
        "AZURE_CODE: Final = RequestFigures": request_figures(azure(data / "azure_llm_2023_code.csv")),
        "MOONCAKE_CONVERSATION: Final = RequestFigures": request_figures(mooncake(data / "mooncake_conversation.csv")),
        "TAU_BENCH_AIRLINE: Final = SessionFigures": session_figures(data / "taubench_airline_gpt4o.jsonl"),
        "SERVEGEN_CLIENTS: Final = ClientFigures": client_figures(data / "servegen"),
    }
    for constant, fields in measured.items():
        print(f"{constant}(")
        for name, value in fields.items():
            print(f"    {name}={value!r},")
        print(")\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/measure_traces.py DATA_DIR")
    main(Path(sys.argv[1]))
