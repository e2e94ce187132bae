"""Adds verdicts up to figures: by kind, by strength, and against what is to be reached."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.quality import traces
from benchmarks.quality.drive import Times
from benchmarks.quality.judge import Judgement, Verdict
from benchmarks.quality.profiles import HOUR
from benchmarks.quality.scenarios import Scenario
from streamer.records import Anomaly, AnomalyKind

KINDS: tuple[AnomalyKind, ...] = ("burst", "loop", "drift", "bloat", "mix", "busywork", "budget", "silence")
WINDOW = 10.0
Figures = dict[str, Any]


@dataclass(slots=True)
class Results:
    """All verdicts of a run, and what was said without a cause, by tenant label."""

    verdicts: list[Verdict] = field(default_factory=list)
    false_alarms: list[tuple[Scenario, Anomaly]] = field(default_factory=list)
    aftermath: int = 0
    days: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    tenants: Counter[str] = field(default_factory=Counter)
    clean: int = 0
    events: int = 0
    times: Times = field(default_factory=Times)

    def take(self, scenario: Scenario, judgement: Judgement, times: Times) -> None:
        """Add one tenant."""
        self.verdicts += judgement.verdicts
        self.false_alarms += [(scenario, anomaly) for anomaly in judgement.false_alarms]
        self.aftermath += len(judgement.aftermath)
        self.days[scenario.label] += scenario.days
        self.tenants[scenario.label] += 1
        self.clean += not scenario.plantings
        self.events += times.events
        self.times.add(times)


def percentile(values: Sequence[float], share: float) -> float | None:
    """Give the nearest-rank percentile; None of nothing.

    >>> percentile([3, 1, 2], 0.5), percentile([], 0.5)
    (2, None)
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def of_verdicts(verdicts: Sequence[Verdict]) -> Figures:
    """Give the figures of some verdicts; shares of names and scopes are of what was found."""
    found = [verdict for verdict in verdicts if verdict.found]
    delays = [verdict.delay for verdict in found]
    return {
        "planted": len(verdicts),
        "found": len(found),
        "recall": _share(found, verdicts),
        "recall_in_kind": _share([v for v in found if v.any_kind_right], verdicts),
        "delay_p50": percentile(delays, 0.5),
        "delay_p90": percentile(delays, 0.9),
        "kind_right": _share([v for v in found if v.kind_right], found),
        "scope_right": _share([v for v in found if v.scope_right], found),
        "alarms_per_cause": sum(len(v.alarms) for v in found) / len(found) if found else None,
        "lost_usd_p50": percentile([v.lost_usd for v in verdicts], 0.5),
        **_special(found),
    }


def grouped(verdicts: Iterable[Verdict], key: Callable[[Verdict], str]) -> dict[str, list[Verdict]]:
    """Group verdicts, in the order of the kinds, then of variants and strengths."""
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in sorted(verdicts, key=_order):
        groups[key(verdict)].append(verdict)
    return dict(groups)


def false_alarms(results: Results) -> Figures:
    """Give false alarms a tenant-day, in all, by kind and by label of tenant."""
    days = sum(results.days.values())
    kinds = Counter(anomaly.kind for _, anomaly in results.false_alarms)
    labels = Counter(scenario.label for scenario, _ in results.false_alarms)
    return {
        "tenant_days": days,
        "count": len(results.false_alarms),
        "per_tenant_day": len(results.false_alarms) / days if days else None,
        "by_kind": {kind: kinds[kind] / days for kind in KINDS if days},
        "by_tenants": {
            label: {
                "tenants": results.tenants[label],
                "days": results.days[label],
                "count": labels[label],
                "per_tenant_day": labels[label] / results.days[label],
            }
            for label in sorted(results.tenants)
        },
        "aftermath": results.aftermath,
    }


def cost(times: Times, seeing: Times, blind: Times) -> Figures:
    """Give microseconds an event, a closed window and a tick; what detects beside what does not, over the same."""
    return {
        "us_per_event": _micro(times.event_seconds, times.events),
        "us_per_window": _micro(times.window_seconds, times.windows),
        "us_per_tick": _micro(times.tick_seconds, times.ticks),
        "us_per_event_with_windows": _micro(times.seconds, times.events),
        "us_per_event_with_windows_seeing": _micro(seeing.seconds, seeing.events),
        "us_per_event_with_windows_blind": _micro(blind.seconds, blind.events),
        "seeing_over_blind": seeing.seconds / blind.seconds if blind.seconds else None,
    }


