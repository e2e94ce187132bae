"""So much begins at once that not every owner is told by itself: one message at the default owner tells of the rest."""

from collections.abc import Callable

from alerts.incident import Incident
from alerts.incidents import Incidents, Whose
from alerts.storm import StormRule, Storms


class Floods:
    """Holds back what begins beyond the rule, and says which incident tells of it.

    Those that are held back are released `patience` seconds later, if they go on: as many as the rule lets begin, and
    as many more after each window. `default` is whose the message is, and `touch` is told what changes.
    """

    def __init__(
        self,
        rule: StormRule,
        incidents: Incidents,
        storms: Storms,
        default: Whose,
        touch: Callable[[Incident], None],
    ) -> None:
        self._rule, self._incidents, self._storms = rule, incidents, storms
        self._default, self._touch = default, touch

    def is_on(self, now: float) -> bool:
        """Tell whether so much began of late that what begins at `now` (epoch seconds) is held back."""
        begun = 0
        for incident in self._incidents.latest():
            if now - incident.noted_at > self._rule.window or begun >= self._rule.incidents:
                break
            begun += not (incident.escalated_from or incident.told_by or incident.stands_in)
        return begun >= self._rule.incidents

    def stand_in(self, wait: float, now: float) -> Incident | None:
        """Find the incident that tells of what is held back, and of the default owner's own; None where none is.

        It is one that does so, else what the default owner was told of late.
        """
        for incident in self._incidents.open_of(self._default):
            if incident.storm and not incident.full and now - incident.joined_at <= self._rule.window:
                incident.joined_at = now
                self._touch(incident)
                return incident
        return self._storms.together(self._default, wait, now)

    def hold(self, incident: Incident, by: Incident, now: float) -> None:
        """Hold an incident back that begins at `now`, and have another tell of it."""
        round_ = by.stands_in // self._rule.incidents
        incident.told_by, incident.told_by_until = by.id, now + self._rule.patience + round_ * self._rule.window
        incident.note(f"too much began at once: told to {by.owner or by.receiver} first")
        by.stand_in_for(incident)
        by.joined_at = now
        self._touch(by)

    def telling(self, incident: Incident) -> list[Incident]:
        """List the incident that takes in what one takes in that is held back, if there is such a one."""
        found = self._incidents.find(incident.told_by) if incident.told_by and incident.sent is None else None
        return [found] if found is not None and found.state == "open" and not found.full else []
