"""Where figures go: printed as a table, and kept in build/bench.json, where the runs of single benchmarks meet."""

import json
from collections.abc import Mapping
from pathlib import Path

PATH = Path(__file__).parents[1] / "build" / "bench.json"


def keep(figures: Mapping[str, object]) -> None:
    """Print figures by name, and put them beside those that build/bench.json has already."""
    say(figures)
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(json.dumps({**kept(), **figures}, indent=2, sort_keys=True) + "\n")


def say(figures: Mapping[str, object]) -> None:
    """Print figures by name."""
    for name, value in figures.items():
        print(f"{name:<40} {value:>14,.4f}" if isinstance(value, float) else f"{name:<40} {value!s:>14}")


def kept() -> dict[str, object]:
    """Read what is there."""
    return dict(json.loads(PATH.read_text())) if PATH.exists() else {}
