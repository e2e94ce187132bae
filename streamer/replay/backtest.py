"""`tidegate backtest`: what a configuration would have found of what really happened, how soon, and at what price."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import msgspec

from alerts.text import money
from streamer.config import Config
from streamer.pricing.money import ZERO, added
from streamer.records import Anomaly, Rollup
from streamer.replay.extent import Control
from streamer.replay.feed import Job
from streamer.replay.labels import Label
from streamer.replay.trial import Side, Trial, run_trials
from streamer.whole import folder, whole

_HOUR = 3600.0


class Margins(NamedTuple):
    """Seconds after a label's end: within `grace` an alarm still counts for it, within `recovery` none is false."""

    grace: float = 300.0
    recovery: float = 1800.0


class Truth(NamedTuple):
    """What really happened, and how near to it an alarm must be."""

    labels: Sequence[Label]
    margins: Margins = Margins()


class Outcome(NamedTuple):
    """What became of one label: its alarms in their order, and dollars above the usual before the first of them."""

    label: Label
    alarms: list[Anomaly]
    lost: Decimal

    @property
    def delay(self) -> float:
        """Seconds from the start to the first alarm."""
        return (self.alarms[0].opened_at - self.label.start).total_seconds()

    @property
    def is_named(self) -> bool:
        """Whether an alarm has the right name."""
        return any(self.label.kind in (None, alarm.kind) for alarm in self.alarms)


class Figures(NamedTuple):
    """Precision and recall from 0 to 1 (None where there is nothing to take them of), delays in seconds, dollars."""

    labels: int
    found: int
    named: int
    alarms: int
    false_alarms: int
    tenant_days: float
    precision: float | None
    recall: float | None
    delay_median: float | None
    delay_worst: float | None
    usd_lost: Decimal

    @property
    def false_a_day(self) -> float:
        """False alarms a tenant and day."""
        return self.false_alarms / self.tenant_days if self.tenant_days else 0.0


class Spending:
    """What the labelled parts spent: in the hour before, and while it lasted."""

    def __init__(self, labels: Sequence[Label]) -> None:
        self._by_tenant: dict[str, list[int]] = defaultdict(list)
        for place, label in enumerate(labels):
            self._by_tenant[label.tenant].append(place)
        self._labels = labels
        self._before = [ZERO] * len(labels)
        self._during: list[list[tuple[float, Decimal]]] = [[] for _ in labels]

    def see(self, rollup: Rollup) -> None:
        """Take in a closed window."""
        for place in self._by_tenant.get(rollup.tenant, ()):
            label, at = self._labels[place], rollup.start.timestamp()
            since = label.start.timestamp()
            if since - _HOUR <= at < label.end.timestamp() and label.holds(rollup):
                if at < since:
                    self._before[place] = added((self._before[place], rollup.usd))
                else:
                    self._during[place].append((at, rollup.usd))

    def lost(self, place: int, until: float, begun: float) -> Decimal:
        """Give the dollars above the hour before that were spent on a label up to `until`; a session has no usual.

        Where the tenant's data have `begun` within that hour, what is known of it stands for the whole of it.
        """
        label = self._labels[place]
        since = label.start.timestamp()
        spent = added(usd for at, usd in self._during[place] if at < until)
        known = min(_HOUR, since - begun)
        share = Decimal(max(0.0, min(until, label.end.timestamp()) - since) / known) if known > 0 else ZERO
        return max(ZERO, round(spent - (ZERO if label.session else self._before[place] * share), 6))


class Judgement(NamedTuple):
    """The labels with what became of them, and the alarms that nothing explains."""

    outcomes: list[Outcome]
    false: list[Anomaly]


class Backtest:
    """One configuration held against labels."""

    def __init__(self, config: Config, truth: Truth) -> None:
        self._labels, self._margins = truth
        self._spending = Spending(truth.labels)
        self.trial = Trial(config, self._spending.see)

    def judged(self) -> Judgement:
        """Give each alarm to the label that it can be about; where none is, and none is recovering, it is false.

        Of several it is that of its kind, else the first. A budget's line is crossed or not: alarms of budgets are
        judged only where tenants have labels of that kind.
        """
        counted: list[list[Anomaly]] = [[] for _ in self._labels]
        false = []
        budgets = {label.tenant for label in self._labels if label.kind == "budget"}
        for found in self.trial.facts.in_order():
            case = found.first
            place = self._place(case, self._margins.grace)
            if place is not None:
                counted[place].append(case)
            elif self._place(case, self._margins.grace + self._margins.recovery) is None and (
                case.kind != "budget" or case.tenant in budgets
            ):
                false.append(case)
        outcomes = [self._outcome(place, alarms) for place, alarms in enumerate(counted)]
        return Judgement([outcome for outcome in outcomes if self._is_covered(outcome.label)], false)

    def uncovered(self) -> list[Label]:
        """Give the labels of tenants and times that the data do not have; nothing can be said of them."""
        return [label for label in self._labels if not self._is_covered(label)]

    def _is_covered(self, label: Label) -> bool:
        since, until = self.trial.spans.get(label.tenant, (0.0, 0.0))
        return label.start.timestamp() < until and label.end.timestamp() > since

    def _place(self, case: Anomaly, after: float) -> int | None:
        at = case.opened_at
        found = (
            (label.kind != case.kind, place)
            for place, label in enumerate(self._labels)
            if label.start <= at and (at - label.end).total_seconds() <= after and label.concerns(case)
        )
        return min(found, default=(False, None))[1]

    def _outcome(self, place: int, alarms: list[Anomaly]) -> Outcome:
        label = self._labels[place]
        until = min(alarms[0].opened_at, label.end) if alarms else label.end
        begun, _ = self.trial.spans.get(label.tenant, (0.0, 0.0))
        return Outcome(label, alarms, self._spending.lost(place, until.timestamp(), begun))


