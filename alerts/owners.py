"""Who answers for what is spent: the first rule that fits names the owner, and a default owner takes the rest."""

from collections.abc import Mapping, Sequence

import msgspec

from alerts.alert import TAG, Alert, Label
from alerts.match import matches


class Owner(msgspec.Struct, frozen=True):
    """A person or a team. `channel` is where a receiver of type slack reaches it, where that goes to owners."""

    name: str
    channel: str = ""
    email: str = ""


class OwnerRule(msgspec.Struct, frozen=True, kw_only=True):
    """Whose the alerts with these labels are, and what tags they get. `origin` says where the rule is written."""

    match: dict[Label, str]
    owner: str = ""
    channel: str = ""
    email: str = ""
    tags: dict[str, str] = {}
    origin: str = ""


class Owners:
    """All rules, the first that fits holds; who fits none, or is named by none, belongs to the `default` owner.

    `tag` is the tag that names the owner where a rule does not name one itself.
    """

    def __init__(self, rules: Sequence[OwnerRule] = (), default: str = "", tag: str = "") -> None:
        self._rules, self._default, self._tag = tuple(rules), default, tag
        self._known = {rule.owner or rule.tags.get(tag, ""): rule for rule in reversed(self._rules)}

    def rule_for(self, labels: Mapping[Label, str]) -> OwnerRule | None:
        """Find the rule for these labels."""
        return next((rule for rule in self._rules if matches(rule.match, labels)), None)

    def label(self, alert: Alert) -> Alert:
        """Give the alert with its owner and tags among its labels."""
        labels = {**alert.labels, **self.labels_of(alert.labels)}
        return alert if labels == alert.labels else msgspec.structs.replace(alert, labels=labels)

    def labels_of(self, labels: Mapping[Label, str]) -> dict[Label, str]:
        """Give the labels that tell the owner and the tags."""
        rule = self.rule_for(labels)
        tags = {f"{TAG}{name}": value for name, value in (rule.tags if rule else {}).items()}
        named = rule.owner if rule else ""
        owner = named or labels.get(TAG + self._tag) or tags.get(TAG + self._tag) or self._default
        return {**tags, "owner": owner} if owner else tags

    def find(self, name: str) -> Owner | None:
        """Give an owner by name, with how to reach it; None for no name."""
        rule = self._known.get(name)
        if rule is None:
            return Owner(name) if name else None
        return Owner(name, rule.channel, rule.email)
