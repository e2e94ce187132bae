"""The notice that a receiver takes nothing any more, for those whom another one reaches."""

from datetime import datetime
from decimal import Decimal

from alerts.alert import Alert, Label
from alerts.incident import Incident
from alerts.notification import Notification

KIND = "dead channel"


def undelivered(receiver: str, why: str, waiting: int, since: datetime, until: datetime | None) -> Notification:
    """Say that `receiver` has taken nothing since a moment, and, with `until`, that it does again."""
    labels: dict[Label, str] = {"tenant": "tidegate", "use_case": "notifications", "agent": receiver, "kind": KIND}
    # A second time is another incident: who drops what was delivered before must hear of it.
    name = f"{receiver}-{since:%Y%m%dT%H%M%S}"
    alert = Alert(
        id=name,
        state="closed" if until else "opened",
        severity="critical",
        labels={**labels, "severity": "critical"},
        detector="notifier",
        opened_at=since,
        updated_at=until or since,
        closed_at=until,
        observed=waiting,
        expected=0,
        usd_excess=Decimal(0),
        usd_per_hour=Decimal(0),
        reason=f"receiver {receiver} takes no notifications ({why}), {waiting} wait",
    )
    incident = Incident(
        id=f"undelivered-{name}", receiver=receiver, group=labels, opened_at=since, updated_at=since, kind=KIND
    )
    incident.take(alert)
    return Notification(incident, receiver, "resolved" if until else "new", None)
