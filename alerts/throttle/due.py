"""What time brings to a command: its release, something stronger, a renewal, or the end of all memory of it."""

from alerts.throttle.book import Change, CommandBook
from alerts.throttle.command import CommandScope
from alerts.throttle.live import Live
from alerts.throttle.policy import Policy
from alerts.throttle.rails import Rails
from alerts.throttle.remembered import Remembered

_NEVER = float("inf")


class Due:
    """Does what is due. A release is followed by a tombstone after `forget` seconds, when every gateway has seen it.

    What caused a command that ends by a person's word is let go with it, into `let_go`.
    """

    def __init__(self, book: CommandBook, rails: Rails, let_go: Remembered, forget: float) -> None:
        self._book, self._rails, self._let_go, self._forget = book, rails, let_go, forget

    def tick(self, now: float) -> list[Change]:
        """Let time pass for every command."""
        # Looked up one by one: what is due for one may put another on a scope that comes later.
        return [change for key, _ in self._book.all() for change in self._pass(key, self._book[key], now)]

    @property
    def next(self) -> float:
        """The moment (epoch seconds) before which ticks bring nothing, by what was heard; infinite without commands."""
        return min((self._next(live) for _, live in self._book.all()), default=_NEVER)

    def _next(self, live: Live) -> float:
        if live.released_at is not None:
            return live.released_at + self._forget
        ends = _renewed_at(live) if live.is_renewed else _ends_at(live)
        leaks = _NEVER if self._is_critical(live) else live.leaks_from
        return min(ends, leaks) if self._rails.enabled else -_NEVER

    def _pass(self, key: str, live: Live, now: float) -> list[Change]:
        if live.released_at is not None:
            return [self._book.bury(key)] if now >= live.released_at + self._forget else []
        over = not live.is_renewed and now >= _ends_at(live)
        if over or not self._rails.enabled:
            return [self._release(key, live, now)]
        if live.leaks(now) and not self._is_critical(live):
            return self._escalate(key, live, now)
        if live.is_renewed and now >= _renewed_at(live):
            # A tenant may have become critical meanwhile.
            return [self._book.renew(key, now) if self._may_stay(live) else self._book.release(key, now)]
        return []

    def _release(self, key: str, live: Live, now: float) -> Change:
        if live.until is not None and now >= live.until:
            for alert in live.causes:
                self._let_go.add(alert)
            live.causes = {}
        return self._book.release(key, now)

    def _may_stay(self, live: Live) -> bool:
        """Tell whether a command would still be issued as it is; a person's is theirs to end."""
        return live.by_person or self._rails.guarded(live.policy, live.command.scope.tenant) == live.policy

    def _is_critical(self, live: Live) -> bool:
        return self._rails.is_critical(live.command.scope.tenant)

    def _escalate(self, key: str, live: Live, now: float) -> list[Change]:
        """Bind more strongly, or more widely, what a command did not stop; that one stays as it is."""
        live.escalated = True
        self._book.touch(key)
        policy = live.policy.stronger(live.labels) if live.labels else None
        return self._strengthen(live, policy, policy.scope_of(live.labels), now) if policy else []

    def _strengthen(self, live: Live, policy: Policy, scope: CommandScope, now: float) -> list[Change]:
        there = self._book.in_force(scope.key())
        if there and there.policy.rank >= policy.rank:
            self._hand_over(live, scope.key())
            return []
        until = there.until if there else live.until
        changes = self._book.issue(scope, policy, live.command.reason, now, until=until)
        for change in changes:
            self._book[change.key].labels = dict(live.labels)
            self._hand_over(live, change.key)
        return changes

    def _hand_over(self, live: Live, key: str) -> None:
        """Let what caused a command hold that of another scope too."""
        self._book[key].causes |= live.causes
        self._book.touch(key)


def _ends_at(live: Live) -> float:
    return min(live.hold_until, live.expires_at) if live.until is None else live.until


def _renewed_at(live: Live) -> float:
    """A cause that goes on keeps its command: renewed a little early, so that no gap opens at a gateway."""
    return live.expires_at - min(5.0, live.policy.expires / 4)
