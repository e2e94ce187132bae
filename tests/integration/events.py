"""Usage events with known totals."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

LEVEL = "tenant"


def usage(number: int, *, tenant: str | None = None, at: float | None = None, **fields: Any) -> dict[str, Any]:
    """One event, unlike its neighbours in tenant, tokens, steps and cost."""
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    return {
        "id": f"event-{number}",
        "source": "test",
        "time": moment.isoformat(),
        "tenant": tenant or f"tenant-{number % 7}",
        "use_case": "support",
        "agent": f"agent-{number % 3}",
        "session": f"session-{number % 50}",
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 100 + number % 13,
        "output_tokens": 10 + number % 5,
        "steps": 1,
        "requests": 1,
        "tool_calls": number % 2,
        "cost_usd": str(Decimal(number % 97) / 100_000),
        **fields,
    }


def record(event: dict[str, Any]) -> tuple[str, bytes]:
    """The event as a Kafka record keyed by tenant."""
    return event["tenant"], orjson.dumps(event)


COUNTS = ("input_tokens", "output_tokens", "steps", "tool_calls", "requests")


def produced(events: Iterable[dict[str, Any]]) -> dict[str, Counter[str]]:
    """Totals by tenant of what was produced, dollars in femtodollars, so that parts add up to the last digit."""
    totals: dict[str, Counter[str]] = {}
    for event in events:
        mine = totals.setdefault(event["tenant"], Counter())
        mine["events"] += 1
        mine["usd"] += int(Decimal(event["cost_usd"]).scaleb(15))
        mine.update({name: event[name] for name in COUNTS})
    return {tenant: +counter for tenant, counter in totals.items()}


def metered(rollups: Sequence[dict[str, Any]], level: str = LEVEL) -> dict[str, Counter[str]]:
    """The same from the rollups of tenants, or of a `level`; one that was written again after a crash counts once."""
    last = {(r["series"], r["start"], r["part"]): r for r in rollups if r["level"] == level}
    totals: dict[str, Counter[str]] = {}
    for rollup in last.values():
        mine = totals.setdefault(rollup["tenant"], Counter())
        mine["events"] += rollup["events"]
        mine["usd"] += int(Decimal(rollup["usd"]).scaleb(15))
        mine.update({name: rollup[name] for name in COUNTS})
    return {tenant: +counter for tenant, counter in totals.items()}
