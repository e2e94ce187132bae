"""Prints the figures as tables, and each miss and false alarm as a line to look into."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.quality.figures import Figures, Results, targets
from benchmarks.quality.judge import Verdict, opened
from benchmarks.quality.profiles import HOUR
from benchmarks.quality.scenarios import Scenario
from streamer.clock import utc
from streamer.records import Anomaly, Scope

_OWN = {
    "calls": "{:.0f} calls",
    "grown": "{:.2f}x grown",
    "windows_late": "{:+.1f} windows",
    "hours": "{:.1f} h",
}


def tell(console: Console, figures: Figures, results: Results) -> None:
    """Print all tables."""
    _quality(console, "By kind", {**figures["by_kind"], "all": figures["all"]})
    _quality(console, "By strength", figures["by_strength"])
    _quality(console, "By tenant", figures["by_tenants"])
    _false_alarms(console, figures["false_alarms"])
    _targets(console, results)


def tell_cost(console: Console, cost: Mapping[str, Any]) -> None:
    """Print what it costs."""
    table = Table(title="What it costs", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in cost.items():
        table.add_row(name.replace("_", " "), _number(value))
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


def _quality(console: Console, title: str, groups: Mapping[str, Figures]) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    names = (
        "planted",
        "recall",
        "in kind",
        "delay p50",
        "p90",
        "its own p50",
        "p90",
        "kind",
        "scope",
        "alarms",
        "lost $",
    )
    for name in names:
        table.add_column(name, justify="right")
    for name, group in groups.items():
        table.add_row(name, str(group["planted"]), *(_cells(group)))
    console.print(table)


def _cells(group: Figures) -> Sequence[str]:
    own = [(name, text) for name, text in _OWN.items() if f"{name}_p50" in group]
    special = [
        text.format(group[f"{name}_{p}"]) if group[f"{name}_{p}"] is not None else ""
        for name, text in own
        for p in ("p50", "p90")
    ] or ["", ""]
    return (
        _percent(group["recall"]),
        _percent(group["recall_in_kind"]),
        _seconds(group["delay_p50"]),
        _seconds(group["delay_p90"]),
        *special,
        _percent(group["kind_right"]),
        _percent(group["scope_right"]),
        _number(group["alarms_per_cause"]),
        _number(group["lost_usd_p50"]),
    )


def _false_alarms(console: Console, figures: Figures) -> None:
    title = f"False alarms: {figures['count']} in {figures['tenant_days']:.1f} tenant-days"
    table = Table(title=f"{title}, and {figures['aftermath']} after a planting's end", title_justify="left")
    for name in ("", "tenants", "days", "alarms", "a tenant-day"):
        table.add_column(name, justify="right" if name else "left")
    for label, found in figures["by_tenants"].items():
        table.add_row(
            label, str(found["tenants"]), f"{found['days']:.2f}", str(found["count"]), _number(found["per_tenant_day"])
        )
    table.add_section()
    for kind, rate in figures["by_kind"].items():
        table.add_row(kind, "", "", f"{rate * figures['tenant_days']:.0f}", _number(rate))
    console.print(table)


def _targets(console: Console, results: Results) -> None:
    table = Table(title="To reach", title_justify="left")
    for name in ("", "measured", "asked", "met"):
        table.add_column(name, justify="right" if name == "measured" else "left")
    for name, value, asked, met in targets(results):
        table.add_row(name, _number(value), asked, {True: "[green]yes[/]", False: "[red]no[/]", None: "-"}[met])
    console.print(table)


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
        _part(scope),
        f"{(planting.start - begin) / HOUR:.2f}",
        f"{(planting.end - planting.start) / 60:.0f}",
        _levels(verdict),
        said,
    )


def _levels(verdict: Verdict) -> str:
    units = ("requests/min", "tokens/request", "$/h")
    pairs = zip(verdict.usual, verdict.planted, units, strict=True)
    return "\n".join(f"{_number(usual)} -> {_number(planted)} {unit}" for usual, planted, unit in pairs)


def _wrong(scenario: Scenario, anomaly: Anomaly) -> Sequence[str]:
    return (
        scenario.tenant,
        f"{(opened(anomaly) - scenario.begin) / HOUR:.2f}",
        f"{utc(opened(anomaly)):%a %H:%M:%S}",
        anomaly.kind,
        f"{_part(anomaly.scope)}#{anomaly.series.rpartition('#')[2]}",
        f"{anomaly.score:.2f}",
        f"{anomaly.observed:,.6g}",
        f"{anomaly.expected:,.6g}",
        anomaly.reason,
    )


def _part(scope: Scope) -> str:
    return "/".join(part for part in (scope.use_case, scope.agent, scope.model, scope.session) if part) or "tenant"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
