"""The commands in force: issued once, renewed while their cause goes on, released when it is over."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from alerts.alert import Alert
from alerts.incident import moment
from alerts.throttle.command import Command, CommandReason, CommandScope, command_id
from alerts.throttle.policy import Policy, policy_for


class Live(msgspec.Struct):
    """A command in force, or just released. Times are epoch seconds; `causes` are the lines of open alerts, by id."""

    command: Command
    policy: Policy
    causes: dict[str, str]
    issued_at: float
    expires_at: float
    released_at: float | None = None


class Change(msgspec.Struct, frozen=True):
    """What is to be written to the throttle topic: the command under its scope's key, or a tombstone (None)."""

    key: str
    command: Command | None


class Ledger:
    """All commands in force, by scope: at most one a scope, none without an expiry.

    A stronger one takes the place of a weaker one, and so does that of an alert which was raised to another line of a
    budget; where that binds another scope, the alert no longer holds the command that it had led to before.
    `hold` is the least time in seconds that a command stays in force, so that it does not flap; a release is
    followed by a tombstone after `tombstone` seconds, when every gateway has seen it. Past `most` live commands
    no new one is issued (counted in `refused`). Switched off (`enabled`), it releases all and issues none.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        *,
        hold: float = 60.0,
        tombstone: float = 300.0,
        most: int = 100,
        enabled: bool = True,
    ) -> None:
        self._policies = policies if enabled else ()
        self._enabled = enabled
        self._hold, self._tombstone, self._most = hold, tombstone, most
        self._live: dict[str, Live] = {}
        self._dirty: set[str] = set()
        self.refused = 0

    def submit(self, alert: Alert, incident: str, now: float) -> list[Change]:
        """Take in an alert at `now` (epoch seconds); gives the command that it leads to, if any."""
        if alert.state == "closed":
            self._over(alert.id)
            return []
        policy = policy_for(self._policies, alert)
        if policy is None:
            return []
        scope = policy.scope_of(alert.labels)
        live = self._live.get(scope.key())
        if live and live.released_at is None and not _supersedes(policy, alert, live):
            live.causes[alert.id] = _line_of(alert)
            self._dirty.add(scope.key())
            self._raised(alert, scope.key())
            return []
        changes = self._issue(scope, policy, alert, incident, now)
        if changes:
            self._raised(alert, scope.key())
        return changes

    def tick(self, now: float) -> list[Change]:
        """Let time pass: releases, renewals and tombstones that are due."""
        changes = [self._pass(key, live, now) for key, live in list(self._live.items())]
        return [change for change in changes if change]

    def live(self) -> list[Command]:
        """List the commands in force."""
        return [live.command for live in self._live.values() if live.released_at is None]

    def incident_of(self, command: str) -> str | None:
        """Find the incident behind a command in force, or just released, by the command's id."""
        found = (live.command for live in self._live.values() if live.command.id == command)
        return next((command.reason.incident for command in found), None)

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the entries that changed since the last call, by scope, written down; None for dropped ones."""
        for key in sorted(self._dirty):
            live = self._live.get(key)
            yield key, msgspec.msgpack.encode(live, order="deterministic") if live else None
        self._dirty.clear()

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take up the entries that `changes` gave."""
        self._live = {key: msgspec.msgpack.decode(state, type=Live) for key, state in sorted(entries.items())}

    def _issue(self, scope: CommandScope, policy: Policy, alert: Alert, incident: str, now: float) -> list[Change]:
        key = scope.key()
        before = self._live.get(key)
        in_force = before is not None and before.released_at is None
        if len(self.live()) - in_force >= self._most:
            self.refused += 1
            return []
        generation = before.command.generation + 1 if before else 1
        expires_at = now + policy.expires
        command = Command(
            id=command_id(scope, incident, generation),
            scope=scope,
            action=policy.action,
            params=policy.params,
            mode=policy.mode,
            reason=_reason(alert, incident),
            issued_at=moment(now),
            expires_at=moment(expires_at),
            generation=generation,
        )
        causes = {**(before.causes if before and in_force else {}), alert.id: _line_of(alert)}
        return [self._put(key, Live(command, policy, causes, now, expires_at))]

    def _over(self, alert: str) -> None:
        for key, live in self._live.items():
            if live.causes.pop(alert, None) is not None:
                self._dirty.add(key)

    def _raised(self, alert: Alert, scope: str) -> None:
        """Take an alert that came to another line off the commands of other scopes."""
        for key, live in self._live.items():
            if key != scope and live.causes.get(alert.id, _line_of(alert)) != _line_of(alert):
                del live.causes[alert.id]
                self._dirty.add(key)

    def _pass(self, key: str, live: Live, now: float) -> Change | None:
        if live.released_at is not None:
            return self._bury(key) if now >= live.released_at + self._tombstone else None
        if not self._enabled:
            return self._succeed(key, live, now, release=True)
        if not live.causes and (now >= live.issued_at + self._hold or now >= live.expires_at):
            return self._succeed(key, live, now, release=True)
        # A cause that goes on keeps its command: renewed a little early, so that no gap opens at a gateway.
        if live.causes and now >= live.expires_at - min(5.0, live.policy.expires / 4):
            return self._succeed(key, live, now, release=False)
        return None

    def _succeed(self, key: str, live: Live, now: float, *, release: bool) -> Change:
        """Follow a command with its release, or with its own renewal."""
        before, expires_at = live.command, now + live.policy.expires
        generation = before.generation + 1
        command = msgspec.structs.replace(
            before,
            id=command_id(before.scope, before.reason.incident, generation),
            action="release" if release else before.action,
            params={} if release else before.params,
            issued_at=moment(now),
            expires_at=moment(expires_at),
            generation=generation,
        )
        issued_at = now if release else live.issued_at
        return self._put(key, Live(command, live.policy, live.causes, issued_at, expires_at, now if release else None))

    def _put(self, key: str, live: Live) -> Change:
        self._live[key] = live
        self._dirty.add(key)
        return Change(key, live.command)

    def _bury(self, key: str) -> Change:
        del self._live[key]
        self._dirty.add(key)
        return Change(key, None)


def _supersedes(policy: Policy, alert: Alert, live: Live) -> bool:
    """Tell whether a policy takes the place of a command in force: a stronger one, or that of an alert's new line."""
    raised = live.causes.get(alert.id, _line_of(alert)) != _line_of(alert)
    return policy.rank > live.policy.rank or (raised and policy.rank == live.policy.rank and policy != live.policy)


def _line_of(alert: Alert) -> str:
    return alert.labels.get("line", "")


def _reason(alert: Alert, incident: str) -> CommandReason:
    return CommandReason(
        incident, alert.detector, alert.reason, alert.observed, alert.expected, f"{alert.usd_per_hour:f}"
    )
