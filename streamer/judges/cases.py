"""The open anomalies of one tenant: opened once, updated as they go on, closed once."""

import math
from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from streamer.clock import utc
from streamer.config import SeverityConfig
from streamer.judges.policies import Policies
from streamer.judges.relation import contains
from streamer.judges.severity import severity_of
from streamer.judges.tags import Tags
from streamer.pricing.money import ZERO, dollars, femtodollars, plain
from streamer.records import Anomaly, AnomalyKind, Cause, Line, Scope, anomaly_id

HOUR = Decimal(3600)
# Which detector judges which kind.
DETECTORS: dict[AnomalyKind, str] = {
    "burst": "rate",
    "silence": "silence",
    "drift": "drift",
    "bloat": "ratio",
    "mix": "ratio",
    "loop": "loop",
    "budget": "budget",
    "busywork": "busywork",
}


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How an anomaly stands at one moment."""

    observed: float
    expected: float
    score: float
    usd_excess: Decimal = ZERO
    usd_per_hour: Decimal = ZERO
    reason: str
    line: Line = ""
    causes: tuple[Cause, ...] = ()
    seconds: float = 0.0
    ceiling: float = 0.0


class Told(msgspec.Struct, array_like=True):
    """What was last told of a series, as far as people may answer to it; `score` is the worst of the case."""

    id: str
    series: str
    kind: AnomalyKind
    scope: Scope
    score: float


class WrittenCases(msgspec.Struct, array_like=True):
    """What is written down of `Cases`."""

    open: list[Anomaly] = []
    untold: list[tuple[str, float]] = []
    told: list[Told] = []


class Cases:
    """Open anomalies by series; every change is kept as a record until it is `taken`.

    A case that people's policies forbid goes untold: its judge follows it like any other, so that it still explains
    what else it shows in, but nothing is told of it, unless it becomes stronger than they allowed or outlasts the plan.
    """

    def __init__(
        self, tenant: str, policies: Policies, steps: SeverityConfig | None = None, tags: Tags | None = None
    ) -> None:
        self._tenant, self._policies = tenant, policies
        self._steps, self._tags = steps or SeverityConfig(), tags or Tags()
        self._open: dict[str, Anomaly] = {}
        # The untold ones, with the moment (epoch seconds) at which to look at them again.
        self._untold: dict[str, float] = {}
        self._told: OrderedDict[str, Told] = OrderedDict()
        #: What is to be `taken`.
        self.changes: list[Anomaly] = []

    def __contains__(self, series: str) -> bool:
        return series in self._open

    def open(self, kind: AnomalyKind, series: str, scope: Scope, at: float, reading: Reading) -> None:
        """Open a case at `at` (epoch seconds, the event time at which it was known)."""
        case = self._open[series] = _empty(kind, self._tenant, series, scope, at)
        case.tags = self._tags.of(scope) or msgspec.UNSET
        self._read(case, reading)
        if self.allows(series, scope, reading.score, at):
            self._record(case)
        else:
            self._untold[series] = self._again(case, at)

    def allows(self, series: str, scope: Scope, score: float, at: float) -> bool:
        """Tell whether what people said of the like of it lets a case be told."""
        return self._policies.allows(series, scope, score, at)

    def update(self, series: str, at: float, reading: Reading) -> None:
        """Note how an open case goes on."""
        case = self._open[series]
        self._read(case, reading)
        if series in self._untold:
            if case.score >= _BEGINS:
                self._tell_if_allowed(case, at)
            return
        case.state, case.updated_at = "updated", max(case.updated_at, utc(at))
        self._record(case)

    def close(self, series: str, at: float, usd_excess: Decimal = ZERO) -> None:
        """Close a case: what it is about is back to normal since `at`; `usd_excess` is what it came to, if more."""
        case = self._open.pop(series)
        case.usd_excess = max(case.usd_excess, dollars(femtodollars(usd_excess)))
        if self._untold.pop(series, None) is None:
            self._end(case, at)

    def dismiss(self, series: str, at: float) -> None:
        """Tell at `at` that an open case is over, because people said so; it goes on untold until it is."""
        case = self._open.get(series)
        if case is None or series in self._untold:
            return
        self._end(case, at)
        case.usd_excess = ZERO
        self._untold[series] = self._again(case, at)

    def begin_anew(self, series: str) -> None:
        """Let what people said of a series be over with what they said it of."""
        self._policies.forget(series)

    def dismiss_in(self, scope: Scope, at: float) -> None:
        """Dismiss all open cases that lie in `scope`."""
        for series in sorted(series for series, case in self._open.items() if contains(scope, case.scope)):
            self.dismiss(series, at)

    def replan_in(self, scope: Scope, at: float) -> None:
        """Look again at untold cases that lie in `scope` when the plan ends that holds for them since `at`."""
        for series in self._untold:
            if contains(scope, self._open[series].scope):
                self._untold[series] = self._again(self._open[series], at)

    def widen(self, series: str, at: float, scope: Scope) -> None:
        """Let an open case be about more than was known when it was opened."""
        case = self._open[series]
        case.state, case.updated_at, case.scope = "updated", max(case.updated_at, utc(at)), scope
        self._record(case)

    def on_time(self, at: float) -> None:
        """Look again at untold cases whose judges speak only once, when what forbids them has ended by `at`."""
        for series in sorted(series for series, again in self._untold.items() if again <= at):
            again, case = self._untold[series], self._open[series]
            self._untold[series] = self._again(case, again)
            self._tell_if_allowed(case, again)

    @property
    def due(self) -> float:
        """The moment (epoch seconds) from which on `on_time` has something to look at; infinite without one."""
        return min(self._untold.values(), default=math.inf)

    def is_untold(self, series: str) -> bool:
        """Tell whether a case stands open of which nothing is told."""
        return series in self._untold

    def told(self, anomaly: str, series: str) -> Told | None:
        """Find what was told of lately, open or over: by the anomaly's id, else by its series."""
        named = (told for told in self._told.values() if anomaly and told.id == anomaly)
        return next(named, None) or self._told.get(series)

    def of_kind(self, kind: AnomalyKind) -> Iterator[Anomaly]:
        """Give the open cases of one kind."""
        return (case for case in self._open.values() if case.kind == kind)

    def excess(self, series: str) -> Decimal:
        """Give the dollars above normal that an open case has cost so far."""
        return self._open[series].usd_excess

    def open_since(self, series: str) -> float:
        """Give the event time (epoch seconds) at which an open case was opened."""
        return self._open[series].opened_at.timestamp()

    def told_at(self, series: str) -> float:
        """Give the event time (epoch seconds) at which an open case was told of last."""
        return self._open[series].updated_at.timestamp()

    def taken(self) -> list[Anomaly]:
        """Hand over the changes since the last call, in the order in which they happened."""
        changes, self.changes = self.changes, []
        return changes

    def snapshot(self) -> WrittenCases:
        """Write everything down, the open cases in order of their series."""
        untold = [(series, self._untold[series]) for series in sorted(self._untold)]
        return WrittenCases([self._open[series] for series in sorted(self._open)], untold, list(self._told.values()))

    def restore(self, written: WrittenCases) -> None:
        """Take up what `snapshot` gave."""
        self._open = {case.series: case for case in written.open}
        self._untold = dict(written.untold)
        self._told = OrderedDict((told.series, told) for told in written.told)

    def _read(self, case: Anomaly, reading: Reading) -> None:
        # As floats, for a whole number would be written otherwise after a restart than before it.
        case.observed, case.expected, case.score = (
            float(reading.observed),
            float(reading.expected),
            round(reading.score, 4),
        )
        case.usd_excess = dollars(femtodollars(reading.usd_excess))
        case.usd_per_hour = plain(round(reading.usd_per_hour, 4))
        # How bad it was at its worst; a case that calms down keeps the rank that people were told.
        now = severity_of(reading.usd_per_hour, reading.score, self._steps)
        case.severity = max(case.severity, now, key=_RANK.__getitem__)
        case.reason, case.line = reading.reason, reading.line
        case.causes = reading.causes or case.causes
        case.seconds, case.ceiling = float(reading.seconds), float(reading.ceiling)

    def _tell_if_allowed(self, case: Anomaly, at: float) -> None:
        """Open an untold case for people, as another one than they may have been told of before."""
        # What was so when people spoke is what they spoke of.
        moment = utc(at)
        if moment > case.updated_at and self.allows(case.series, case.scope, case.score, at):
            del self._untold[case.series]
            case.id = anomaly_id(case.kind, self._tenant, case.series, moment)
            case.state, case.opened_at, case.updated_at, case.closed_at = "opened", moment, moment, None
            case.severity = severity_of(case.usd_per_hour, case.score, self._steps)
            self._record(case)

    def _end(self, case: Anomaly, at: float) -> None:
        case.state, case.usd_per_hour = "closed", ZERO
        case.updated_at = case.closed_at = max(case.updated_at, utc(at))
        self._record(case)

    def _again(self, case: Anomaly, at: float) -> float:
        ends = self._policies.planned(case.scope, at) if case.kind in _SAID_ONCE else None
        return math.inf if ends is None else ends

    def _record(self, case: Anomaly) -> None:
        self.changes.append(msgspec.structs.replace(case))
        known = self._told.pop(case.series, None)
        worst = max(known.score, case.score) if known and known.id == case.id else case.score
        self._told[case.series] = Told(case.id, case.series, case.kind, case.scope, worst)
        if len(self._told) > _MOST_TOLD:
            self._told.popitem(last=False)


def _empty(kind: AnomalyKind, tenant: str, series: str, scope: Scope, at: float) -> Anomaly:
    moment = utc(at)
    return Anomaly(
        id=anomaly_id(kind, tenant, series, moment),
        kind=kind,
        tenant=tenant,
        scope=scope,
        series=series,
        detector=DETECTORS[kind],
        opened_at=moment,
        updated_at=moment,
        severity="info",
        observed=0,
        expected=0,
        score=0,
        reason="",
    )


_RANK = {"info": 0, "warning": 1, "critical": 2}
# The score from which on something is abnormal.
_BEGINS = 0.5
# Kinds whose judges say nothing more while a case stands as it is: nobody else would notice that a plan has ended.
_SAID_ONCE = frozenset({"budget", "silence"})
# To so many series that were told of people can still answer.
_MOST_TOLD = 50
