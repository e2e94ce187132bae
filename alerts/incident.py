"""What a person is told: alerts that belong together, from their opening to their end."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Literal

import msgspec

from alerts.alert import RANK, Alert, Label, Severity

# More alerts than a person reads; further ones still count in the totals of their own records.
MOST_ALERTS = 50
# Each renewal and each gateway's word is a note, for as long as an incident is open.
MOST_NOTES = 50


class Sent(msgspec.Struct, frozen=True):
    """The last notification of an incident that a receiver took.

    `ref` is the receiver's own reference (a Slack timestamp), `revision` the incident's, `at` epoch seconds.
    """

    ref: str
    revision: int
    at: float
    resolved: bool


class Incident(msgspec.Struct, kw_only=True):
    """Alerts of one group. `revision` grows with each change that a person would want to know.

    `commands` are the scopes' keys of its enforced throttle commands: it is not said to be over while they last.
    `usd_saved` estimates what those that were released have saved.
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
    noted_at: float = 0.0
    sent: Sent | None = None

    def take(self, alert: Alert) -> None:
        """Take in an alert, new or going on; a record that was heard before, or is older, changes nothing."""
        known = self.alerts.get(alert.id)
        if known is None and len(self.alerts) >= MOST_ALERTS:
            return
        if known and (known.state == "closed" or alert.updated_at < known.updated_at or alert == known):
            return
        self.alerts[alert.id] = alert
        self.updated_at = max(self.updated_at, alert.updated_at)
        crossed = known is None or known.labels.get("line") != alert.labels.get("line")
        if self._sum_up() or crossed or alert.state == "closed":
            self.revision += 1

    def note(self, text: str) -> None:
        """Write a line of the incident's history, of which the latest are kept."""
        self.notes = [*self.notes, text][-MOST_NOTES:]
        self.revision += 1

    @property
    def main(self) -> Alert:
        """The alert that says most: open before closed, dear before cheap, then the narrowest."""
        return max(self.alerts.values(), key=_weight)

    def _sum_up(self) -> bool:
        """Bring the totals up to date; True if a person would want to know.

        Alerts of one incident see the same spend at several levels, so the greatest stands for all.
        """
        before = (self.severity, self.state, self.usd_excess)
        alerts = self.alerts.values()
        self.usd_excess = max([self.usd_excess, *(alert.usd_excess for alert in alerts)])
        self.usd_per_hour = max(alert.usd_per_hour for alert in alerts)
        self.severity = max([self.severity, *(alert.severity for alert in alerts)], key=RANK.__getitem__)
        if all(alert.state == "closed" for alert in alerts):
            self.state = "resolved"
            self.resolved_at = max(alert.updated_at for alert in alerts)
        return (self.severity, self.state) != before[:2] or self.usd_excess > before[2]


def incident_id(receiver: str, group: Mapping[Label, str], alert: Alert) -> str:
    """Derive an incident's id from its group and the alert that opened it."""
    about = "\x00".join((receiver, *(f"{name}={group[name]}" for name in sorted(group)), alert.id))
    return blake2b(about.encode(), digest_size=8).hexdigest()


def moment(at: float) -> datetime:
    """Convert epoch seconds into an aware UTC datetime of whole milliseconds."""
    return datetime.fromtimestamp(round(at, 3), UTC)


def _weight(alert: Alert) -> tuple[bool, Decimal, int, str]:
    return alert.state != "closed", alert.usd_excess, len(alert.labels), alert.id
