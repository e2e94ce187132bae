"""How well the detectors detect: `make quality`, or `python -m benchmarks.quality --help`."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console

from benchmarks import memory
from benchmarks.quality import kept, measure, nab, sheets, tables
from benchmarks.quality.figures import KINDS

_ROOT = Path(__file__).parents[2]
_SERIES = 20_000
_PROCESSES = 4
Part = Callable[[Console, measure.Options], dict[str, Any]]


def _memory(console: Console, _: measure.Options) -> dict[str, Any]:
    figures = memory.measured(_SERIES)
    tables.show(console, [sheets.of_cost(figures)])
    return figures


def _nab(console: Console, options: measure.Options) -> dict[str, Any]:
    data, tool = nab.DATA, nab.TOOL
    if not (data.is_dir() and tool.is_file()):
        reason = "NAB is left out: its series and its tool are not beside the project"
        console.print(reason)
        return {"left_out": reason}
    options.note("NAB")
    figures = nab.measure(data, tool, options.processes)
    tables.show(console, sheets.of_nab(figures))
    return figures


# What is measured, by its name in build/quality.json. Memory first: what others leave behind would count.
PARTS: dict[str, Part] = {
    "memory": _memory,
    "nab": _nab,
    "scenarios": measure.measure,
}


@click.command()
@click.option("--seeds", type=click.Choice(list(measure.SEEDS)), default="report", help="Thresholds look at tune only.")
@click.option("--seed", type=int, multiple=True, help="These seeds instead.")
@click.option("--quick", is_flag=True, help="One seed and fewer tenants: half a minute.")
@click.option(
    "--kind", type=click.Choice(KINDS), multiple=True, help="Only what is planted of this kind, and the clean."
)
@click.option("--tenant", multiple=True, help="Only this tenant.")
@click.option("--each", "-v", is_flag=True, help="List each miss and each false alarm.")
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=min(os.cpu_count() or 1, _PROCESSES),
    show_default=True,
    help="The figures are the same with any number of them.",
)
@click.option("--part", type=click.Choice(list(PARTS)), multiple=True, help="Only this part of the measurements.")
@click.option("--write", type=click.Path(path_type=Path), help="Write events and labels as files instead.")
@click.option("--width", type=int, help="Of the tables, in characters.")
def main(write: Path | None, width: int | None, part: tuple[str, ...], **selection: Any) -> None:
    """Measure the detectors on labelled scenarios, and keep the figures in build/quality.json.

    Example: python -m benchmarks.quality --seeds tune --quick --kind burst -v
    """
    progress = Console(stderr=True)
    with progress.status("") as status:
        options = _options(note=status.update, **selection)
        if write:
            for scenario in measure.chosen(options):
                measure.write(scenario, write)
        else:
            _measure(Console(width=width), options, part or tuple(PARTS))


def _options(
    *,
    seeds: Literal["tune", "report"],
    seed: tuple[int, ...],
    quick: bool,
    kind: tuple[str, ...],
    tenant: tuple[str, ...],
    each: bool,
    processes: int,
    note: Callable[[str], None],
) -> measure.Options:
    numbers = seed or measure.SEEDS[seeds]
    return measure.Options(
        seeds=numbers[:1] if quick and not seed else numbers,
        quick=quick,
        kinds=frozenset(kind),
        tenants=frozenset(tenant),
        each=each,
        processes=processes,
        note=note,
    )


def _measure(console: Console, options: measure.Options, chosen: tuple[str, ...]) -> None:
    """Measure the chosen parts; figures of the others stay in the file as they were."""
    began = time.perf_counter()
    for name, part in PARTS.items():
        if name in chosen:
            kept.keep(name, part(console, options))
    console.print(f"{time.perf_counter() - began:.0f} s; all figures are in {kept.PATH.relative_to(_ROOT)}")


if __name__ == "__main__":
    main()
