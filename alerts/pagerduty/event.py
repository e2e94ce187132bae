"""An incident as an event of PagerDuty's Events API v2, within its published limits."""

from typing import Any

from alerts.notification import Notification
from alerts.text import cost, headline, history, reasons, span, stands_in, who

# Characters of a summary.
SUMMARY = 1024


def event(notification: Notification, routing_key: str) -> dict[str, Any]:
    """Give the event: `trigger` opens the alert that the incident's id names, or updates it."""
    incident, action = notification.incident, action_of(notification)
    found = {"routing_key": routing_key, "event_action": action, "dedup_key": incident.id}
    return {**found, "client": "Tidegate", "payload": _payload(notification)} if action == "trigger" else found


def action_of(notification: Notification) -> str:
    """Give what PagerDuty is to do with its alert."""
    incident = notification.incident
    if incident.state == "resolved":
        return "resolve"
    return "acknowledge" if notification.because == "answered" and incident.acknowledged else "trigger"


def _payload(notification: Notification) -> dict[str, Any]:
    incident = notification.incident
    return {
        "summary": headline(incident)[:SUMMARY],
        "source": who(incident.main),
        "severity": incident.severity,
        "timestamp": incident.opened_at.isoformat(),
        "component": incident.main.labels.get("agent", ""),
        "group": incident.main.labels.get("tenant", ""),
        "class": incident.main.labels.get("kind", ""),
        "custom_details": _details(notification),
    }


def _details(notification: Notification) -> dict[str, str]:
    incident, owner = notification.incident, notification.owner
    found = {"cost": cost(incident), "span": span(incident), "why": "\n".join(reasons(incident))}
    found |= {"done": "\n".join(history(incident)), "owner": owner.name if owner else ""}
    found |= {"told because": notification.because}
    others = stands_in(incident)
    return {**found, "storm": others} if others else found
