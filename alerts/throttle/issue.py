"""What a command says when it is issued, renewed or released, and which takes the place of which."""

from collections.abc import Mapping

import msgspec

from alerts.alert import Alert, Label
from alerts.incident import moment
from alerts.throttle.command import Action, Command, CommandReason, CommandScope, command_id
from alerts.throttle.live import Live, line_of
from alerts.throttle.policy import Policy


def first(
    scope: CommandScope,
    policy: Policy,
    reason: CommandReason,
    *,
    labels: Mapping[Label, str],
    generation: int,
    now: float,
    expires_at: float,
) -> Command:
    """Give the command that a policy leads to; `labels` are those of the alert behind it."""
    return Command(
        id=command_id(scope, reason.incident, generation),
        scope=scope,
        action=policy.action,
        params=policy.params_of(labels),
        mode=policy.mode,
        reason=reason,
        issued_at=moment(now),
        expires_at=moment(expires_at),
        generation=generation,
    )


def following(live: Live, now: float, action: Action, params: dict[str, int | str]) -> Command:
    """Give what follows a command on its scope."""
    before = live.command
    return msgspec.structs.replace(
        before,
        id=command_id(before.scope, before.reason.incident, before.generation + 1),
        action=action,
        params=params,
        issued_at=moment(now),
        expires_at=moment(live.expires_at),
        generation=before.generation + 1,
    )


def supersedes(policy: Policy, alert: Alert, live: Live) -> bool:
    """Tell whether a policy takes the place of a command in force: a stronger one, or that of an alert's new line."""
    known = live.causes.get(alert.id)
    raised = known is not None and known.line != line_of(alert)
    return policy.rank > live.policy.rank or (raised and policy.rank == live.policy.rank and policy != live.policy)


def reason_of(alert: Alert, incident: str) -> CommandReason:
    """Say in a command why it was issued."""
    return CommandReason(
        incident, alert.detector, alert.reason, alert.observed, alert.expected, f"{alert.usd_per_hour:f}"
    )
