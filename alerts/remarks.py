"""What is said of an incident, by people and by gateways: it holds for all incidents that tell of the same alerts."""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal

from alerts.incident import Incident
from alerts.incidents import Incidents


class Remarks:
    """Writes notes, answers and commands down. What is not known is passed over. `touch` is told what changes."""

    def __init__(self, incidents: Incidents, touch: Callable[[Incident], None]) -> None:
        self._incidents, self._touch = incidents, touch

    def note(self, incident: str, text: str) -> None:
        """Write a line into the history of an incident and its like."""
        for found in self._related(incident):
            found.note(text)
            self._touch(found)

    def answer(self, incident: str, text: str) -> None:
        """Write down what a person said of an incident and its like; they see at once that it was heard."""
        for found in self._related(incident):
            found.answer(text)
            self._touch(found)

    def acknowledge(self, incident: str, by: str, at: datetime, text: str) -> None:
        """Note that somebody has seen an incident, and what tells others of the same.

        `text` is what was said of it, and how others are told.
        """
        found = self._related(incident)
        seen = set(found[0].members()) if found else set()
        for one in found:
            if one.state == "open" and seen.issuperset(one.members()):
                one.answer(text)
                one.acknowledge(by, at)
                self._touch(one)

    def throttled(self, incident: str, scope: str) -> None:
        """Note that a command of the incident is in force on `scope`."""
        for found in self._related(incident):
            self._bind(found, scope)

    def joined(self, incident: Incident, known: Iterable[Incident]) -> None:
        """Note that an incident tells of an alert that is `known` from others: of their commands, too."""
        for scope in [scope for one in known for scope in one.commands]:
            self._bind(incident, scope)

    def released(self, scope: str, incident: str = "", saved: Decimal = Decimal(0)) -> None:
        """Note that the command on `scope` was released; `incident` is told how many dollars that `saved`.

        It alone, of all that tell of the same alerts: people add the savings of incidents up.
        """
        for found in self._incidents.bound(scope):
            found.commands.remove(scope)
            self._touch(found)
        named = self._incidents.find(incident)
        if saved and named is not None:
            named.usd_saved += saved
            self._touch(named)
        self._incidents.unbind(scope)

    def _bind(self, incident: Incident, scope: str) -> None:
        if scope not in incident.commands:
            incident.commands.append(scope)
            self._incidents.bind(incident, scope)
            self._touch(incident)

    def _related(self, incident: str) -> list[Incident]:
        found = self._incidents.find(incident)
        return self._incidents.related(found) if found else []
