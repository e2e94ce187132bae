"""Who is told besides, because nobody has acknowledged an incident."""

from collections.abc import Callable

from alerts.agenda import SOON
from alerts.decide import NEVER, Reason
from alerts.incident import Incident
from alerts.incidents import Incidents
from alerts.routes import Route, Step

# Whoever is not told of it himself cannot be expected to acknowledge it.
_HELD_BACK: tuple[Reason, ...] = ("silenced", "planned", "inhibited", "storm", "quiet_hours")


def escalation(incident: Incident, route: Route, now: float) -> tuple[Step | None, float]:
    """Give the step that is due, or None, and the time (epoch seconds) at which to ask again."""
    waits = incident.told_at is not None and incident.state == "open" and incident.acknowledged is None
    if not waits or incident.told_at is None or incident.escalations >= len(route.escalate):
        return None, NEVER
    step = route.escalate[incident.escalations]
    at = incident.told_at + step.after
    return (step, NEVER) if now >= at else (None, at)


class Escalations:
    """Takes the steps of incidents' routes. `reason_of` says what is decided of one, `touch` is told what changes."""

    def __init__(
        self,
        incidents: Incidents,
        reason_of: Callable[[Incident, float], Reason],
        touch: Callable[[Incident], None],
    ) -> None:
        self._incidents, self._reason_of, self._touch = incidents, reason_of, touch

    def take_step(self, incident: Incident, route: Route, reason: Reason, now: float) -> float:
        """Tell the next ones, if it is time, and `reason` lets the incident itself be told; gives when it is."""
        if reason in _HELD_BACK:
            return NEVER
        step, at = escalation(incident, route, now)
        if step is None:
            return at
        incident.escalations += 1
        related = self._incidents.related(incident)
        if step.receiver not in {one.receiver for one in related if self._is_heard(one, now)}:
            self._tell_also(incident, step, now)
            incident.note(f"nobody acknowledged: told {step.receiver}")
        self._touch(incident)
        return SOON

    def _is_heard(self, incident: Incident, now: float) -> bool:
        """Tell whether a receiver knows of an open incident, or will in a moment; one that is held back it does not."""
        if incident.state != "open":
            return False
        return incident.sent is not None or self._reason_of(incident, now) not in _HELD_BACK

    def _tell_also(self, incident: Incident, step: Step, now: float) -> None:
        further = incident.for_another(step.receiver, now)
        further.note(f"nobody acknowledged it at {incident.receiver}")
        self._incidents.add(further)
        self._touch(further)
