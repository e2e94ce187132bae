"""The open anomalies of one tenant: opened once, updated as they go on, closed once."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from streamer.clock import utc
from streamer.pricing.money import ZERO, dollars, femtodollars, plain
from streamer.records import Anomaly, AnomalyKind, Line, Scope, anomaly_id, severity_of

HOUR = Decimal(3600)
# Which detector judges which kind.
DETECTORS: dict[AnomalyKind, str] = {"burst": "rate", "loop": "loop", "budget": "budget", "busywork": "busywork"}


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How an anomaly stands at one moment."""

    observed: float
    expected: float
    score: float
    usd_excess: Decimal = ZERO
    usd_per_hour: Decimal = ZERO
    reason: str
    line: Line = ""


class Cases:
    """Open anomalies by series; every change is kept as a record until it is `taken`."""

    def __init__(self, tenant: str, open_cases: Iterable[Anomaly] = ()) -> None:
        self._tenant = tenant
        self._open = {case.series: case for case in open_cases}
        #: What is to be `taken`.
        self.changes: list[Anomaly] = []

    def __contains__(self, series: str) -> bool:
        return series in self._open

    def open(self, kind: AnomalyKind, series: str, scope: Scope, at: float, reading: Reading) -> None:
        """Open a case at `at` (epoch seconds, the event time at which it was known)."""
        moment = utc(at)
        case = Anomaly(
            id=anomaly_id(kind, self._tenant, series, moment),
            kind=kind,
            tenant=self._tenant,
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
        self._open[series] = case
        self._read(case, reading)
        self._record(case)

    def update(self, series: str, at: float, reading: Reading) -> None:
        """Note how an open case goes on."""
        case = self._open[series]
        case.state, case.updated_at = "updated", max(case.updated_at, utc(at))
        self._read(case, reading)
        self._record(case)

    def close(self, series: str, at: float, usd_excess: Decimal = ZERO) -> None:
        """Close a case: what it is about is back to normal since `at`; `usd_excess` is what it came to, if more."""
        case = self._open.pop(series)
        case.state, case.usd_per_hour = "closed", ZERO
        case.usd_excess = max(case.usd_excess, dollars(femtodollars(usd_excess)))
        case.updated_at = case.closed_at = max(case.updated_at, utc(at))
        self._record(case)

    def excess(self, series: str) -> Decimal:
        """Give the dollars above normal that an open case has cost so far."""
        return self._open[series].usd_excess

    def open_since(self, series: str) -> float:
        """Give the event time (epoch seconds) at which an open case was opened."""
        return self._open[series].opened_at.timestamp()

    def taken(self) -> list[Anomaly]:
        """Hand over the changes since the last call, in the order in which they happened."""
        changes, self.changes = self.changes, []
        return changes

    def snapshot(self) -> list[Anomaly]:
        """Give the open cases, in order of their series."""
        return [self._open[series] for series in sorted(self._open)]

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
        case.severity = max(case.severity, severity_of(reading.usd_per_hour, reading.score), key=_RANK.__getitem__)
        case.reason, case.line = reading.reason, reading.line

    def _record(self, case: Anomaly) -> None:
        self.changes.append(msgspec.structs.replace(case))


_RANK = {"info": 0, "warning": 1, "critical": 2}
