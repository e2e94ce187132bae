"""The commands in force: which alerts and which people's words put them there, and keep them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from alerts.alert import Alert
from alerts.throttle.book import Change, CommandBook
from alerts.throttle.command import Ack, Command, CommandReason, CommandScope
from alerts.throttle.due import Due
from alerts.throttle.issue import reason_of, supersedes
from alerts.throttle.live import line_of
from alerts.throttle.policy import Policy, policy_for
from alerts.throttle.rails import Rails
from alerts.throttle.remembered import Remembered

# Alerts that a person let go: few, and each is forgotten when it ends.
_MOST_LET_GO = 10_000
# What a person throttles where no policy says how.
BY_HAND = Policy(kind="", scope="session", action="pause", mode="enforce", widest="session")


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
        self._book = CommandBook(self._rails, hold=hold, cool_down=cool_down)
        self._let_go = Remembered("let-go/", _MOST_LET_GO)
        self._due = Due(self._book, self._rails, self._let_go, max(tombstone, cool_down))

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

    def enforce(self, alert: Alert, incident: str, now: float, until: float | None = None) -> list[Change]:
        """Throttle what an open alert is about, because a person said so: what is suggested of it, else by a pause.

        It lasts until `until` (epoch seconds), a day at most; without that as long as its causes stand open.
        """
        self._let_go.drop(alert.id)
        policy = _enforced(policy_for(self._policies, alert) or BY_HAND)
        there = self._book.in_force(policy.scope_of(alert.labels).key())
        if there and (alert.id in there.causes or not supersedes(policy, alert, there)):
            policy = _enforced(there.policy)
        changes = self._follow(policy, alert, incident, now, until)
        self._say(policy.scope_of(alert.labels).key(), until)
        return changes

    def impose(
        self, scope: CommandScope, reason: CommandReason, now: float, until: float | None, tool: str = ""
    ) -> list[Change]:
        """Throttle a scope because a person said so: what is suggested there, else a pause, or one tool of it.

        It lasts until `until` (epoch seconds), a day at most; without that as long as what stands open there, and where
        nothing does for the time of its policy from the last such word on. `reason` is for where nothing is suggested.
        """
        live = self._book.in_force(scope.key())
        policy = _enforced(live.policy if live and not tool else BY_HAND)
        if tool:
            policy = msgspec.structs.replace(policy, action="block_tool", params={"tool": tool})
        changes: list[Change] = []
        if live is None or (live.policy, live.until) != (policy, until):
            changes = self._book.issue(scope, policy, live.command.reason if live else reason, now, until=until)
        elif until is None and not live.causes:
            changes = [self._book.renew(scope.key(), now)]
        for change in changes:
            if not self._book[change.key].causes:
                self._book[change.key].hold_until = now + policy.expires
        self._say(scope.key(), until)
        return changes

    def let_go(self, keys: Iterable[str], alerts: Iterable[str], now: float) -> list[Change]:
        """Release commands, by their scopes' keys, because a person said so.

        Neither `alerts` nor what caused the commands lead to any again, until they are over.
        """
        found = {key: live for key in keys if (live := self._book.in_force(key))}
        for alert in (*alerts, *(alert for live in found.values() for alert in live.causes)):
            self._let_go.add(alert)
        for live in found.values():
            live.causes = {}
        return [self._book.release(key, now) for key in found]

    def acknowledge(self, ack: Ack, now: float) -> str | None:
        """Note what a gateway says; gives the incident behind the command if that is news, "" if not, else None."""
        for key, live in self._book.all():
            if live.command.id == ack.command:
                self._book.touch(key)
                return live.command.reason.incident if live.acknowledge(ack, now) else ""
        return None

    def tick(self, now: float) -> list[Change]:
        """Let time pass: releases, escalations, renewals and tombstones that are due."""
        return self._due.tick(now)

    @property
    def due(self) -> float:
        """The moment (epoch seconds) before which ticks bring nothing, unless something is heard."""
        return self._due.next

    def live(self) -> list[Command]:
        """List the commands in force, suggestions too."""
        return [live.command for _, live in self._book.all_in_force()]

    def is_renewed(self, key: str) -> bool:
        """Tell whether the command in force on a scope lasts while what caused it goes on."""
        live = self._book.in_force(key)
        return live is not None and live.is_renewed

    def causes(self) -> set[str]:
        """Give the ids of the open alerts behind the commands in force."""
        return {alert for _, live in self._book.all_in_force() for alert in live.causes}

    def within(self, scope: CommandScope, tool: str = "") -> list[str]:
        """Give the keys of the commands in force that bind nothing outside a scope, or but that `tool` of it."""
        inside = [(key, live.command) for key, live in self._book.all_in_force() if scope.covers(live.command.scope)]
        return [key for key, command in inside if tool in ("", command.params.get("tool"))]

    def caused_by(self, alerts: Iterable[str], incident: str) -> list[str]:
        """Give the keys of the commands in force that are of an incident or have one of some alerts as their cause."""
        named = set(alerts)
        return [
            key
            for key, live in self._book.all_in_force()
            if named & live.causes.keys() or (incident and live.command.reason.incident == incident)
        ]

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the entries that changed since the last call, written down; None for dropped ones."""
        yield from self._book.changes()
        yield from self._let_go.changes()

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take up the entries that `changes` gave."""
        self._book.restore(entries)
        self._let_go.restore(entries)

    def _say(self, key: str, until: float | None) -> None:
        """Note that a person wants the command in force on a scope; one without an end takes back an earlier end."""
        if live := self._book.in_force(key):
            live.by_person = True
            if until is None:
                live.until = None
            self._book.touch(key)

    def _follow(
        self, policy: Policy, alert: Alert, incident: str, now: float, until: float | None = None
    ) -> list[Change]:
        """Let an alert hold the command of its scope, and issue that where it is new, stronger, or given an end."""
        scope = policy.scope_of(alert.labels)
        live = self._book.in_force(scope.key())
        changes: list[Change] = []
        if live is None or until is not None or supersedes(policy, alert, live):
            changes = self._book.issue(scope, policy, reason_of(alert, incident), now, alert, until=until)
            if not changes:
                return []
        self._book[scope.key()].hear(alert, now)
        self._book.touch(scope.key())
        self._heard_elsewhere(alert, scope.key(), now)
        return changes

    def _over(self, alert: Alert, now: float) -> None:
        self._let_go.drop(alert.id)
        for key, live in self._book.all():
            if live.end(alert, now):
                self._book.touch(key)

    def _heard_elsewhere(self, alert: Alert, scope: str, now: float) -> None:
        """Tell the commands of other scopes that have the alert as a cause; one of another line holds them no more."""
        for key, live in self._book.all():
            known = live.causes.get(alert.id)
            if known is None or key == scope:
                continue
            if known.line == line_of(alert):
                live.hear(alert, now)
            else:
                del live.causes[alert.id]
            self._book.touch(key)


def _enforced(policy: Policy) -> Policy:
    return msgspec.structs.replace(policy, mode="enforce")
