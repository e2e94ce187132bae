"""May this request go through? What the commands in force mean for one request of a gateway."""

import math
from collections import Counter
from typing import Literal

import msgspec

from alerts.throttle.command import Command, CommandScope
from alerts.throttle.gateway import GatewayState, Known

# `outage` is for gateways that refuse what they have no news of.
Verdict = Literal["allow", "limit", "downgrade", "cap", "block", "pause", "outage"]
# Sessions whose steps are counted under one cap; the one that was heard least lately is forgotten beyond.
_MOST_SESSIONS = 10_000


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway knows of a request before it goes to a model or a tool; empty fields are not known.

    `tool` is the tool that is to be called, `tools` are those that a model may choose from.
    """

    tenant: str
    use_case: str = ""
    agent: str = ""
    session: str = ""
    model: str = ""
    tool: str = ""
    tools: tuple[str, ...] = ()

    @property
    def scope(self) -> CommandScope:
        """The scope that the request is in."""
        return CommandScope(self.tenant, self.use_case, self.agent, self.session)


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be done with a request.

    It goes through if `allowed`: to `model` instead of the asked one if that is given, and without the tools in
    `without`. If it does not, `reason` is what its caller is told, and after `retry_after` seconds it may try again.
    `command` is the id of the command behind it, and `incident` where people read of it.
    """

    verdict: Verdict = "allow"
    allowed: bool = True
    model: str = ""
    without: tuple[str, ...] = ()
    reason: str = ""
    retry_after: int = 0
    command: str = ""
    incident: str = ""


ALLOWED = Decision()


class Admission:
    """Decides on requests by the commands in force.

    A rate limit is a token bucket that holds a second's requests, one at least if it is not 0; a cap counts the steps
    of each session from when the command is first met, over its renewals. What a command has refused is counted in
    `refused`, by its scope's key.
    """

    def __init__(self, state: GatewayState) -> None:
        self._state = state
        self._buckets: dict[str, tuple[float, float]] = {}
        self._steps: dict[tuple[str, str], int] = {}
        self.refused: Counter[str] = Counter()

    def decide(self, request: Request, now: float) -> Decision:
        """Decide at `now` (epoch seconds); microseconds, however many commands there are."""
        known = self._state.binding(request.scope, now)
        if known is None:
            return ALLOWED
        decision = self._by(known, request, now)
        if not decision.allowed:
            self.refused[known.command.scope.key()] += 1
        return decision

    def forget(self, now: float) -> None:
        """Drop what was counted for commands that are no longer in force."""
        live = {command.scope.key() for command in self._state.in_force(now)}
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if key in live}
        self._steps = {(key, session): n for (key, session), n in self._steps.items() if key in live}

    def _by(self, known: Known, request: Request, now: float) -> Decision:
        command = known.command
        match command.action:
            case "limit_rate":
                return self._limited(known, now)
            case "cap_steps":
                return self._capped(known, request, now)
            case "downgrade_model":
                return _downgraded(command, request)
            case "block_tool":
                return _blocked(known, request, now)
        return _refused(known, "pause", now)

    def _limited(self, known: Known, now: float) -> Decision:
        key, per_second = known.command.scope.key(), int(known.command.params["requests_per_minute"]) / 60
        most = max(per_second, 1.0) if per_second else 0.0
        tokens, since = self._buckets.get(key, (most, now))
        tokens = min(most, tokens + max(now - since, 0.0) * per_second)
        if tokens >= 1:
            self._buckets[key] = (tokens - 1, now)
            return ALLOWED
        self._buckets[key] = (tokens, now)
        return _refused(known, "limit", now, (1 - tokens) / per_second if per_second else math.inf)

    def _capped(self, known: Known, request: Request, now: float) -> Decision:
        counted = known.command.scope.key(), request.session
        steps = self._steps.pop(counted, 0)
        if len(self._steps) >= _MOST_SESSIONS:
            del self._steps[next(iter(self._steps))]
        self._steps[counted] = steps + 1
        if steps < int(known.command.params["steps"]):
            return ALLOWED
        return _refused(known, "cap", now)


def _downgraded(command: Command, request: Request) -> Decision:
    model = str(command.params["model"])
    if model == request.model:
        return ALLOWED
    return Decision(
        verdict="downgrade", model=model, reason=_why(command), command=command.id, incident=command.reason.incident
    )


def _blocked(known: Known, request: Request, now: float) -> Decision:
    command, tool = known.command, str(known.command.params["tool"])
    if request.tool == tool:
        return _refused(known, "block", now)
    if tool not in request.tools:
        return ALLOWED
    return Decision(
        verdict="block", without=(tool,), reason=_why(command), command=command.id, incident=command.reason.incident
    )


def _refused(known: Known, verdict: Verdict, now: float, wait: float = math.inf) -> Decision:
    command = known.command
    return Decision(
        verdict=verdict,
        allowed=False,
        reason=_why(command),
        retry_after=max(1, math.ceil(min(wait, known.expires_at - now))),
        command=command.id,
        incident=command.reason.incident,
    )


def _why(command: Command) -> str:
    """Say to a caller what binds it, and why."""
    what = {
        "limit_rate": "limited to {requests_per_minute} requests a minute",
        "cap_steps": "capped at {steps} steps a session",
        "downgrade_model": "answered by {model}",
        "block_tool": "without the tool {tool}",
        "pause": "paused",
    }[command.action].format(**command.params)
    whom = next((name for name in ("session", "agent", "use_case") if getattr(command.scope, name)), "tenant")
    whom, until = whom.replace("_", " "), f"{command.expires_at:%H:%M:%S}"
    return f"Tidegate: this {whom} is {what} until {until} UTC: {command.reason.text}"
