"""The figures of build/quality.json as tables of text, for a terminal and for docs/quality.md alike."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.quality.figures import Figures

_OWN = {
    "calls": "{:.0f} calls",
    "grown": "{:.2f}x grown",
    "windows_late": "{:+.1f} windows",
    "hours": "{:.1f} h",
}
_COLUMNS = (
    "",
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
_PROFILES = {"standard": "standard", "low_fp": "low false alarms", "low_fn": "low misses"}
_SPLITS = {
    "by_split": "threshold chosen on one half, applied to the other",
    "by_split_reselected": "the same, parameters chosen anew there as well",
}
_ROW_COSTS = {"us_per_row": "OutlierScorer", "us_per_row.river_gaussian": "river's GaussianScorer"}
_COSTS = {
    "us_per_event": "microseconds an event that closes no window",
    "us_per_window": "microseconds a closed window of one entity",
    "us_per_tick": "microseconds a tick that closes no window",
    "us_per_event_with_windows": "microseconds an event, with its share of windows and ticks",
    "us_per_event_with_windows_seeing": "the same, of one large tenant",
    "us_per_event_with_windows_blind": "the same tenant, all detectors off",
    "seeing_over_blind": "with detectors over without",
    "bytes_per_series": "bytes held a series (one metric of one entity)",
    "snapshot_bytes_per_series": "bytes written down a series",
}


class Sheet(NamedTuple):
    """One table: its title, the names of its columns, and its rows; the first column is text, the others numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def of_targets(figures: Figures) -> Sheet:
    """Give what was to be reached beside what was."""
    words = {True: "yes", False: "no", None: "-"}
    rows = [(name, number(t["measured"]), t["asked"], words[t["met"]]) for name, t in figures["targets"].items()]
    return Sheet("To reach", ("", "measured", "asked", "met"), rows)


def of_kinds(figures: Figures) -> Sheet:
    """Give the quality of each kind, and of all together."""
    return _quality("By kind", {**figures["by_kind"], "all": figures["all"]})


def of_strengths(figures: Figures) -> Sheet:
    """Give the quality by kind and strength."""
    return _quality("By strength", figures["by_strength"])


def of_tenants(figures: Figures) -> Sheet:
    """Give the quality by kind and by tenants: their length of history and size."""
    return _quality("By tenant", figures["by_tenants"])


def of_false_alarms(figures: Figures) -> Iterator[Sheet]:
    """Give false alarms by tenants, then by kind."""
    found = figures["false_alarms"]
    days = found["tenant_days"]
    title = f"False alarms: {found['count']} in {days:.1f} tenant-days, and {found['aftermath']} after a planting's end"
    tenants = [
        (label, str(one["tenants"]), f"{one['days']:.2f}", str(one["count"]), number(one["per_tenant_day"]))
        for label, one in found["by_tenants"].items()
    ]
    yield Sheet(title, ("", "tenants", "days", "alarms", "a tenant-day"), tenants)
    kinds = [(kind, f"{rate * days:.0f}", number(rate)) for kind, rate in found["by_kind"].items()]
    yield Sheet("False alarms by kind", ("", "alarms", "a tenant-day"), kinds)


def of_nab(figures: Figures) -> Iterator[Sheet]:
    """Give the benchmark's scores, and what a row costs; figures of a part left out say so and give none."""
    if "left_out" in figures:
        return
    whole = [(_PROFILES[name], f"{figures[name]:.1f}") for name in _PROFILES]
    yield Sheet("NAB, one threshold for all series, chosen over all of them", ("profile", "score"), whole)
    splits = [(words, f"{figures[name]:.1f}") for name, words in _SPLITS.items()]
    yield Sheet("NAB by split, standard profile", ("", "score"), splits)
    families = [(name, f"{score:.1f}") for name, score in figures["by_family"].items()]
    yield Sheet("NAB by family, standard profile, the threshold of all", ("family", "score"), families)
    rows = [(words, f"{figures[name]:.1f}") for name, words in _ROW_COSTS.items()]
    yield Sheet("Microseconds a row, in the same run", ("", "microseconds"), rows)


def of_cost(figures: Mapping[str, Any]) -> Sheet:
    """Give what it costs; None where a figure was not measured."""
    return Sheet("What it costs", ("", "value"), [(_COSTS[name], number(value)) for name, value in figures.items()])


def number(value: float | None) -> str:
    """Spell a figure with three digits; None is nothing."""
    return "" if value is None else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def _quality(title: str, groups: Mapping[str, Figures]) -> Sheet:
    return Sheet(title, _COLUMNS, [(name, str(group["planted"]), *_cells(group)) for name, group in groups.items()])


def _cells(group: Figures) -> Sequence[str]:
    return (
        _percent(group["recall"]),
        _percent(group["recall_in_kind"]),
        _seconds(group["delay_p50"]),
        _seconds(group["delay_p90"]),
        *_own(group),
        _percent(group["kind_right"]),
        _percent(group["scope_right"]),
        number(group["alarms_per_cause"]),
        number(group["lost_usd_p50"]),
    )


def _own(group: Figures) -> Sequence[str]:
    """Give the two cells of the figure that is a kind's own, if it has one."""
    for name, text in _OWN.items():
        if f"{name}_p50" in group:
            values = [group[f"{name}_{p}"] for p in ("p50", "p90")]
            return ["" if value is None else text.format(value) for value in values]
    return "", ""


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
