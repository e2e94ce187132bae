"""The decision to notify: one pure function that says why, or why not."""

from typing import Literal

from alerts.incident import Incident
from alerts.routes import Route

Because = Literal["new", "changed", "resolved", "repeat"]
WhyNot = Literal["group_wait", "group_interval", "nothing_new", "told_resolved", "never_told"]
Reason = Because | WhyNot
BECAUSE: tuple[Because, ...] = ("new", "changed", "resolved", "repeat")


def decide(incident: Incident, route: Route, now: float) -> Reason:
    """Say whether `incident` is to be notified at `now` (epoch seconds): it is, if the reason is in `BECAUSE`.

    An incident that ended before anybody was told is not told; a resolved one is said to be so at once, once.
    """
    sent = incident.sent
    if sent is None:
        return _first(incident, route, now)
    if sent.resolved:
        return "told_resolved"
    if incident.state == "resolved":
        return "resolved"
    if incident.revision > sent.revision:
        return "changed" if now >= sent.at + route.group_interval else "group_interval"
    return "repeat" if now >= sent.at + route.repeat_interval else "nothing_new"


def _first(incident: Incident, route: Route, now: float) -> Reason:
    if incident.state == "resolved":
        return "never_told"
    return "new" if now >= incident.noted_at + route.group_wait else "group_wait"
