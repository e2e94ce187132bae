"""Exact totals by tenant, and by tenant and kind of cost: of what was produced, and of what rollups say."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "steps", "tool_calls", "requests")
_ALL_KINDS, _ALL_SESSIONS = "all kinds", "all sessions"
Key = tuple[str, str]


class Totals:
    """Sums by (tenant, kind of cost) and of its sessions, dollars as femtodollars so that nothing is ever rounded.

    Every event of the suite names its kind of cost as its use case, so that rollups of use cases tell a kind's events,
    tokens, steps and tool calls, and those of tenants tell all of them with the dollars of each kind.
    """

    def __init__(self) -> None:
        self._sums: dict[Key, Counter[str]] = {}

    def produced(self, event: Mapping[str, Any]) -> None:
        """Count in an event."""
        found = {name: event.get(name, 0) for name in COUNTS} | {"events": 1, "usd": _femto(event["cost_usd"])}
        self._add((event["tenant"], event["kind"]), found)
        self._add((event["tenant"], _ALL_KINDS), found | {f"usd of {event['kind']}": found["usd"]})
        if event.get("session"):
            self._add((event["tenant"], _ALL_SESSIONS), found)

    def metered(self, rollup: Mapping[str, Any]) -> None:
        """Count in a rollup of a tenant, a use case or a session; those of other levels repeat them."""
        kinds = {"tenant": _ALL_KINDS, "use_case": rollup["scope"].get("use_case", ""), "session": _ALL_SESSIONS}
        kind = kinds.get(rollup["level"])
        if kind is None:
            return
        found = {name: rollup[name] for name in (*COUNTS, "events")} | {"usd": _femto(rollup["usd"])}
        split = {f"usd of {name}": _femto(usd) for name, usd in rollup["usd_by_kind"].items()}
        self._add((rollup["tenant"], kind), found | (split if kind == _ALL_KINDS else {}))

    def beyond(self, other: "Totals") -> dict[Key, dict[str, int]]:
        """Give what this has more than the other (less: negative), only where they differ."""
        keys = sorted({*self._sums, *other._sums})
        differences = {key: self._of(key) - other._of(key) for key in keys}
        return {key: dict(difference) for key, difference in differences.items() if difference}

    @property
    def events(self) -> int:
        """All events of all tenants."""
        return sum(sums["events"] for (_, kind), sums in self._sums.items() if kind == _ALL_KINDS)

    def _add(self, key: Key, found: Mapping[str, int]) -> None:
        self._sums.setdefault(key, Counter()).update(found)

    def _of(self, key: Key) -> "_Sums":
        return _Sums(self._sums.get(key, {}))


class _Sums(dict[str, int]):
    """A counter whose differences keep what is below zero."""

    def __sub__(self, other: "_Sums") -> "_Sums":
        differences = {name: self.get(name, 0) - other.get(name, 0) for name in {*self, *other}}
        return _Sums({name: difference for name, difference in sorted(differences.items()) if difference})


def _femto(usd: str) -> int:
    return int(Decimal(usd).scaleb(15))
