"""Events of very many agents, for what grows with the number of series. A series is one metric of one entity."""

from collections.abc import Iterator
from typing import Any

from streamer.demo.traffic import rfc3339

METRICS = 5
USE_CASES = 9
AGENTS = 10
# A tenant itself, its use cases, and the agents of each.
ENTITIES = 1 + USE_CASES + USE_CASES * AGENTS
WINDOWS = 3


def events(series: int, begin: float) -> Iterator[dict[str, Any]]:
    """Let every agent be there in three windows, from `begin` (epoch seconds) on, of ten seconds each."""
    tenants = series // METRICS // ENTITIES
    for window in range(WINDOWS):
        at = begin + 10 * window
        for number in range(tenants * USE_CASES * AGENTS):
            yield _event(number // (USE_CASES * AGENTS), number % (USE_CASES * AGENTS), window, at + number % 97 / 10)


def _event(tenant: int, agent: int, window: int, at: float) -> dict[str, Any]:
    return {
        "id": f"{tenant}-{agent}-{window}",
        "time": rfc3339(at),
        "tenant": f"tenant-{tenant:04d}",
        "use_case": f"case-{agent // AGENTS}",
        "agent": f"agent-{agent}",
        "input_tokens": 1000 + agent,
        "output_tokens": 100 + window,
        "steps": 1,
        "requests": 1,
        "cost_usd": "0.001",
    }
