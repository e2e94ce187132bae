"""A gateway's side: the current state of the throttle topic, and what it means for one request."""

from collections import deque
from itertools import product

import msgspec

from alerts.throttle.command import Command, CommandScope, mistake_of

# The latest commands say how far the clocks are apart: that which came soonest after its issue says it best.
_SAMPLES = 8


class Known(msgspec.Struct, frozen=True):
    """A command as this gateway knows it; `expires_at` is when it is void by the gateway's own clock."""

    command: Command
    expires_at: float


class GatewayState:
    """The commands that a gateway has read, one a scope. Feed it the whole topic from its start.

    Clocks may be apart. What has passed between a command's issue and its receipt is delay, which is never negative,
    plus how far the gateway's clock is ahead; so of the latest commands the least such difference says how far that is,
    at most. It is believed up to `tolerance` seconds either way, and expiries are judged by it: a fresh command is not
    void because the gateway's clock is ahead, and an expired one, read late, lives on for `tolerance` at most.

    >>> GatewayState().command_for(CommandScope("acme"), now=0.0) is None
    True
    """

    def __init__(self, tolerance: float = 30.0) -> None:
        self._tolerance = tolerance
        self._known: dict[tuple[str, ...], Known] = {}
        self._apart: deque[float] = deque(maxlen=_SAMPLES)

    def apply(self, key: str, record: bytes | None, now: float) -> Command | None:
        """Take in a record of the topic at `now` (epoch seconds); gives the command if it is news.

        A record that is no command, or that of another key, raises msgspec.ValidationError; one of an old generation is
        passed over. What has expired is forgotten, so that generations may begin again where a tombstone was missed.
        """
        if record is None:
            self._known = {scope: known for scope, known in self._known.items() if known.command.scope.key() != key}
            return None
        command = _decode(key, record)
        scope = msgspec.structs.astuple(command.scope)
        known = self._known.get(scope)
        if known and known.command.generation >= command.generation and self._holds(known, command, now):
            return None
        self._known[scope] = Known(command, self._expiry(command, now))
        return command

    def command_for(self, request: CommandScope, now: float) -> Command | None:
        """Find the enforced command that binds a request at `now` (epoch seconds): the most specific scope wins.

        A release ends the command of its own scope only; a wider one goes on.
        """
        known = self.binding(request, now)
        return known.command if known else None

    def binding(self, request: CommandScope, now: float) -> Known | None:
        """Find the same with its expiry by the gateway's own clock."""
        parts = msgspec.structs.astuple(request)
        for scope in product(parts[:1], *((part, "") if part else ("",) for part in _narrow(parts))):
            known = self._known.get(_wide(scope))
            if known and known.expires_at > now and _binds(known.command):
                return known
        return None

    def in_force(self, now: float) -> list[Command]:
        """List the enforced commands at `now` (epoch seconds)."""
        return [known.command for known in self._known.values() if known.expires_at > now and _binds(known.command)]

    def _expiry(self, command: Command, now: float) -> float:
        """Say when a command that is read at `now` is void, by the gateway's own clock."""
        issued, expires = command.issued_at.timestamp(), command.expires_at.timestamp()
        self._apart.append(now - issued)
        ahead = max(-self._tolerance, min(self._tolerance, *self._apart))
        # However far the clocks are apart, none outlives its time from when it was read.
        return min(expires + ahead, now + expires - issued)

    @staticmethod
    def _holds(known: Known, command: Command, now: float) -> bool:
        """Tell whether what is known still says that a record of its generation, or an older one, is old."""
        return known.expires_at > now or known.command.issued_at >= command.issued_at


def _narrow(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Put the parts of a scope in order, the one that counts most first: session, agent, use case."""
    return parts[:0:-1]


def _wide(scope: tuple[str, ...]) -> tuple[str, ...]:
    return scope[0], *scope[:0:-1]


def _decode(key: str, record: bytes) -> Command:
    try:
        command = msgspec.json.decode(record, type=Command)
    except (msgspec.DecodeError, RecursionError) as error:  # what is not even JSON is no ValidationError
        raise msgspec.ValidationError(str(error)) from error
    if command.scope.key() != key:
        raise msgspec.ValidationError("the record's key is not that of the command's scope")
    if mistake := mistake_of(command):
        raise msgspec.ValidationError(mistake)
    return command


def _binds(command: Command) -> bool:
    return command.mode == "enforce" and command.action != "release"
