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
    every, rate = of_verdicts(results.verdicts), false_alarms(results)["per_tenant_day"]
    episodes = [a for s, a in results.false_alarms if s.tenant == traces.EPISODES and a.kind == "loop"]
    shares: list[tuple[str, float | None]] = [
        ("recall", every["recall"]),
        ("recall in the right kind", every["recall_in_kind"]),
        ("kind right at the first alarm", every["kind_right"]),
        ("loops said at the 10th call or before", _in_time(results, "loop", lambda v: v.calls <= 10)),
        ("bursts of 5x and more said within a minute", _in_time(results, "burst", lambda v: v.delay <= 60, _steep)),
        ("the same, where a minute proves them", _in_time(results, "burst", lambda v: v.delay <= 60, _provable)),
        ("bloat of 4x and more said within 5 minutes", _in_time(results, "bloat", lambda v: v.delay <= 300, _large)),
        ("the same, where 5 minutes prove it", _in_time(results, "bloat", lambda v: v.delay <= 300, _large_enough)),
        ("drifts said before they doubled twice", _in_time(results, "drift", lambda v: v.grown < 4)),
        (
            "silence said within 2 windows of certain",
            _in_time(results, "silence", lambda v: v.windows_late(WINDOW) <= 2),
        ),
    ]
    return [
        *((name, share, "0.9 or more", None if share is None else share >= 0.9) for name, share in shares),
        ("false alarms a tenant-day", rate, "1 or fewer", None if rate is None else rate <= 1),
        ("loop alarms on real episodes", float(len(episodes)), "0", not episodes),
    ]


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
    if kinds in ({"silence"}, {"burst"}):
        return _spread("windows_late", [v.windows_late(WINDOW) for v in found if v.planting.certain])
    if kinds == {"busywork"}:
        return _spread("hours", [v.delay / HOUR for v in found])
    return {}


def _spread(name: str, values: Sequence[float]) -> Mapping[str, float | None]:
    return {f"{name}_p50": percentile(values, 0.5), f"{name}_p90": percentile(values, 0.9)}


def _in_time(
    results: Results,
    kind: AnomalyKind,
    soon: Callable[[Verdict], bool],
    wanted: Callable[[Verdict], bool] | None = None,
) -> float | None:
    """Give the share of all that was planted of a kind that was said soon enough, by its name."""
    planted = [v.in_kind for v in results.verdicts if v.planting.kind == kind and (wanted is None or wanted(v))]
    return _share([v for v in planted if v.found and soon(v)], planted)


def _steep(verdict: Verdict) -> bool:
    return verdict.planting.variant == "step" and verdict.planting.factor >= 5


def _provable(verdict: Verdict) -> bool:
    return _steep(verdict) and verdict.planting.certain <= verdict.planting.start + 60


def _large(verdict: Verdict) -> bool:
    return verdict.planting.factor >= 4


def _large_enough(verdict: Verdict) -> bool:
    return _large(verdict) and verdict.planting.certain <= verdict.planting.start + 300


def _share(part: Sequence[object], whole: Sequence[object]) -> float | None:
    return len(part) / len(whole) if whole else None


def _micro(seconds: float, count: int) -> float | None:
    return seconds / count * 1e6 if count else None
