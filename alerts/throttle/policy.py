"""Which alert leads to which action on which scope."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from alerts.alert import Alert, Label
from alerts.throttle.command import Action, CommandScope, Mode

ScopeLevel = Literal["session", "agent", "use_case", "tenant"]
# From narrow to wide. A session may go through several agents: it is named by itself.
_PARTS: dict[ScopeLevel, tuple[Label, ...]] = {
    "session": ("tenant", "session"),
    "agent": ("tenant", "use_case", "agent"),
    "use_case": ("tenant", "use_case"),
    "tenant": ("tenant",),
}
_LEVELS = tuple(_PARTS)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: alerts of `kind`, if `line` is given at that line of a budget, throttle `scope` by `action`.

    `expires` is in seconds. Where an alert does not name a session, an agent, ... (a tenant's burst names none), the
    next wider scope is bound.
    """

    kind: str
    line: str = ""
    scope: ScopeLevel
    action: Action
    mode: Mode = "suggest"
    params: dict[str, int | str] = {}
    expires: float = 900.0

    @property
    def rank(self) -> tuple[bool, bool]:
        """How strongly it binds: what is enforced before what is suggested, then a pause before what only slows."""
        return self.mode == "enforce", self.action == "pause"

    def takes(self, labels: Mapping[Label, str]) -> bool:
        """Tell whether an alert with these labels leads to its action."""
        return self.kind == labels.get("kind") and self.line in ("", labels.get("line"))

    def scope_of(self, labels: Mapping[Label, str]) -> CommandScope:
        """Give the scope that the command binds."""
        level = next(level for level in _LEVELS[_LEVELS.index(self.scope) :] if level in labels)
        return CommandScope(**{name: labels.get(name, "") for name in _PARTS[level]})


def policy_for(policies: Sequence[Policy], alert: Alert) -> Policy | None:
    """Find the first policy for an alert's kind and line."""
    return next((policy for policy in policies if policy.takes(alert.labels)), None)
