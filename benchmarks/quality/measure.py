"""Runs the scenarios of some seeds and judges them; `python -m benchmarks.quality` prints and keeps what comes of it.

Thresholds were only ever looked at on the `tune` seeds; what is reported is of the `report` seeds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import msgspec
from rich.console import Console

from benchmarks.quality import figures, sheets, tables
from benchmarks.quality.drive import Times, blind, replayed
from benchmarks.quality.figures import Figures, Results
from benchmarks.quality.judge import Judgement, judged
from benchmarks.quality.scenarios import Scenario, scenarios
from streamer.config import Config

SEEDS: Mapping[Literal["tune", "report"], tuple[int, ...]] = {"tune": (1, 2, 3), "report": tuple(range(205, 211))}
# The first such tenant is also run through a Pipeline that detects nothing.
_TIMED = "short large"
Work = TypeVar("Work")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Options:
    """What to run, in how many processes, and how much to say; empty selections mean all."""

    seeds: Sequence[int] = SEEDS["report"]
    quick: bool = False
    kinds: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    each: bool = False
    processes: int = 1
    note: Callable[[str], None] = field(default=lambda _: None)


class Task(NamedTuple):
    """A scenario that is to be run, and whether it is also to be timed without detectors."""

    scenario: Scenario
    timed: bool


class Found(NamedTuple):
    """What came of a scenario; `blind` where it was also run without detectors."""

    judgement: Judgement
    times: Times
    blind: Times | None


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
    results, blinded, timed, tasks = Results(), Times(), Times(), list(_tasks(chosen(options)))
    for task, found in zip(tasks, spread(_run, tasks, options.processes), strict=True):
        options.note(task.scenario.tenant)
        results.take(task.scenario, found.judgement, found.times)
        if found.blind:
            timed.add(found.times)
            blinded.add(found.blind)
    told = figures.as_json(results, options.seeds) | {"cost": figures.cost(results.times, timed, blinded)}
    if options.each:
        tables.tell_each(console, results, {task.scenario.tenant: task.scenario for task in tasks})
    tables.tell(console, told)
    tables.show(console, [sheets.of_cost(told["cost"])])
    return told


def spread(function: Callable[[Work], Done], works: Sequence[Work], processes: int) -> Iterator[Done]:
    """Map over several processes, in order, or within this one; a `function` of a module, that gives the same in any.

    Processes are started anew, not forked: this one has threads.
    """
    if processes == 1:
        yield from map(function, works)
        return
    with get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(function, works)


def write(scenario: Scenario, folder: Path) -> None:
    """Write a scenario as files: its events for `tidegate replay`, and its labels."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{scenario.tenant}.jsonl").open("wb") as lines:
        lines.writelines(msgspec.json.encode(event) + b"\n" for event in scenario.events())
    labels = {"plantings": scenario.plantings, "budgets": [budget.model_dump() for budget in scenario.budgets]}
    (folder / f"{scenario.tenant}.labels.json").write_bytes(msgspec.json.format(msgspec.json.encode(labels)) + b"\n")


def _tasks(found: Iterable[Scenario]) -> Iterator[Task]:
    timed = False
    for scenario in found:
        first = scenario.label == _TIMED and not timed
        timed = timed or first
        yield Task(scenario, first)


def _run(task: Task) -> Found:
    """Run and judge one tenant, in whichever process."""
    scenario = task.scenario
    events = scenario.events()
    run = replayed(scenario, Config(), events)
    without = replayed(scenario, blind(), events).times if task.timed else None
    return Found(judged(run, scenario.plantings, scenario.label, scenario.begin), run.times, without)
