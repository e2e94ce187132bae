"""Runs the scenarios of some seeds and judges them; `python -m benchmarks.quality` prints and keeps what comes of it.

Thresholds were only ever looked at on the `tune` seeds; what is reported is of the `report` seeds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
from rich.console import Console

from benchmarks.quality import figures, tables
from benchmarks.quality.drive import Times, blind, replayed
from benchmarks.quality.figures import Figures, Results
from benchmarks.quality.judge import judged
from benchmarks.quality.scenarios import Scenario, scenarios
from streamer.config import Config

SEEDS: Mapping[Literal["tune", "report"], tuple[int, ...]] = {"tune": (1, 2, 3), "report": (101, 102, 103)}
# The first such tenant is also run through a Pipeline that detects nothing.
_TIMED = "short large"


@dataclass(frozen=True, slots=True)
class Options:
    """What to run and how much to say; empty selections mean all."""

    seeds: Sequence[int] = SEEDS["report"]
    quick: bool = False
    kinds: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    each: bool = False
    note: Callable[[str], None] = field(default=lambda _: None)


def chosen(options: Options) -> Iterator[Scenario]:
    """Give the scenarios that are to be run: of a kind, those that it is planted in and the clean ones."""
    for number, seed in enumerate(options.seeds):
        for scenario in scenarios(seed, quick=options.quick, first=number == 0):
            kinds = {planting.kind for planting in scenario.plantings}
            if (not options.kinds or not kinds or kinds & options.kinds) and (
                not options.tenants or scenario.tenant in options.tenants
            ):
                yield scenario


def measure(console: Console, options: Options) -> Figures:
    """Run, judge and print; gives all figures, ready for JSON."""
    results, blinded, timed, ran = Results(), Times(), Times(), dict[str, Scenario]()
    config, without = Config(), blind()
    for scenario in chosen(options):
        options.note(scenario.tenant)
        events = scenario.events()
        run = replayed(scenario, config, events)
        results.take(scenario, judged(run, scenario.plantings, scenario.label, scenario.begin), run.times)
        ran[scenario.tenant] = scenario
        if scenario.label == _TIMED and not timed.events:
            timed.add(run.times)
            blinded.add(replayed(scenario, without, events).times)
    found = figures.as_json(results, options.seeds) | {"cost": figures.cost(results.times, timed, blinded)}
    if options.each:
        tables.tell_each(console, results, ran)
    tables.tell(console, found, results)
    tables.tell_cost(console, found["cost"])
    return found


def write(scenario: Scenario, folder: Path) -> None:
    """Write a scenario as files: its events for `tidegate replay`, and its labels."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{scenario.tenant}.jsonl").open("wb") as lines:
        lines.writelines(msgspec.json.encode(event) + b"\n" for event in scenario.events())
    labels = {"plantings": scenario.plantings, "budgets": [budget.model_dump() for budget in scenario.budgets]}
    (folder / f"{scenario.tenant}.labels.json").write_bytes(msgspec.json.format(msgspec.json.encode(labels)) + b"\n")
