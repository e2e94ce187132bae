"""Which alert leads to which action on which scope, and what comes next where that does not stop the leak."""

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
    next wider scope is bound. A policy that blocks a tool takes alerts that name one, if its params name none. Where
    the rate has not fallen `escalate` seconds later (0: never), the scope is paused, and after that the next wider one,
    up to `widest`.
    """

    kind: str
    line: str = ""
    scope: ScopeLevel
    action: Action
    mode: Mode = "suggest"
    params: dict[str, int | str] = {}
    expires: float = 900.0
    escalate: float = 0.0
    widest: ScopeLevel = "agent"

    @property
    def rank(self) -> tuple[bool, bool]:
        """How strongly it binds: what is enforced before what is suggested, then a pause before what only slows."""
        return self.mode == "enforce", self.action == "pause"

    def takes(self, labels: Mapping[Label, str]) -> bool:
        """Tell whether an alert with these labels leads to its action."""
        if self.kind != labels.get("kind") or self.line not in ("", labels.get("line")):
            return False
        return self.action != "block_tool" or bool(self.params_of(labels).get("tool"))

    def params_of(self, labels: Mapping[Label, str]) -> dict[str, int | str]:
        """Give the command's params; the tool to block is the alert's, where the policy names none."""
        named = self.action == "block_tool" and "tool" in labels
        return {"tool": labels["tool"], **self.params} if named else self.params

    def scope_of(self, labels: Mapping[Label, str]) -> CommandScope:
        """Give the scope that the command binds."""
        level = next(level for level in _LEVELS[_LEVELS.index(self.scope) :] if level in labels)
        return CommandScope(**{name: labels.get(name, "") for name in _PARTS[level]})

    def stronger(self, labels: Mapping[Label, str]) -> "Policy | None":
        """Give what comes next where this did not stop the leak behind an alert: a pause, then that of a wider scope.

        >>> slow = Policy(kind="loop", scope="session", action="limit_rate", widest="agent")
        >>> labels = {"tenant": "acme", "agent": "triage", "session": "s1"}
        >>> pause = slow.stronger(labels)
        >>> pause.action, pause.scope, pause.stronger(labels).scope, pause.stronger(labels).stronger(labels)
        ('pause', 'session', 'agent', None)
        """
        if self.action != "pause":
            return msgspec.structs.replace(self, action="pause", params={})
        bound = self.scope_of(labels)
        for level in _LEVELS[_LEVELS.index(self.scope) + 1 : _LEVELS.index(self.widest) + 1]:
            wider = msgspec.structs.replace(self, scope=level)
            if level in labels and wider.scope_of(labels) != bound:
                return wider
        return None


def policy_for(policies: Sequence[Policy], alert: Alert) -> Policy | None:
    """Find the first policy for an alert's kind and line."""
    return next((policy for policy in policies if policy.takes(alert.labels)), None)
