"""An incident in words: the few lines that every receiver shows."""

from datetime import datetime
from decimal import Decimal

from alerts.alert import Alert
from alerts.incident import Incident

_WHAT = {
    "burst": "spends far above its usual rate",
    "loop": "runs in a loop",
    "budget": "uses up its budget",
    "busywork": "burns tokens with too few outcomes",
}
_SIGNS = {"info": "🔵", "warning": "🟠", "critical": "🔴"}


def headline(incident: Incident) -> str:
    """Say who does what, in one line."""
    if incident.state == "resolved":
        about = _storm(incident) if incident.tenant_count > 1 else who(incident.main)
        return f"🟢 {about} is back to normal"
    if incident.tenant_count > 1:
        return f"{_SIGNS[incident.severity]} {_storm(incident)}, led by {who(incident.main)}"
    kind = incident.main.labels.get("kind", "")
    return f"{_SIGNS[incident.severity]} {who(incident.main)} {_WHAT.get(kind, f'shows a {kind}')}"


def who(alert: Alert) -> str:
    """Name the narrowest holder of the spend, with its tenant: `acme · support · triage`."""
    return " · ".join(plain(alert.labels[name]) for name in ("tenant", "use_case", "agent") if name in alert.labels)


def money(amount: Decimal) -> str:
    """Write dollars for people: cents below 1,000 dollars, fractions of a cent below one."""
    digits = 2 if abs(amount) >= Decimal("0.01") or not amount else 4
    return f"${amount:,.{digits}f}"


def cost(incident: Incident) -> str:
    """Say what it has cost and goes on costing."""
    so_far = f"{money(incident.usd_excess)} above normal"
    if incident.state == "resolved":
        return f"{so_far} in all"
    return f"{so_far} so far, {money(incident.usd_per_hour)} an hour if nobody acts"


def span(incident: Incident) -> str:
    """Say since when, or from when to when (UTC)."""
    since = f"since {_clock(incident.opened_at)}"
    return f"{since} until {_clock(incident.resolved_at)} UTC" if incident.resolved_at else f"{since} UTC"


def reasons(incident: Incident, most: int = 5) -> list[str]:
    """List why, the weightiest first, each once."""
    alerts = sorted(incident.alerts.values(), key=lambda alert: (-alert.usd_excess, alert.id))
    found = list(dict.fromkeys(f"{who(alert)}: {plain(alert.reason)}" for alert in alerts))
    more = len(found) - most
    return found[:most] + ([f"and {more} more"] if more > 0 else [])


def history(incident: Incident, most: int = 5) -> list[str]:
    """List what was done about it, the latest last."""
    return [plain(note) for note in incident.notes[-most:]]


def plain(text: str) -> str:
    """Show what cannot be printed (line breaks, terminal escapes, marks of direction) as a sign of its own.

    Names come from outside, and must not forge a line of a message.

    >>> plain("acme\\n🔴 other")
    'acme�🔴 other'
    """
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _storm(incident: Incident) -> str:
    return f"{incident.alert_count:,} alerts in {incident.tenant_count:,} tenants"


def _clock(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")
