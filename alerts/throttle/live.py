"""One command in force: what caused it, who obeys it, whether it helps, and what it has saved."""

from decimal import Decimal

import msgspec

from alerts.alert import Alert, Label
from alerts.throttle.command import Ack, Command
from alerts.throttle.policy import Policy

_HOUR = Decimal(3600)
_NOTHING = Decimal(0)
# A fleet's gateways that are told apart; what more of them say is as one.
_MOST_GATEWAYS = 50
# The rate has not fallen while it is this share of what it was.
_STILL = Decimal("0.5")


class Cause(msgspec.Struct, frozen=True):
    """An open alert behind a command, as it was heard last at `heard_at` (epoch seconds).

    `first` and `excess` are its dollars above normal when it became the cause, and at last; `rate` in dollars an hour.
    """

    line: str
    first: Decimal
    excess: Decimal
    rate: Decimal
    heard_at: float


class Live(msgspec.Struct):
    """A command in force, or just released. Times are epoch seconds; `causes` are the open alerts, by id.

    `labels` are those of the alert that led to it. It stays until `hold_until` whatever its causes do; `returns` is how
    often the scope was throttled again soon after a release. `rate` (dollars an hour) is what ran away when it was
    issued; `applied_at` when the first gateway said that it obeys; `leaked` and `earned` are dollars: what came through
    since it was issued, and what the commands that it took the place of had saved. `by_person` is whether a person said
    that it is to be, and `until` when it ends by their word, whatever its causes do.
    """

    command: Command
    policy: Policy
    labels: dict[Label, str]
    causes: dict[str, Cause]
    issued_at: float
    expires_at: float
    hold_until: float
    released_at: float | None = None
    returns: int = 0
    escalated: bool = False
    rate: Decimal = _NOTHING
    applied_at: float | None = None
    leaked: Decimal = _NOTHING
    earned: Decimal = _NOTHING
    acks: dict[str, str] = {}
    by_person: bool = False
    until: float | None = None

    def hear(self, alert: Alert, now: float) -> None:
        """Take in a cause, new or going on."""
        known = self.causes.get(alert.id)
        self.causes[alert.id] = cause_of(alert, now, known)
        self._count(self.causes[alert.id])

    def end(self, alert: Alert, now: float) -> bool:
        """Take off a cause that is over; False if it was none."""
        known = self.causes.pop(alert.id, None)
        if known:
            self._count(cause_of(alert, now, known))
        return known is not None

    def acknowledge(self, ack: Ack, now: float) -> bool:
        """Note a gateway's word; True if that gateway had not said so before."""
        if ack.state == "applied" and self.applied_at is None:
            self.applied_at = now
        if self.acks.get(ack.gateway) == ack.state or len(self.acks) >= _MOST_GATEWAYS:
            return False
        self.acks[ack.gateway] = ack.state
        return True

    def leaks(self, now: float) -> bool:
        """Tell whether the rate has not fallen: a cause spoke lately of half the rate that there was, or more."""
        span = self.policy.escalate
        if not span or self.escalated or self.command.mode != "enforce" or now < self.issued_at + span:
            return False
        lately = [cause.rate for cause in self.causes.values() if cause.heard_at >= now - span / 2]
        return bool(lately) and max(lately) >= self.rate * _STILL

    @property
    def leaks_from(self) -> float:
        """The moment (epoch seconds) from which on it may leak, by what its causes said; infinite if it may not."""
        first = self.issued_at + self.policy.escalate
        return first if self.leaks(first) else float("inf")

    @property
    def is_renewed(self) -> bool:
        """Whether it lasts while its causes go on; one that a person gave an end does not."""
        return bool(self.causes) and self.until is None

    def saved(self, now: float) -> Decimal:
        """Estimate the dollars saved until `now`: the rate that was stopped, for as long, less what came through.

        Counted from when the first gateway said that it obeys: where none did, nothing is claimed.
        """
        if self.applied_at is None or self.command.mode != "enforce":
            return self.earned
        stopped = self.rate * Decimal(repr(max(now - self.applied_at, 0.0))) / _HOUR
        return self.earned + round(max(stopped - self.leaked, _NOTHING), 4)

    def _count(self, cause: Cause) -> None:
        """Alerts of one command see the same spend at several levels, so the greatest stands for all."""
        self.leaked = max(self.leaked, cause.excess - cause.first)


def cause_of(alert: Alert, now: float, known: Cause | None = None) -> Cause:
    """Give the cause that an alert is; `known` is what it was when it was heard before."""
    first = known.first if known else alert.usd_excess
    return Cause(line_of(alert), first, max(alert.usd_excess, first), alert.usd_per_hour, now)


def line_of(alert: Alert) -> str:
    """Give the line of a budget that an alert stands at, "" for other kinds."""
    return alert.labels.get("line", "")
