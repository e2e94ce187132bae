"""How far an open window has come, and the values at which that is already abnormal."""

import math
from typing import Any

from streamer.windows.entity import Entity


class Ceilings:
    """The values above which an open window is abnormal, one a metric; dollars in femtodollars."""

    __slots__ = ("requests", "steps", "tokens", "tool_calls", "usd")

    def __init__(self) -> None:
        self.tokens = self.steps = self.tool_calls = self.requests = self.usd = math.inf


NO_CEILINGS = Ceilings()


class Gauge:
    """The five metrics of one watched entity in an open window, and how many events; dollars in femtodollars."""

    __slots__ = ("ceilings", "entity", "events", "requests", "steps", "tokens", "tool_calls", "usd")

    def __init__(self, entity: Entity, ceilings: Ceilings) -> None:
        self.entity, self.ceilings = entity, ceilings
        self.tokens = self.steps = self.tool_calls = self.requests = self.usd = self.events = 0

    def add(self, tokens: int, steps: int, tool_calls: int, requests: int, usd: int) -> bool:
        """Add what one event brought; True if a ceiling is passed."""
        # Every event comes here once a level: what it does not bring is passed over. Compared as Python does, without
        # rounding: compiled code would turn whole numbers into floats first.
        most: Any = self.ceilings
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
