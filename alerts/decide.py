"""The decision to notify: one pure function that says why, or why not, and until when that holds."""

from typing import Literal

import msgspec

from alerts.course import Sent
from alerts.incident import Incident
from alerts.routes import Route
from alerts.silences import Silence

Because = Literal["new", "changed", "resolved", "repeat", "escalated", "answered"]
WhyNot = Literal[
    "group_wait",
    "group_interval",
    "nothing_new",
    "in_force",
    "told_resolved",
    "never_told",
    "silenced",
    "planned",
    "inhibited",
    "storm",
    "quiet_hours",
]
Reason = Because | WhyNot
BECAUSE: tuple[Because, ...] = ("new", "changed", "resolved", "repeat", "escalated", "answered")
# Nothing will ever be said of the incident again.
DONE: tuple[WhyNot, ...] = ("told_resolved", "never_told")
NEVER = float("inf")


class Held(msgspec.Struct, frozen=True):
    """What holds an incident back: a silence, an alarm (its alert's id), or one (its id) that tells of it in a storm.

    `until` (epoch seconds) is when that may be otherwise.
    """

    silence: Silence | None = None
    inhibited_by: str = ""
    told_by: str = ""
    until: float = NEVER


NOT_HELD = Held()


class Decision(msgspec.Struct, frozen=True):
    """A reason, and the time (epoch seconds) at which to ask again, unless something happens before."""

    reason: Reason
    again_at: float = NEVER

    @property
    def notifies(self) -> bool:
        """Whether people are to be told."""
        return self.reason in BECAUSE


def decide(incident: Incident, route: Route, now: float, held: Held = NOT_HELD) -> Decision:
    """Say whether `incident` is to be notified at `now` (epoch seconds).

    An incident that ended within its group_wait, before anybody was to be told, is not told, nor one that ended while
    nobody wanted to hear of it. While a silence holds, nothing is told, nor, while an alarm makes the incident
    superfluous or another one tells of it, that it goes on. A resolved one is said to be so once, as soon as its
    throttle commands are released.
    Who answers sees at once that the answer was heard, and so does who has muted it.
    """
    if done := _done(incident, route):
        return Decision(done)
    if incident.sent and incident.state == "open" and incident.answered > incident.sent.revision:
        return Decision("answered")
    if kept := _held_back(incident, held):
        return kept
    decision = _by_time(incident, route, now)
    if decision.notifies and not route.tells(incident.severity, now):
        return Decision("quiet_hours", route.next_change(now))
    return decision


def _held_back(incident: Incident, held: Held) -> Decision | None:
    if silence := held.silence:
        over = incident.state == "resolved" and incident.sent is not None
        if silence.kind == "mute" or not over:
            return Decision("silenced" if silence.kind == "mute" else "planned", min(silence.until, held.until))
    if incident.state == "open" and (held.inhibited_by or held.told_by):
        return Decision("inhibited" if held.inhibited_by else "storm", held.until)
    return None


def _done(incident: Incident, route: Route) -> WhyNot | None:
    if incident.sent is not None:
        return "told_resolved" if incident.sent.resolved else None
    if incident.escalated_from:
        return "never_told" if incident.state == "resolved" or incident.acknowledged else None
    if incident.resolved_at is None:
        return None
    lasted = (incident.resolved_at - incident.opened_at).total_seconds()
    return "never_told" if incident.unheard or lasted <= route.group_wait else None


def _by_time(incident: Incident, route: Route, now: float) -> Decision:
    sent = incident.sent
    if incident.state == "resolved":
        return Decision("in_force" if incident.commands else "resolved")
    if sent is None:
        wait = 0.0 if incident.escalated_from else route.group_wait
        return _from(now, incident.noted_at + wait, "escalated" if incident.escalated_from else "new", "group_wait")
    if incident.revision > sent.revision:
        return _from(now, sent.at + route.group_interval, "changed", "group_interval")
    return _repeat(incident, sent, route, now)


def _repeat(incident: Incident, sent: Sent, route: Route, now: float) -> Decision:
    """Say an open incident again after long, unless somebody has it in hand."""
    if incident.acknowledged:
        return Decision("nothing_new")
    return _from(now, sent.at + route.repeat_interval, "repeat", "nothing_new")


def _from(now: float, at: float, because: Because, before: WhyNot) -> Decision:
    return Decision(because) if now >= at else Decision(before, at)
