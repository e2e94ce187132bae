"""The commands in force: issued once, renewed while their cause goes on, released when it is over."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from alerts.alert import Alert
from alerts.throttle.command import MOST_LIFE, Ack, Command, CommandReason, CommandScope
from alerts.throttle.issue import first, following, reason_of, supersedes
from alerts.throttle.live import Live, cause_of, line_of
from alerts.throttle.policy import Policy, policy_for
from alerts.throttle.rails import Rails
from alerts.throttle.remembered import Remembered

# Alerts that a person let go: few, and each is forgotten when it ends.
_MOST_LET_GO = 10_000
# A scope that comes back again and again is held twice as long each time, up to so many doublings.
_MOST_RETURNS = 4
# What a person throttles where no policy says how.
BY_HAND = Policy(kind="", scope="session", action="pause", mode="enforce", widest="session")


class Change(msgspec.Struct, frozen=True):
    """What is to be written to the throttle topic: the command under its scope's key, or a tombstone (None).

    With a release comes the estimate of what its command has `saved`, in dollars.
    """

    key: str
    command: Command | None
    saved: Decimal = Decimal(0)


class Ledger:
    """All commands in force, by scope: at most one a scope, none without an expiry.

    A stronger one takes the place of a weaker one, and so does that of an alert which was raised to another line of a
    budget; where that binds another scope, the alert no longer holds the command that it had led to before.
    `hold` is the least time in seconds that a command stays in force, doubled for a scope that comes back within
    `cool_down` seconds of its release, so that it does not flap; a release is followed by a tombstone after `tombstone`
    seconds, when every gateway has seen it. Past `most` live commands no new one is issued (counted in `refused`).
    What would be enforced on a tenant that one of the patterns `critical` matches is suggested to people instead.
    Switched off (`enabled`), it releases all and issues none.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        *,
        hold: float = 60.0,
        cool_down: float = 0.0,
        tombstone: float = 300.0,
        most: int = 100,
        critical: Sequence[str] = (),
        enabled: bool = True,
    ) -> None:
        self._policies = policies if enabled else ()
        self._rails = Rails(most=most, critical=critical, enabled=enabled)
        self._hold, self._cool_down, self._tombstone = hold, cool_down, tombstone
        self._live: dict[str, Live] = {}
        self._dirty: set[str] = set()
        self._let_go = Remembered("let-go/", _MOST_LET_GO)

    @property
    def refused(self) -> Counter[str]:
        """Commands that the guard rails kept from being issued, by why."""
        return self._rails.refused

    def submit(self, alert: Alert, incident: str, now: float) -> list[Change]:
        """Take in an alert at `now` (epoch seconds); gives the command that it leads to, if any."""
        if alert.state == "closed":
            self._over(alert, now)
            return []
        policy = policy_for(self._policies, alert)
        if policy is None or alert.id in self._let_go:
            return []
        return self._follow(self._rails.guarded(policy, alert.labels["tenant"]), alert, incident, now)

    def enforce(self, alert: Alert, incident: str, now: float) -> list[Change]:
        """Throttle what an open alert is about, because a person said so: what is suggested of it, else by a pause."""
        self._let_go.drop(alert.id)
        policy = policy_for(self._policies, alert) or BY_HAND
        suggested = self._live.get(policy.scope_of(alert.labels).key())
        if suggested and suggested.released_at is None and alert.id in suggested.causes:
            policy = suggested.policy
        return self._follow(msgspec.structs.replace(policy, mode="enforce"), alert, incident, now)

    def impose(
        self, scope: CommandScope, reason: CommandReason, now: float, until: float | None, tool: str = ""
    ) -> list[Change]:
        """Throttle a scope because a person said so: what is suggested there, else a pause, or one tool of it.

        It lasts until `until` (epoch seconds), a day at most; without that as long as what stands open there. `reason`
        is for where nothing is suggested.
        """
        live = self._live.get(scope.key())
        live = live if live and live.released_at is None else None
        policy = live.policy if live and not tool else BY_HAND
        lasts = policy.expires if until is None else min(max(until - now, 1.0), MOST_LIFE)
        policy = msgspec.structs.replace(policy, mode="enforce", expires=lasts)
        if tool:
            policy = msgspec.structs.replace(policy, action="block_tool", params={"tool": tool})
        if live and live.policy == policy:
            return []
        changes = self._issue(scope, policy, live.command.reason if live else reason, now)
        for change in changes:
            imposed = self._live[change.key]
            if until is not None or not imposed.causes:
                imposed.hold_until = now + lasts
        return changes

    def let_go(self, keys: Iterable[str], alerts: Iterable[str], now: float) -> list[Change]:
        """Release commands, by their scopes' keys, because a person said so.

        Neither `alerts` nor what caused the commands lead to any again, until they are over.
        """
        found = [(key, self._live[key]) for key in keys if self._live[key].released_at is None]
        for alert in (*alerts, *(alert for _, live in found for alert in live.causes)):
            self._let_go.add(alert)
        for _, live in found:
            live.causes = {}
        return [self._release(key, live, now) for key, live in found]

    def acknowledge(self, ack: Ack, now: float) -> str | None:
        """Note what a gateway says; gives the incident behind the command if that is news, "" if not, else None."""
        for key, live in self._live.items():
            if live.command.id == ack.command:
                self._dirty.add(key)
                return live.command.reason.incident if live.acknowledge(ack, now) else ""
        return None

    def tick(self, now: float) -> list[Change]:
        """Let time pass: releases, escalations, renewals and tombstones that are due."""
        return [change for key, live in list(self._live.items()) for change in self._pass(key, live, now)]

    def live(self) -> list[Command]:
        """List the commands in force, suggestions too."""
        return [live.command for live in self._live.values() if live.released_at is None]

    def within(self, scope: CommandScope) -> list[str]:
        """Give the keys of the commands in force that bind nothing outside a scope."""
        return [
            key for key, live in self._live.items() if live.released_at is None and scope.covers(live.command.scope)
        ]

    def caused_by(self, alerts: Iterable[str], incident: str) -> list[str]:
        """Give the keys of the commands in force that are of an incident or have one of some alerts as their cause."""
        named = set(alerts)
        return [
            key
            for key, live in self._live.items()
            if live.released_at is None
            and (named & live.causes.keys() or (incident and live.command.reason.incident == incident))
        ]

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the entries that changed since the last call, written down; None for dropped ones."""
        for key in sorted(self._dirty):
            live = self._live.get(key)
            yield key, msgspec.msgpack.encode(live, order="deterministic") if live else None
        self._dirty.clear()
        yield from self._let_go.changes()

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take up the entries that `changes` gave."""
        lives = {key: state for key, state in sorted(entries.items()) if key.startswith("tenant=")}
        self._live = {key: msgspec.msgpack.decode(state, type=Live) for key, state in lives.items()}
        self._let_go.restore(entries)

    def _follow(self, policy: Policy, alert: Alert, incident: str, now: float) -> list[Change]:
        """Let an alert hold the command of its scope, and issue that where it is new or stronger."""
        key = policy.scope_of(alert.labels).key()
        live = self._live.get(key)
        changes: list[Change] = []
        if live is None or live.released_at is not None or supersedes(policy, alert, live):
            changes = self._issue(policy.scope_of(alert.labels), policy, reason_of(alert, incident), now, alert)
            if not changes:
                return []
        self._live[key].hear(alert, now)
        self._dirty.add(key)
        self._heard_elsewhere(alert, key, now)
        return changes

    def _issue(
        self, scope: CommandScope, policy: Policy, reason: CommandReason, now: float, alert: Alert | None = None
    ) -> list[Change]:
        key = scope.key()
        before = self._live.get(key)
        in_force = before is not None and before.released_at is None
        if self._rails.forbid(len(self.live()) - in_force):
            return []
        labels = alert.labels if alert else before.labels if before and in_force else {}
        generation = before.command.generation + 1 if before else 1
        command = first(scope, policy, reason, labels=labels, generation=generation, now=now)
        live = Live(command, policy, dict(labels), {}, now, now + policy.expires, now)
        live.rate = alert.usd_per_hour if alert else Decimal(reason.usd_per_hour)
        if before:
            self._inherit(live, before, now)
        live.hold_until = now + self._hold * 2**live.returns
        if alert:
            live.causes[alert.id] = cause_of(alert, now)
        return [self._put(key, live)]

    def _inherit(self, live: Live, before: Live, now: float) -> None:
        """Take over what the scope's last command stands for: its causes, if it was in force, else that it is back."""
        if before.released_at is None:
            live.causes, live.earned, live.returns = dict(before.causes), before.saved(now), before.returns
            live.rate = max(live.rate, before.rate)
        elif now < before.released_at + self._cool_down:
            live.returns = min(before.returns + 1, _MOST_RETURNS)

    def _over(self, alert: Alert, now: float) -> None:
        self._let_go.drop(alert.id)
        for key, live in self._live.items():
            if live.end(alert, now):
                self._dirty.add(key)

    def _heard_elsewhere(self, alert: Alert, scope: str, now: float) -> None:
        """Tell the commands of other scopes that have the alert as a cause; one of another line holds them no more."""
        for key, live in self._live.items():
            known = live.causes.get(alert.id)
            if known is None or key == scope:
                continue
            if known.line == line_of(alert):
                live.hear(alert, now)
            else:
                del live.causes[alert.id]
            self._dirty.add(key)

    def _pass(self, key: str, live: Live, now: float) -> list[Change]:
        if live.released_at is not None:
            return self._forgotten(key, live, now)
        over = not live.causes and (now >= live.hold_until or now >= live.expires_at)
        if over or not self._rails.enabled:
            return [self._release(key, live, now)]
        if live.leaks(now) and not self._rails.is_critical(live.command.scope.tenant):
            return self._escalate(key, live, now)
        # A cause that goes on keeps its command: renewed a little early, so that no gap opens at a gateway.
        if live.causes and now >= live.expires_at - min(5.0, live.policy.expires / 4):
            return [self._renew(key, live, now)]
        return []

    def _forgotten(self, key: str, live: Live, now: float) -> list[Change]:
        """Give the tombstone once every gateway has seen the release, and nothing is to be known of the scope."""
        if live.released_at is None or now < live.released_at + max(self._tombstone, self._cool_down):
            return []
        del self._live[key]
        self._dirty.add(key)
        return [Change(key, None)]

    def _escalate(self, key: str, live: Live, now: float) -> list[Change]:
        """Bind more strongly, or more widely, what a command did not stop; that one stays as it is."""
        live.escalated = True
        self._dirty.add(key)
        policy = live.policy.stronger(live.labels) if live.labels else None
        scope = policy.scope_of(live.labels) if policy else None
        there = self._live.get(scope.key()) if scope else None
        if (
            policy is None
            or scope is None
            or (there and there.released_at is None and there.policy.rank >= policy.rank)
        ):
            if there and there is not live:
                there.causes |= live.causes
            return []
        changes = self._issue(scope, policy, live.command.reason, now)
        for change in changes:
            wider = self._live[change.key]
            wider.labels, wider.causes = dict(live.labels), {**wider.causes, **live.causes}
        return changes

    def _renew(self, key: str, live: Live, now: float) -> Change:
        live.expires_at = now + live.policy.expires
        live.command = following(live, now, live.command.action, live.command.params)
        return self._put(key, live)

    def _release(self, key: str, live: Live, now: float) -> Change:
        saved = live.saved(now)
        live.expires_at, live.released_at = now + live.policy.expires, now
        live.command = following(live, now, "release", {})
        live.applied_at, live.earned = None, Decimal(0)
        return msgspec.structs.replace(self._put(key, live), saved=saved)

    def _put(self, key: str, live: Live) -> Change:
        self._live[key] = live
        self._dirty.add(key)
        return Change(key, live.command)
