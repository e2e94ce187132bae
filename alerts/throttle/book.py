"""The commands by scope, at most one each: issued, renewed, released, buried, and written down."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from operator import itemgetter

import msgspec

from alerts.alert import Alert
from alerts.throttle.command import MOST_LIFE, Command, CommandReason, CommandScope
from alerts.throttle.issue import first, following
from alerts.throttle.live import Live, cause_of
from alerts.throttle.policy import Policy
from alerts.throttle.rails import Rails

# A scope that comes back again and again is held twice as long each time, up to so many doublings.
_MOST_RETURNS = 4


class Change(msgspec.Struct, frozen=True):
    """What is to be written to the throttle topic: the command under its scope's key, or a tombstone (None).

    With a release comes the estimate of what its command has `saved`, in dollars. One that `renews` says nothing but
    that what is in force lasts longer.
    """

    key: str
    command: Command | None
    saved: Decimal = Decimal(0)
    renews: bool = False


class CommandBook:
    """All commands that something is to be known of, by their scopes' keys, with what is to be saved of them.

    It decides what a command on a scope says, from what was there before: the next generation, the causes that it
    takes over, and how long it is held (`hold` seconds, doubled for a scope that comes back within `cool_down` seconds
    of its release). Whether there is to be one is for others to decide, but for the guard rails.
    """

    def __init__(self, rails: Rails, *, hold: float, cool_down: float) -> None:
        self._rails, self._hold, self._cool_down = rails, hold, cool_down
        self._lives: dict[str, Live] = {}
        self._dirty: set[str] = set()

    def __getitem__(self, key: str) -> Live:
        """Give what is known of a scope, released or not; raises KeyError."""
        return self._lives[key]

    def in_force(self, key: str) -> Live | None:
        """Give the command in force on a scope."""
        live = self._lives.get(key)
        return live if live and live.released_at is None else None

    def all(self) -> list[tuple[str, Live]]:
        """List all that is known, by its scope's key and in the order of these: the same after a restart."""
        return sorted(self._lives.items(), key=itemgetter(0))

    def all_in_force(self) -> list[tuple[str, Live]]:
        """List the commands in force, suggestions too."""
        return [(key, live) for key, live in self.all() if live.released_at is None]

    def issue(
        self,
        scope: CommandScope,
        policy: Policy,
        reason: CommandReason,
        now: float,
        alert: Alert | None = None,
        *,
        until: float | None = None,
    ) -> list[Change]:
        """Put a command on a scope, in the place of what is there; nothing where the guard rails forbid it.

        It ends at `until` (epoch seconds), if that is given: not before it can be obeyed, and after a day at most.
        """
        key = scope.key()
        before, in_force = self._lives.get(key), self.in_force(key)
        if self._rails.forbid(len(self.all_in_force()) - (in_force is not None)):
            return []
        labels = alert.labels if alert else in_force.labels if in_force else {}
        generation = before.command.generation + 1 if before else 1
        until = None if until is None else now + min(max(until - now, 1.0), MOST_LIFE)
        expires_at = now + policy.expires if until is None else until
        command = first(scope, policy, reason, labels=labels, generation=generation, now=now, expires_at=expires_at)
        live = Live(command, policy, dict(labels), {}, now, expires_at, now, until=until)
        live.rate = alert.usd_per_hour if alert else Decimal(reason.usd_per_hour)
        if before:
            self._inherit(live, before, now)
        live.hold_until = now + self._hold * 2**live.returns
        if alert:
            live.causes[alert.id] = cause_of(alert, now)
        return [self._put(key, live)]

    def renew(self, key: str, now: float) -> Change:
        """Let the command on a scope last for its whole time again."""
        live = self._lives[key]
        live.expires_at = now + live.policy.expires
        live.command = following(live, now, live.command.action, live.command.params)
        return msgspec.structs.replace(self._put(key, live), renews=True)

    def release(self, key: str, now: float) -> Change:
        """Let a scope go."""
        live = self._lives[key]
        saved = live.saved(now)
        live.expires_at, live.released_at = now + live.policy.expires, now
        live.command = following(live, now, "release", {})
        live.applied_at, live.earned = None, Decimal(0)
        return msgspec.structs.replace(self._put(key, live), saved=saved)

    def bury(self, key: str) -> Change:
        """Forget a scope; gives the tombstone."""
        del self._lives[key]
        self.touch(key)
        return Change(key, None)

    def touch(self, key: str) -> None:
        """Note that what is known of a scope has changed."""
        self._dirty.add(key)

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the entries that changed since the last call, written down; None for dropped ones."""
        for key in sorted(self._dirty):
            live = self._lives.get(key)
            yield key, msgspec.msgpack.encode(live, order="deterministic") if live else None
        self._dirty.clear()

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take up those of the entries that are commands."""
        lives = {key: state for key, state in sorted(entries.items()) if key.startswith("tenant=")}
        self._lives = {key: msgspec.msgpack.decode(state, type=Live) for key, state in lives.items()}

    def _inherit(self, live: Live, before: Live, now: float) -> None:
        """Take over what the scope's last command stands for: its causes, if it was in force, else that it is back."""
        if before.released_at is None:
            live.causes, live.earned, live.returns = dict(before.causes), before.saved(now), before.returns
            live.rate = max(live.rate, before.rate)
        elif now < before.released_at + self._cool_down:
            live.returns = min(before.returns + 1, _MOST_RETURNS)

    def _put(self, key: str, live: Live) -> Change:
        self._lives[key] = live
        self.touch(key)
        return Change(key, live.command)