def targets(results: Results) -> list[tuple[str, float | None, str, bool | None]]:
    """Give what is to be reached: its name, what was measured, what is asked, and whether it is met."""
    verdicts = results.verdicts
    every = of_verdicts(verdicts)
    bursts = _delays(verdicts, "burst", lambda v: v.planting.variant == "step" and v.planting.factor >= 5)
    bloats = _delays(verdicts, "bloat", lambda v: v.planting.factor >= 4)
    loops = [v.calls for v in verdicts if v.planting.kind == "loop" and v.found]
    drifts = [v.grown for v in verdicts if v.planting.kind == "drift" and v.found]
    silences = [v.windows_late(WINDOW) for v in verdicts if v.planting.kind == "silence" and v.found]
    episodes = [a for s, a in results.false_alarms if s.tenant == traces.EPISODES and a.kind == "loop"]
    rate = false_alarms(results)["per_tenant_day"]
    lines: list[tuple[str, float | None, str, float | None, bool]] = [
        ("recall", every["recall"], "0.9 or more", 0.9, True),
        ("recall in the right kind", every["recall_in_kind"], "0.9 or more", 0.9, True),
        ("false alarms a tenant-day", rate, "1 or fewer", 1, False),
        ("kind right at the first alarm", every["kind_right"], "0.9 or more", 0.9, True),
        ("loop: calls at the alarm, p90", percentile(loops, 0.9), "10 or fewer", 10, False),
        ("loop: alarms on real episodes", float(len(episodes)), "0", 0, False),
        ("burst of 5x and more: seconds, p90", percentile(bursts, 0.9), "60 or fewer", 60, False),
        ("bloat of 4x and more: seconds, p90", percentile(bloats, 0.9), "300 or fewer", 300, False),
        ("drift: factor at the alarm, p90", percentile(drifts, 0.9), "4 or less", 4, False),
        ("silence: windows after certain, p90", percentile(silences, 0.9), "2 or fewer", 2, False),
    ]
    return [(name, value, asked, _met(value, bound, more)) for name, value, asked, bound, more in lines]


def as_json(results: Results, seeds: Sequence[int]) -> Figures:
    """Give all figures of the scenarios, ready for JSON."""
    by_kind = grouped(results.verdicts, lambda v: v.planting.kind)
    by_strength = grouped(results.verdicts, lambda v: f"{v.planting.kind} {v.planting.strength}")
    by_tenants = grouped(results.verdicts, lambda v: f"{v.planting.kind} on {v.label}")
    return {
        "seeds": list(seeds),
        "events": results.events,
        "tenants": sum(results.tenants.values()),
        "clean_tenants": results.clean,
        "all": of_verdicts(results.verdicts),
        "by_kind": {name: of_verdicts(group) for name, group in by_kind.items()},
        "by_strength": {name: of_verdicts(group) for name, group in by_strength.items()},
        "by_tenants": {name: of_verdicts(group) for name, group in by_tenants.items()},
        "false_alarms": false_alarms(results),
        "targets": {
            name: {"measured": value, "asked": asked, "met": met} for name, value, asked, met in targets(results)
        },
    }


def _order(verdict: Verdict) -> tuple[int, str, float, str]:
    planting = verdict.planting
    return KINDS.index(planting.kind), planting.variant, planting.factor, verdict.label


def _special(found: Sequence[Verdict]) -> Mapping[str, float | None]:
    """Give the figure that is a kind's own; empty for groups of several kinds."""
    kinds = {verdict.planting.kind for verdict in found}
    if kinds == {"loop"}:
        return _spread("calls", [v.calls for v in found])
    if kinds == {"drift"}:
        return _spread("grown", [v.grown for v in found])
    if kinds == {"silence"}:
        return _spread("windows_late", [v.windows_late(WINDOW) for v in found])
    if kinds == {"busywork"}:
        return _spread("hours", [v.delay / HOUR for v in found])
    return {}


def _spread(name: str, values: Sequence[float]) -> Mapping[str, float | None]:
    return {f"{name}_p50": percentile(values, 0.5), f"{name}_p90": percentile(values, 0.9)}


def _delays(verdicts: Iterable[Verdict], kind: AnomalyKind, wanted: Callable[[Verdict], bool]) -> list[float]:
    return [v.delay for v in verdicts if v.planting.kind == kind and v.found and wanted(v)]


def _share(part: Sequence[object], whole: Sequence[object]) -> float | None:
    return len(part) / len(whole) if whole else None


def _micro(seconds: float, count: int) -> float | None:
    return seconds / count * 1e6 if count else None


def _met(value: float | None, bound: float | None, more: bool) -> bool | None:
    if value is None or bound is None:
        return None
    return value >= bound if more else value <= bound
