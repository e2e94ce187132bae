"""Matching of labels, the same for routes, owners, inhibition and silences."""

import re
from collections.abc import Mapping
from functools import lru_cache

from alerts.alert import Label

#: What is asked of labels: a value each, or several of which one will do.
Match = Mapping[Label, str | tuple[str, ...]]


def matches(match: Match, labels: Mapping[Label, str]) -> bool:
    """Tell whether labels are as asked: equal, or like a pattern with `*` for anything; "" asks for no such label.

    >>> matches({"tenant": "acme-*", "kind": ("loop", "burst")}, {"tenant": "acme-eu", "kind": "loop"})
    True
    >>> matches({"agent": ""}, {"tenant": "acme", "agent": "triage"})
    False
    """
    return all(fits(asked, labels.get(name, "")) for name, asked in match.items())


def spelled(match: Match) -> str:
    """Write down what is asked, for people.

    >>> spelled({"tenant": "acme", "kind": ("loop", "burst")})
    'tenant=acme kind=loop|burst'
    """
    return " ".join(f"{name}={asked if isinstance(asked, str) else '|'.join(asked)}" for name, asked in match.items())


def fits(asked: str | tuple[str, ...], value: str) -> bool:
    """Tell whether a value is as asked, or one of several that will do; `*` stands for anything, all else for itself.

    >>> fits("bank [*]", "bank [prod]"), fits(("a", "b"), "c")
    (True, False)
    """
    if not isinstance(asked, str):
        return any(fits(one, value) for one in asked)
    if "*" not in asked:
        return asked == value
    return bool(value) and _pattern(asked).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _pattern(asked: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, asked.split("*"))), re.DOTALL)
