"""What a person is told: alerts that belong together, from their opening to their end."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from itertools import chain
from typing import Literal

import msgspec

from alerts.alert import Alert, Label, Severity
from alerts.course import Acknowledged, Reading, Sent
from alerts.kept import MOST_REST, Rest, place, rest_of, weight
from alerts.totals import totals_of

# Each command and each gateway's word is a note, for as long as an incident is open.
MOST_NOTES = 50
# So many owners are named, and told of in a stand-in's message.
MOST_OWNERS = 200
# As many as a picture shows; the oldest go first.
MOST_READINGS = 120


class Incident(msgspec.Struct, kw_only=True):
    """Alerts of one group, told to one receiver. `revision` grows with each change that a person would want to know.

    `commands` are the scopes' keys of its enforced throttle commands: it is not said to be over while they last.
    `usd_saved` estimates what those that were released have saved.
    `alert_count` and `tenant_count` are of all its alerts, of which `alerts` holds the dearest and `rest` what is kept
    of the others. `route` is the path of its route, `owner` who answers for it, and `kind` that of its first
    alert. `escalated_from` is the incident that nobody acknowledged, `escalations` how many steps that led to, and
    `told_at` (epoch seconds) when people were told first. `word` is what a person said of it last, and `answered` the
    revision of that. `track` is how its alerts stood at each of their updates, the latest last.
    A `storm` holds alerts of several groups that began together; `joined_at` (epoch seconds) is when the last tenant
    did, and `absorbed` are the ids of the incidents that became a part of it before anybody was told of them. What is
    `unheard` began and ended while nobody wanted to hear of it.
    Where too much begins at once, an incident is told in that of the default owner, which is `told_by`, until
    `told_by_until` (epoch seconds); of such a one, `stands_in` counts how many these are, and `owners` names whose.
    """

    id: str
    receiver: str
    group: dict[Label, str]
    state: Literal["open", "resolved"] = "open"
    severity: Severity = "info"
    opened_at: datetime
    updated_at: datetime
    resolved_at: datetime | None = None
    usd_excess: Decimal = Decimal(0)
    usd_per_hour: Decimal = Decimal(0)
    usd_saved: Decimal = Decimal(0)
    revision: int = 0
    alerts: dict[str, Alert] = {}
    notes: list[str] = []
    commands: list[str] = []
    answered: int = 0
    word: str = ""
    track: list[Reading] = []
    noted_at: float = 0.0
    sent: Sent | None = None
    alert_count: int = 0
    tenant_count: int = 0
    rest: dict[str, Rest] = {}
    route: str = ""
    owner: str = ""
    kind: str = ""
    acknowledged: Acknowledged | None = None
    escalated_from: str = ""
    escalations: int = 0
    told_at: float | None = None
    storm: bool = False
    joined_at: float = 0.0
    absorbed: list[str] = []
    unheard: bool = False
    told_by: str = ""
    told_by_until: float = 0.0
    stands_in: int = 0
    owners: list[str] = []

    def take(self, alert: Alert) -> None:
        """Take in an alert, new or going on; a record that was heard before, or is older, changes nothing."""
        known = self.alerts.get(alert.id)
        if known and (known.state == "closed" or alert.updated_at < known.updated_at or alert == known):
            return
        if alert.id in self.rest and (self.rest[alert.id].closed or rest_of(alert) == self.rest[alert.id]):
            return
        news = alert.id not in self
        place(alert, self.alerts, self.rest)
        if alert.state != "closed":
            reading = Reading(alert.id, alert.updated_at.timestamp(), alert.observed, alert.expected)
            self.track = [*self.track, reading][-MOST_READINGS:]
        self.updated_at = max(self.updated_at, alert.updated_at)
        crossed = known is not None and known.labels.get("line") != alert.labels.get("line")
        if self._sum_up() or news or crossed or alert.state == "closed":
            self.revision += 1

    def note(self, text: str) -> None:
        """Write a line of the incident's history, of which the latest are kept."""
        self.notes = [*self.notes, text][-MOST_NOTES:]
        self.revision += 1

    def answer(self, text: str) -> None:
        """Write down what a person said of it."""
        self.note(text)
        self.word, self.answered = text, self.revision

    def acknowledge(self, by: str, at: datetime) -> None:
        """Note that somebody has seen it; that holds until it becomes more severe."""
        self.acknowledged = Acknowledged(by, at)

    def absorb(self, other: "Incident", now: float) -> None:
        """Take in all that another incident holds, which nobody was told of."""
        for alert in other.alerts.values():
            self.take(alert)
        self.rest |= other.rest
        self.commands = [*self.commands, *(scope for scope in other.commands if scope not in self.commands)]
        self.absorbed = [*self.absorbed, other.id, *other.absorbed]
        self.notes = [*self.notes, *other.notes][-MOST_NOTES:]
        self.opened_at = min(self.opened_at, other.opened_at)
        self.joined_at = now
        self._sum_up()
        self.revision += 1

    def stand_in_for(self, other: "Incident") -> None:
        """Tell of another incident, too, whose owner is not told of it for now."""
        self.stands_in += 1
        if other.owner not in (self.owner, *self.owners) and len(self.owners) < MOST_OWNERS:
            self.owners = [*self.owners, other.owner]

    def latest(self, alert: Alert) -> Alert:
        """Give what is known of an alert by now: a record that was written again after a crash may be older."""
        if alert.id in self.rest and self.rest[alert.id].closed:
            return msgspec.structs.replace(alert, state="closed")
        return self.alerts.get(alert.id, alert)

    def __contains__(self, alert: object) -> bool:
        return alert in self.alerts or alert in self.rest

    def members(self) -> Iterator[str]:
        """Give the ids of all its alerts."""
        yield from self.alerts
        yield from self.rest

    def for_another(self, receiver: str, now: float) -> "Incident":
        """Give an incident of the same alerts for a receiver told at `now`: nobody acknowledged this one."""
        further = msgspec.structs.replace(
            self.copy(), id=incident_id(receiver, self.group, self.main), rest=dict(self.rest)
        )
        further.receiver, further.escalated_from, further.noted_at = receiver, self.id, now
        further.sent, further.told_at, further.escalations, further.absorbed = None, None, 0, []
        further.storm, further.told_by = False, ""
        return further

    def copy(self) -> "Incident":
        """Give it as it is now, for others; what is kept of the alerts that nobody reads is left out."""
        return msgspec.structs.replace(
            self, alerts=dict(self.alerts), notes=list(self.notes), commands=list(self.commands), rest={}
        )

    @property
    def full(self) -> bool:
        """Whether it takes in no further alerts."""
        return len(self.rest) >= MOST_REST

    def tenants_of_alerts(self) -> Iterator[tuple[str, str]]:
        """Give the tenant and the id of each of its alerts."""
        for name, alert in self.alerts.items():
            yield alert.labels["tenant"], name
        for name, one in self.rest.items():
            yield one.tenant, name

    def concerns(self, tenant: str) -> bool:
        """Tell whether one of its alerts is a tenant's."""
        return any(alert.labels.get("tenant") == tenant for alert in self.alerts.values()) or any(
            one.tenant == tenant for one in self.rest.values()
        )

    @property
    def main(self) -> Alert:
        """The alert that says most: open before closed, dear before cheap, then the narrowest."""
        return max(self.alerts.values(), key=weight)

    def _sum_up(self) -> bool:
        """Bring the totals up to date; True if a person would want to know."""
        before = (self.severity, self.state, self.usd_excess)
        totals = totals_of(chain(map(rest_of, self.alerts.values()), self.rest.values()), self.severity)
        self.severity, self.usd_per_hour = totals.severity, totals.usd_per_hour
        self.alert_count, self.tenant_count = len(self.alerts) + len(self.rest), totals.tenants
        self.usd_excess = max(self.usd_excess, totals.usd_excess)
        if not totals.going_on:
            self.state, self.resolved_at = "resolved", self.updated_at
        if self.severity != before[0]:
            self.acknowledged = None
        return (self.severity, self.state) != before[:2] or self.usd_excess > before[2]


def incident_id(receiver: str, group: Mapping[Label, str], alert: Alert) -> str:
    """Derive an incident's id from its group and the alert that opened it."""
    about = "\x00".join((receiver, *(f"{name}={group[name]}" for name in sorted(group)), alert.id))
    return blake2b(about.encode(), digest_size=8).hexdigest()


def moment(at: float) -> datetime:
    """Convert epoch seconds into an aware UTC datetime of whole milliseconds."""
    return datetime.fromtimestamp(round(at, 3), UTC)
