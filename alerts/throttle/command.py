"""The throttle command: small, versioned, idempotent, and never without an end."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Action = Literal["limit_rate", "cap_steps", "downgrade_model", "block_tool", "pause", "release"]
Mode = Literal["enforce", "suggest"]
# Without its zone a time would be read in the gateway's own, and an expiry be hours off.
Instant = Annotated[datetime, Meta(tz=True)]
Named = Annotated[str, Meta(min_length=1, max_length=256)]
#: The longest time between a command's issue and its expiry, in seconds; one that lasts longer is refused by gateways.
MOST_LIFE = 86_400.0

# As far as every language counts in whole numbers.
_MOST_NUMBER = 2**53
# What each action needs to be told in `params`.
_NUMBERS: Mapping[str, str] = {"limit_rate": "requests_per_minute", "cap_steps": "steps"}
_NAMES: Mapping[str, str] = {"downgrade_model": "model", "block_tool": "tool"}


class CommandScope(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whom a command binds; an empty field stands for all."""

    tenant: Annotated[str, Meta(min_length=1)]
    use_case: str = ""
    agent: str = ""
    session: str = ""

    def key(self) -> str:
        """Spell the scope as the record's key.

        >>> CommandScope("acme", "support", "triage").key()
        'tenant=acme/use_case=support/agent=triage'
        """
        named = zip(self.__struct_fields__, msgspec.structs.astuple(self), strict=True)
        return "/".join(f"{name}={_quote(value)}" for name, value in named if value)

    def covers(self, other: "CommandScope") -> bool:
        """Tell whether everything that `other` names falls under this scope."""
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return all(mine in ("", theirs) for mine, theirs in pairs)


class CommandReason(msgspec.Struct, frozen=True):
    """Why a command was issued, for whoever is refused by it. `usd_per_hour` is decimal dollars."""

    incident: str
    detector: str
    text: str
    observed: float
    expected: float
    usd_per_hour: str


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway is to do, until `expires_at`. Per scope, the highest `generation` holds."""

    schema: Literal["tidegate.throttle/1"] = "tidegate.throttle/1"
    id: str
    scope: CommandScope
    action: Action
    params: dict[str, int | str] = {}
    mode: Mode
    reason: CommandReason
    issued_at: Instant
    expires_at: Instant
    generation: Annotated[int, Meta(ge=1)]


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway did with a command, by the gateway's own clock."""

    command: Named
    gateway: Named
    state: Literal["applied", "refused", "released"]
    at: Instant
    detail: Annotated[str, Meta(max_length=1000)] = ""


def mistake_of(command: Command) -> str:
    """Say what about a command cannot be obeyed though its types are right, "" if nothing."""
    if not 0 < (command.expires_at - command.issued_at).total_seconds() <= MOST_LIFE:
        return "expires_at must be after issued_at, and within a day of it"
    return mistake_of_params(command.action, command.params)


def mistake_of_params(action: Action, params: Mapping[str, int | str]) -> str:
    """Say which param an action lacks, "" if none.

    >>> mistake_of_params("limit_rate", {"requests_per_minute": "30"})
    'limit_rate needs the param requests_per_minute, a whole number from 0 to 2^53'
    """
    name = _NUMBERS.get(action)
    number = params.get(name, "") if name else 0
    if isinstance(number, str) or not 0 <= number <= _MOST_NUMBER:
        return f"{action} needs the param {name}, a whole number from 0 to 2^53"
    name = _NAMES.get(action)
    if name and not (isinstance(params.get(name), str) and params[name]):
        return f"{action} needs the param {name}, a name"
    return ""


def command_id(scope: CommandScope, incident: str, generation: int) -> str:
    """Derive a command's id from what it is about."""
    about = f"{scope.key()}\x00{incident}\x00{generation}"
    return blake2b(about.encode(), digest_size=12).hexdigest()


def _quote(name: str) -> str:
    return name.replace("%", "%25").replace("/", "%2F").replace("=", "%3D")
