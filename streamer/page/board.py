"""What is wrong, and what was said and done about it: incidents, anomalies, answers, commands."""

from collections import OrderedDict
from typing import TypeVar

from alerts.incident import Incident
from alerts.throttle.command import Ack, Command
from streamer.feedback import Feedback
from streamer.page.sight import Sight
from streamer.records import Anomaly, BudgetStanding

_MOST = 5_000
# What is said about one incident, or to one command, at the most.
_MOST_LINES = 50
_T = TypeVar("_T")


class Board:
    """The newest record of each, bounded: the least recently changed are forgotten first. Pure."""

    def __init__(self) -> None:
        #: Grows with each record but those of budgets, which come as often as spend does.
        self.version = 0
        self.incidents: OrderedDict[str, Incident] = OrderedDict()
        self.anomalies: OrderedDict[str, Anomaly] = OrderedDict()
        #: By the incident that was answered, the newest last.
        self.answers: OrderedDict[str, list[Feedback]] = OrderedDict()
        #: By the key of their scope.
        self.commands: OrderedDict[str, Command] = OrderedDict()
        #: By the command's id, one a gateway: its last word.
        self.acks: OrderedDict[str, dict[str, Ack]] = OrderedDict()
        #: By the budget's series.
        self.budgets: OrderedDict[str, BudgetStanding] = OrderedDict()

    def take_incident(self, key: str, incident: Incident | None) -> set[str]:
        """Take in a record of the alerts topic; gives the tenants that it concerns.

        A tombstone (None) takes away nothing that is over: links to it may still be followed.
        """
        known = self.incidents.get(key)
        if incident is None:
            if known and known.state == "open":
                del self.incidents[key]
            return tenants_of(known) if known else set()
        _keep(self.incidents, incident.id, incident)
        return tenants_of(incident)

    def take_anomaly(self, anomaly: Anomaly) -> set[str]:
        """Take in a record of the anomalies topic."""
        _keep(self.anomalies, anomaly.id, anomaly)
        return {anomaly.tenant}

    def take_answer(self, answer: Feedback) -> set[str]:
        """Take in a person's word on an incident; what was said twice counts once."""
        said = self.answers.get(answer.incident, [])
        if answer.incident and all(one.id != answer.id for one in said):
            _keep(self.answers, answer.incident, [*said, answer][-_MOST_LINES:])
        incident = self.incidents.get(answer.incident)
        return tenants_of(incident) if incident else {answer.tenant} - {""}

    def take_command(self, key: str, command: Command | None) -> set[str]:
        """Take in a record of the throttle topic (None: a tombstone); the highest generation of a scope holds.

        Until it ends, as at a gateway: after a backup was restored generations begin again from lower ones.
        """
        known = self.commands.get(key)
        if command is None:
            self.commands.pop(key, None)
        elif known is None or known.generation < command.generation or known.expires_at <= command.issued_at:
            _keep(self.commands, key, command)
        about = command or known
        return {about.scope.tenant} if about else set()

    def take_ack(self, ack: Ack) -> set[str]:
        """Take in a gateway's word on a command."""
        by_gateway = self.acks.get(ack.command, {})
        if ack.gateway in by_gateway or len(by_gateway) < _MOST_LINES:
            _keep(self.acks, ack.command, {**by_gateway, ack.gateway: ack})
        return {command.scope.tenant for command in self.commands.values() if command.id == ack.command}

    def take_budget(self, standing: BudgetStanding) -> set[str]:
        """Take in a record of the budgets topic."""
        _keep(self.budgets, standing.series, standing)
        return {standing.tenant}


def tenants_of(incident: Incident) -> set[str]:
    """Name whom an incident is about."""
    return {alert.labels["tenant"] for alert in incident.alerts.values() if "tenant" in alert.labels}


def is_seen_by(incident: Incident, sight: Sight) -> bool:
    """Tell whether an incident may be shown: to who sees all whom it is about, also those whose alerts it left out."""
    named = tenants_of(incident)
    return sight.sees_all(named) and (sight.everything or len(named) >= incident.tenant_count)


def in_force(command: Command, now: float) -> bool:
    """Tell whether a command (or a suggestion) still stands at `now`."""
    return command.action != "release" and command.expires_at.timestamp() > now


def _keep(kept: OrderedDict[str, _T], key: str, value: _T) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > _MOST:
        kept.popitem(last=False)
