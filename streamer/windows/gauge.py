"""How far an open window has come, and the values at which that is already abnormal."""

import math

from mypy_extensions import mypyc_attr

from streamer.windows.entity import Entity

# No sum comes so far.
_NEVER = 1 << 200


def ceiling_of(value: float) -> int:
    """Give the whole number that other whole numbers lie above just where they lie above `value` (infinite for none).

    >>> ceiling_of(2.5), ceiling_of(float("inf")) > 10**50
    (2, True)
    """
    return math.floor(value) if value < math.inf else _NEVER


@mypyc_attr(acyclic=True)
class Ceilings:
    """The whole numbers above which an open window is abnormal, one a metric; dollars in femtodollars."""

    __slots__ = ("requests", "steps", "tokens", "tool_calls", "usd")

    def __init__(self) -> None:
        self.tokens = self.steps = self.tool_calls = self.requests = self.usd = _NEVER


NO_CEILINGS = Ceilings()


@mypyc_attr(acyclic=True)
class Gauge:
    """The five metrics of one watched entity in an open window, and how many events; dollars in femtodollars."""

    __slots__ = ("ceilings", "entity", "events", "requests", "steps", "tokens", "tool_calls", "usd")

    def __init__(self, entity: Entity, ceilings: Ceilings) -> None:
        self.entity, self.ceilings = entity, ceilings
        self.tokens = self.steps = self.tool_calls = self.requests = self.usd = self.events = 0

    def add(self, tokens: int, steps: int, tool_calls: int, requests: int, usd: int) -> bool:
        """Add what one event brought; True if a ceiling is passed."""
        # Every event comes here once a level: what it does not bring is passed over.
        most = self.ceilings
        passed = False
        self.events += 1
        if tokens:
            self.tokens += tokens
            passed = self.tokens > most.tokens
        if usd:
            self.usd += usd
            passed = passed or self.usd > most.usd
        if steps:
            self.steps += steps
            passed = passed or self.steps > most.steps
        if tool_calls:
            self.tool_calls += tool_calls
            passed = passed or self.tool_calls > most.tool_calls
        if requests:
            self.requests += requests
            passed = passed or self.requests > most.requests
        return passed
