"""Prints the figures as tables, and each miss and false alarm as a line to look into."""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.quality import sheets
from benchmarks.quality.figures import Figures, Results
from benchmarks.quality.judge import Verdict, opened
from benchmarks.quality.profiles import HOUR
from benchmarks.quality.scenarios import Scenario
from benchmarks.quality.sheets import Sheet, number
from streamer.clock import utc
from streamer.records import Anomaly, Scope

_COLOURS = {"yes": "[green]yes[/]", "no": "[red]no[/]"}


def tell(console: Console, figures: Figures) -> None:
    """Print all tables of the scenarios."""
    quality = sheets.of_kinds(figures), sheets.of_strengths(figures), sheets.of_tenants(figures)
    show(console, [*quality, *sheets.of_false_alarms(figures), sheets.of_targets(figures)])


def show(console: Console, found: Iterable[Sheet]) -> None:
    """Print some tables."""
    for sheet in found:
        table = Table(title=sheet.title, title_justify="left")
        for place, name in enumerate(sheet.columns):
            table.add_column(name, justify="right" if place else "left")
        for row in sheet.rows:
            table.add_row(*(_COLOURS.get(cell, cell) for cell in row))
        console.print(table)


def tell_each(console: Console, results: Results, scenarios: Mapping[str, Scenario]) -> None:
    """Print each planting that was missed or named wrongly, and each false alarm; hours are from the tenant's begin."""
    missed = Table(title="Missed, or not named rightly at first", title_justify="left")
    for name in ("tenant", "planted", "scope", "from h", "minutes", "used before -> in it", "what was said"):
        missed.add_column(name, overflow="fold")
    for verdict in results.verdicts:
        if not verdict.found or not verdict.kind_right:
            missed.add_row(*_missed(verdict, scenarios[verdict.planting.tenant].begin))
    wrong = Table(title="False alarms", title_justify="left")
    for name in ("tenant", "h", "at", "kind", "series", "score", "observed", "expected", "reason"):
        wrong.add_column(name, overflow="fold")
    for scenario, anomaly in results.false_alarms:
        wrong.add_row(*_wrong(scenario, anomaly))
    console.print(missed, wrong)


def part_of(scope: Scope) -> str:
    """Name a part of a tenant."""
    return "/".join(part for part in (scope.use_case, scope.agent, scope.model, scope.session) if part) or "tenant"


def _missed(verdict: Verdict, begin: float) -> Sequence[str]:
    planting = verdict.planting
    said = "[red]nothing[/]"
    if verdict.found:
        first = verdict.alarms[0]
        kinds = ", ".join(dict.fromkeys(alarm.kind for alarm in verdict.alarms))
        said = f"{first.kind} after {verdict.delay:.0f} s: {first.reason} ({len(verdict.alarms)} alarms: {kinds})"
    scope = Scope(planting.use_case, planting.agent, session=planting.session)
    return (
        planting.tenant,
        f"{planting.kind} {planting.strength}",
        part_of(scope),
        f"{(planting.start - begin) / HOUR:.2f}",
        f"{(planting.end - planting.start) / 60:.0f}",
        _levels(verdict),
        said,
    )


def _levels(verdict: Verdict) -> str:
    units = ("requests/min", "tokens/request", "$/h")
    pairs = zip(verdict.usual, verdict.planted, units, strict=True)
    return "\n".join(f"{number(usual)} -> {number(planted)} {unit}" for usual, planted, unit in pairs)


def _wrong(scenario: Scenario, anomaly: Anomaly) -> Sequence[str]:
    return (
        scenario.tenant,
        f"{(opened(anomaly) - scenario.begin) / HOUR:.2f}",
        f"{utc(opened(anomaly)):%a %H:%M:%S}",
        anomaly.kind,
        f"{part_of(anomaly.scope)}#{anomaly.series.rpartition('#')[2]}",
        f"{anomaly.score:.2f}",
        f"{anomaly.observed:,.6g}",
        f"{anomaly.expected:,.6g}",
        anomaly.reason,
    )
