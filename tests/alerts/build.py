"""Alerts, incidents and notifications for tests, with as little said as a test needs."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from alerts.alert import Alert, AlertState, Cause, Label, Severity
from alerts.decide import Because
from alerts.incident import Incident
from alerts.notification import Notification

START = datetime(2026, 11, 22, 10, tzinfo=UTC)
NOW = START.timestamp()

TRIAGE: Mapping[Label, str] = {"tenant": "acme", "use_case": "support", "agent": "triage", "kind": "burst"}


def alert(
    name: str = "a1",
    state: AlertState = "opened",
    *,
    after: float = 0.0,
    labels: Mapping[Label, str] = TRIAGE,
    severity: Severity = "warning",
    usd: str = "1.50",
    reason: str = "120 requests a minute, 20 are usual",
    series: str = "",
    seconds: float = 0.0,
    causes: tuple[Cause, ...] = (),
) -> Alert:
    """An alert whose latest record is `after` seconds later than its opening."""
    at = START + timedelta(seconds=after)
    return Alert(
        id=name,
        state=state,
        severity=severity,
        labels={**labels, "severity": severity},
        detector="rate",
        opened_at=START,
        updated_at=at,
        closed_at=at if state == "closed" else None,
        observed=120.0,
        expected=20.0,
        usd_excess=Decimal(usd),
        usd_per_hour=Decimal(0) if state == "closed" else Decimal("18.20"),
        reason=reason,
        series=series,
        seconds=seconds,
        causes=causes,
    )


def incident(*alerts: Alert) -> Incident:
    """An incident that has taken in these alerts."""
    made = Incident(
        id="4e8f1c", receiver="finops", group={"tenant": "acme"}, opened_at=START, updated_at=START, noted_at=NOW
    )
    for taken in alerts or (alert(),):
        made.take(taken)
    return made


def notification(told: Incident, because: Because = "new", previous: str | None = None) -> Notification:
    """A notification of an incident."""
    return Notification(told, told.receiver, because, previous)
