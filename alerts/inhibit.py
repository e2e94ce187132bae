"""Which alarm makes which other superfluous: a tenant's own silences its children's, a hard line the soft one."""

from collections.abc import Mapping, Sequence

import msgspec

from alerts.alert import RANK, Alert, Label
from alerts.match import matches

FOREVER = float("inf")
# What a tenant's own alarm does not name.
_WHOLE_TENANT: Mapping[Label, str] = {"use_case": "", "agent": "", "model": "", "session": "", "tool": ""}


class InhibitRule(msgspec.Struct, frozen=True, kw_only=True):
    """An alert like `source` silences those like `target` that agree with it in the labels `equal`.

    Never one that is more severe than itself, nor one that is like `source` too.
    """

    source: dict[Label, str | tuple[str, ...]]
    target: dict[Label, str | tuple[str, ...]] = {}
    equal: tuple[Label, ...] = ()


DEFAULTS = (
    InhibitRule(source=dict(_WHOLE_TENANT), equal=("tenant", "kind")),
    InhibitRule(
        source={"kind": "budget", "line": "hard"}, target={"line": ("soft", "burn")}, equal=("tenant", "use_case")
    ),
)
_Key = tuple[int, tuple[str, ...]]


class Source(msgspec.Struct, frozen=True):
    """An alarm that silences others until `until` (epoch seconds): for ever while it goes on, then a little longer."""

    alert: Alert
    until: float


class Inhibitor:
    """The alarms that silence others, by what they agree in; a look-up does not depend on how many there are.

    `linger` is how many seconds longer than itself an alarm silences others, so that they can end with it.
    """

    def __init__(self, rules: Sequence[InhibitRule] = DEFAULTS, linger: float = 60.0) -> None:
        self._rules, self._linger = tuple(rules), linger
        self._sources: dict[_Key, dict[str, Source]] = {}
        self._keys: dict[str, list[_Key]] = {}
        self._waiting: dict[_Key, set[str]] = {}

    def take(self, alert: Alert) -> set[str]:
        """Take in an alert's latest record; gives the names of those that waited for a change like this."""
        before = self._keys.pop(alert.id, [])
        rules = enumerate(self._rules)
        found = [(index, _values(rule, alert)) for index, rule in rules if matches(rule.source, alert.labels)]
        for key in before:
            if key not in found:
                self._remove(key, alert.id)
        changed = set(before) ^ set(found)
        until = FOREVER if alert.state != "closed" else (alert.closed_at or alert.updated_at).timestamp() + self._linger
        for key in found:
            known = self._sources.setdefault(key, {}).get(alert.id)
            if known is None or (known.until, known.alert.severity) != (until, alert.severity):
                changed.add(key)
            self._sources[key][alert.id] = Source(alert, until)
        if found:
            self._keys[alert.id] = found
        return {name for key in changed for name in self._waiting.pop(key, ())}

    def drop(self, alert: str) -> None:
        """Forget an alert."""
        for key in self._keys.pop(alert, []):
            self._remove(key, alert)

    def sources(self, alert: Alert, now: float) -> list[Source]:
        """List the alarms that make this alert superfluous at `now` (epoch seconds)."""
        found = []
        for index, rule in enumerate(self._rules):
            if matches(rule.target, alert.labels) and not matches(rule.source, alert.labels):
                known = self._sources.get((index, _values(rule, alert)), {}).values()
                found += [one for one in known if one.until > now and _is_as_severe(one.alert, alert)]
        return found

    def wait(self, name: str, alert: Alert) -> None:
        """Have `take` give this name when what silences the alert changes."""
        for index, rule in enumerate(self._rules):
            if matches(rule.target, alert.labels):
                self._waiting.setdefault((index, _values(rule, alert)), set()).add(name)

    def _remove(self, key: _Key, alert: str) -> None:
        known = self._sources.get(key, {})
        known.pop(alert, None)
        if not known:
            self._sources.pop(key, None)


def _values(rule: InhibitRule, alert: Alert) -> tuple[str, ...]:
    return tuple(alert.labels.get(name, "") for name in rule.equal)


def _is_as_severe(source: Alert, target: Alert) -> bool:
    return source.id != target.id and RANK[source.severity] >= RANK[target.severity]
