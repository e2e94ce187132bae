"""Holds anomalies against labels: what was found, how soon, under which name, and what was a false alarm.

An anomaly that was opened within a planting's time and grace, of a scope that has to do with it, counts for it,
whatever its kind. One that comes within the recovery after that counts for nothing: what was odd is still in the
baselines. All others are false alarms. Anomalies of budgets and labels of budgets have to do with each other alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from benchmarks.quality.drive import Run, WindowTotals
from benchmarks.quality.plantings import Planting
from benchmarks.quality.profiles import HOUR
from streamer.records import Anomaly, AnomalyKind, Scope

# Seconds after a planting's end in which an alarm still counts for it, and after that is none that is false.
GRACE: Mapping[AnomalyKind, float] = {
    "burst": 60, "loop": 60, "drift": 600, "bloat": 300, "mix": 600, "busywork": 600, "budget": 0, "silence": 60,
}  # fmt: skip
RECOVERY: Mapping[AnomalyKind, float] = {
    "burst": 600, "loop": 600, "drift": 3600, "bloat": 1800, "mix": 3600, "busywork": 3600, "budget": 0,
    "silence": 1800,
}  # fmt: skip


class Level(NamedTuple):
    """How much a scope used, on average over some time."""

    requests_per_minute: float
    tokens_per_request: float
    usd_per_hour: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one planting. `alarms` are all that count for it, in the order in which they were opened."""

    planting: Planting
    label: str
    alarms: tuple[Anomaly, ...]
    usual: Level
    """In the hour before."""
    planted: Level
    """While it lasted."""
    lost_usd: float
    """Dollars above the usual until the first alarm, or until the end where there was none."""

    @property
    def found(self) -> bool:
        """Whether anything was said."""
        return bool(self.alarms)

    @property
    def in_kind(self) -> "Verdict":
        """The same, of the alarms with the right name alone: into hours of a drift another may have come by chance."""
        return replace(self, alarms=tuple(alarm for alarm in self.alarms if self._named(alarm)))

    @property
    def delay(self) -> float:
        """Seconds from the start to the first alarm; of budgets from when the soft line was crossed, 0 if before."""
        since = self.planting.certain if self.planting.kind == "budget" else 0.0
        return max(0.0, opened(self.alarms[0]) - (since or self.planting.start))

    @property
    def kind_right(self) -> bool:
        """Whether the first alarm has the right name."""
        return self._named(self.alarms[0])

    @property
    def any_kind_right(self) -> bool:
        """Whether any alarm has the right name."""
        return self.in_kind.found

    @property
    def scope_right(self) -> bool:
        """Whether the first alarm names the part that was planted in, or a part of that."""
        planting, scope = self.planting, self.alarms[0].scope
        wanted = (("use_case", planting.use_case), ("agent", planting.agent), ("session", planting.session))
        return all(getattr(scope, name) == value for name, value in wanted if value)

    @property
    def calls(self) -> int:
        """How many of a loop's calls had been made at the first alarm."""
        return sum(mark <= opened(self.alarms[0]) for mark in self.planting.marks)

    @property
    def grown(self) -> float:
        """By what factor a drift had changed things at the first alarm."""
        return self.planting.at(min(opened(self.alarms[0]), self.planting.end - 1e-6))

    def windows_late(self, size: float) -> float:
        """How many windows of `size` seconds after it was certain it was said; below 0 before that."""
        return (opened(self.alarms[0]) - self.planting.certain) / size

    def _named(self, alarm: Anomaly) -> bool:
        return alarm.kind == self.planting.kind or alarm.kind in self.planting.also


@dataclass(slots=True)
class Judgement:
    """What became of one tenant's plantings, and the alarms that nothing planted explains."""

    verdicts: list[Verdict] = field(default_factory=list)
    false_alarms: list[Anomaly] = field(default_factory=list)
    aftermath: list[Anomaly] = field(default_factory=list)


def judged(run: Run, plantings: Sequence[Planting], label: str, begin: float) -> Judgement:
    """Judge one tenant, shown as `label`, whose data begin at `begin`."""
    judgement, counted = Judgement(), [[] for _ in plantings]  # type: tuple[Judgement, list[list[Anomaly]]]
    for anomaly in run.opened:
        place = next((n for n, planting in enumerate(plantings) if counts_for(anomaly, planting)), None)
        if place is not None:
            counted[place].append(anomaly)
        elif any(recovers(anomaly, planting) for planting in plantings):
            judgement.aftermath.append(anomaly)
        else:
            judgement.false_alarms.append(anomaly)
    for planting, alarms in zip(plantings, counted, strict=True):
        judgement.verdicts.append(_verdict(run, planting, alarms, label, begin))
    return judgement


def counts_for(anomaly: Anomaly, planting: Planting) -> bool:
    """Tell whether an anomaly is about what was planted."""
    return related(anomaly, planting) and planting.start <= opened(anomaly) <= planting.end + GRACE[planting.kind]


def recovers(anomaly: Anomaly, planting: Planting) -> bool:
    """Tell whether an anomaly may still come of what was planted."""
    until = planting.end + GRACE[planting.kind] + RECOVERY[planting.kind]
    return related(anomaly, planting) and planting.start <= opened(anomaly) <= until


def related(anomaly: Anomaly, planting: Planting) -> bool:
    """Tell whether the scopes overlap: a tenant's total has to do with all its parts, one part not with another."""
    if (anomaly.kind == "budget") != (planting.kind == "budget"):
        return False
    scope = anomaly.scope
    return scope.use_case in ("", planting.use_case or scope.use_case) and scope.agent in (
        "",
        planting.agent or scope.agent,
    )


def opened(anomaly: Anomaly) -> float:
    """Give when an anomaly was known, epoch seconds."""
    return anomaly.opened_at.timestamp()


def level(windows: Sequence[WindowTotals], since: float, until: float) -> Level:
    """Give the level of the windows that begin from `since` to before `until` (epoch seconds)."""
    within, hours = [window for window in windows if since <= window.start < until], max(until - since, 1.0) / HOUR
    requests = sum(window.requests for window in within)
    tokens, usd = sum(window.tokens for window in within), sum(window.usd for window in within)
    return Level(requests / hours / 60, tokens / requests if requests else 0.0, usd / hours)


def _verdict(run: Run, planting: Planting, alarms: Sequence[Anomaly], label: str, begin: float) -> Verdict:
    scope = Scope(use_case=planting.use_case, agent=planting.agent)
    if planting.session:
        scope = next((scope for scope in run.windows if scope.session == planting.session), scope)
    windows, start, end = run.windows.get(scope, []), planting.start, planting.end
    until = min(opened(alarms[0]) if alarms else end, end)
    usual = level(windows, max(begin, start - HOUR), start)
    lost = (level(windows, start, until).usd_per_hour - usual.usd_per_hour) * (until - start) / HOUR
    known = planting.kind != "budget"
    return Verdict(planting, label, tuple(alarms), usual, level(windows, start, end), max(0.0, lost) if known else 0.0)
