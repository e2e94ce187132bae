"""Which alerts of an incident are kept in full, and what is kept of the others: an incident has a bound."""

from decimal import Decimal

import msgspec

from alerts.alert import Alert, Severity

# More alerts than a person reads: of further ones only what the totals need is kept.
MOST_ALERTS = 50
# And an incident takes no more than these: what comes then is told in another.
MOST_REST = 2_000


class Rest(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of an alert beyond those that a person reads."""

    tenant: str
    severity: Severity
    closed: bool
    usd_excess: Decimal
    usd_per_hour: Decimal


def place(alert: Alert, alerts: dict[str, Alert], rest: dict[str, Rest]) -> None:
    """Put an alert among those that a person reads, or, if these are many and weigh more, among the rest."""
    if alert.id not in alerts and len(alerts) >= MOST_ALERTS:
        least = min(alerts.values(), key=weight)
        if weight(alert) <= weight(least):
            rest[alert.id] = rest_of(alert)
            return
        rest[least.id] = rest_of(alerts.pop(least.id))
    rest.pop(alert.id, None)
    alerts[alert.id] = alert


def weight(alert: Alert) -> tuple[bool, Decimal, int, str]:
    """Order alerts by how much they say: open before closed, dear before cheap, then the narrowest."""
    return alert.state != "closed", alert.usd_excess, len(alert.labels), alert.id


def rest_of(alert: Alert) -> Rest:
    """Give what is kept of an alert that nobody reads."""
    closed = alert.state == "closed"
    return Rest(alert.labels.get("tenant", ""), alert.severity, closed, alert.usd_excess, alert.usd_per_hour)