def figures_of(judgement: Judgement, tenant_days: float) -> Figures:
    """Sum up a judgement."""
    outcomes, false = judgement.outcomes, len(judgement.false)
    found = [outcome for outcome in outcomes if outcome.alarms]
    true = sum(len(outcome.alarms) for outcome in found)
    delays = [outcome.delay for outcome in found]
    return Figures(
        labels=len(outcomes),
        found=len(found),
        named=sum(outcome.is_named for outcome in found),
        alarms=true + false,
        false_alarms=false,
        tenant_days=round(tenant_days, 4),
        precision=true / (true + false) if true + false else None,
        recall=len(found) / len(outcomes) if outcomes else None,
        delay_median=median(delays) if delays else None,
        delay_worst=max(delays, default=None),
        usd_lost=added(outcome.lost for outcome in outcomes),
    )


def part(judgement: Judgement, side: Side) -> Judgement:
    """Give the part of a judgement that is about one side of the data: labels by their starts, alarms by theirs."""
    return Judgement(
        [o for o in judgement.outcomes if side.has(o.label.tenant, o.label.start.timestamp())],
        [case for case in judgement.false if side.has(case.tenant, case.opened_at.timestamp())],
    )


def run(job: Job, truth: Truth, out: Path, control: Control) -> Iterator[str]:
    """Back-test the job's configuration; writes `backtest.json`, gives lines that say how it went."""
    backtest = Backtest(job.config, truth)
    with folder(out), whole(out / "backtest.json") as part:
        faults = run_trials(job, [backtest.trial], control)
        judgement, days = backtest.judged(), backtest.trial.tenant_days()
        kinds = sorted({outcome.label.kind or "any" for outcome in judgement.outcomes})
        by_kind = {kind: figures_of(_of_kind(judgement, kind), days) for kind in kinds}
        in_all = figures_of(judgement, days)
        record = {"all": record_of(in_all), "by_kind": {kind: record_of(found) for kind, found in by_kind.items()}}
        record |= {"missed": [_missed(o) for o in judgement.outcomes if not o.alarms], "false_alarms": judgement.false}
        part.write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
    yield from faults.lines()
    if uncovered := backtest.uncovered():
        yield f"{len(uncovered)} labels are of tenants or times that the data do not have, and are left out"
    yield from said(in_all)
    for kind, found in by_kind.items():
        yield f"  {kind:<10} {found.found} of {found.labels} found, {found.named} by the right name"
    yield f"written to {out}"


def _of_kind(judgement: Judgement, kind: str) -> Judgement:
    outcomes = [outcome for outcome in judgement.outcomes if (outcome.label.kind or "any") == kind]
    return Judgement(outcomes, [case for case in judgement.false if case.kind == kind])


def record_of(figures: Figures) -> dict[str, Any]:
    """Give figures as they are written down."""
    return {**figures._asdict(), "false_alarms_a_tenant_day": round(figures.false_a_day, 4)}


def said(figures: Figures) -> Iterator[str]:
    """Say figures in lines."""
    yield f"recall      {_part(figures.recall)} ({figures.found} of {figures.labels} labels)"
    yield f"precision   {_part(figures.precision)} ({figures.alarms - figures.false_alarms} of {figures.alarms} alarms)"
    if figures.delay_median is not None:
        yield f"delay       {figures.delay_median:,.0f} s in the median, {figures.delay_worst:,.0f} s at worst"
    yield f"false       {figures.false_a_day:.2f} a tenant-day ({figures.false_alarms} in {figures.tenant_days:.2f})"
    yield f"lost        {money(figures.usd_lost)} above the usual before the first alarm"


def _part(part: float | None) -> str:
    return "-" if part is None else f"{part:.1%}"


def _missed(outcome: Outcome) -> dict[str, Any]:
    return {**msgspec.structs.asdict(outcome.label), "usd_lost": outcome.lost}
