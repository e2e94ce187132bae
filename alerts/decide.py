"""The decision to notify: one pure function that says why, or why not."""

from typing import Literal

from alerts.incident import Incident
from alerts.routes import Route

Because = Literal["new", "changed", "answered", "resolved", "repeat"]
WhyNot = Literal["group_wait", "group_interval", "nothing_new", "in_force", "told_resolved", "never_told"]
Reason = Because | WhyNot
BECAUSE: tuple[Because, ...] = ("new", "changed", "answered", "resolved", "repeat")
# Nothing will ever be said of the incident again.
DONE: tuple[WhyNot, ...] = ("told_resolved", "never_told")


def decide(incident: Incident, route: Route, now: float) -> Reason:
    """Say whether `incident` is to be notified at `now` (epoch seconds): it is, if the reason is in `BECAUSE`.

    An incident that ended within its group_wait, before anybody was to be told, is not told. A resolved one is said to
    be so once, as soon as its throttle commands are released. Who answers sees at once that the answer was heard.
    """
    sent = incident.sent
    if sent is None:
        return _first(incident, route, now)
    if sent.resolved:
        return "told_resolved"
    if incident.state == "resolved":
        return "in_force" if incident.commands else "resolved"
    if incident.answered > sent.revision:
        return "answered"
    if incident.revision > sent.revision:
        return "changed" if now >= sent.at + route.group_interval else "group_interval"
    return "repeat" if now >= sent.at + route.repeat_interval else "nothing_new"


def _first(incident: Incident, route: Route, now: float) -> Reason:
    if incident.resolved_at is None:
        return "new" if now >= incident.noted_at + route.group_wait else "group_wait"
    lasted = (incident.resolved_at - incident.opened_at).total_seconds()
    if lasted <= route.group_wait:
        return "never_told"
    return "in_force" if incident.commands else "resolved"
