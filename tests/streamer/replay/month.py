"""A month of many tenants, drawn from a seed: all six kinds of cost, outcomes, cost centres, and sessions in a loop."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from tests.streamer.replay.data import Row

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
_MODELS = (
    *(("openai", "gpt-4o"), ("openai", "gpt-4o-mini"), ("anthropic", "claude-sonnet-4-5")),
    *(("anthropic", "claude-haiku-4-5"), ("google", "gemini-2.5-flash"), ("ours", "house-7b")),
)
_CASES = ("support", "claims", "search", "onboarding", "code review", "forecasts")
_CENTRES = ("CC-100", "CC-200", "CC-300", "")
# How many of a hundred events are of which kind.
_KINDS = (
    *(("llm", 78), ("tool", 8), ("vector", 4), ("evaluation", 3)),
    *(("human_review", 2), ("saas", 2), ("outcome", 3)),
)
_CALLS = 9


class Shape(NamedTuple):
    """How large a month is: its days, the events of ordinary work, tenants, use cases of each, and loops.

    What falls into one window costs a replay less, so a test is shorter whose days are: `day` is how long there is
    work in each, `every` how far they begin apart (seconds).
    """

    days: int = 30
    events: int = 10_000
    tenants: int = 300
    cases: int = 4
    loops: int = 0
    day: float = 86_400.0
    every: float = 86_400.0


def month(shape: Shape, seed: int = 7) -> Iterator[Row]:
    """Give the events in the order of time, a day at a time; some tenants use far more than others."""
    rng = Random(seed)
    weights = [1 / (1 + place) ** 0.7 for place in range(shape.tenants)]
    for day in range(shape.days):
        rows = list(_work(rng, shape, weights, day))
        for number in range(day, shape.loops, shape.days):
            rows += _loop(rng, shape, number, day)
        yield from sorted(rows, key=lambda row: (row["time"], row["id"]))


def _work(rng: Random, shape: Shape, weights: list[float], day: int) -> Iterator[Row]:
    count = shape.events // shape.days
    kinds = rng.choices([kind for kind, _ in _KINDS], [weight for _, weight in _KINDS], k=count)
    tenants = rng.choices(range(shape.tenants), weights, k=count)
    for number, (kind, tenant) in enumerate(zip(kinds, tenants, strict=True)):
        case = rng.randrange(shape.cases + 1)
        at = day * shape.every + rng.random() * shape.day
        row = _row(f"{day}-{number}", at, tenant, case, rng)
        yield row | _used(rng, kind)


def _row(name: str, at: float, tenant: int, case: int, rng: Random) -> Row:
    # The first case of each tenant is that of events that name none.
    named = {"use_case": f"{_CASES[case % len(_CASES)]} {tenant % 7}", "agent": f"agent {case}"} if case else {}
    centre = _CENTRES[(tenant + case) % len(_CENTRES)]
    tags = {"cost_centre": centre, "team": f"team {tenant % 40}"} if centre else {}
    return {
        "id": name,
        "source": "month",
        "time": (BEGIN + timedelta(seconds=round(at, 3))).isoformat(),
        "tenant": f"tenant {tenant:03}",
        "session": f"s{rng.randrange(1 << 20)}",
        "tags": tags,
        **named,
    }


def _used(rng: Random, kind: str) -> dict[str, Any]:
    if kind == "llm":
        provider, model = rng.choice(_MODELS)
        tokens = round(rng.lognormvariate(6.5, 0.8))
        cost = f"{tokens * 3e-6:.9f}" if model == "house-7b" or rng.random() < 0.3 else None
        return {
            **{"provider": provider, "model": model, "cost_usd": cost, "requests": 1, "steps": 1},
            **{"input_tokens": tokens, "output_tokens": tokens // 5, "cache_read_tokens": rng.choice((0, tokens // 2))},
            "status": rng.choices(("ok", "error"), (97, 3))[0],
        }
    if kind == "outcome":
        return {"kind": kind}
    dollars = f"{rng.expovariate(1) * {'human_review': 0.4}.get(kind, 0.01):.7f}"
    return {"kind": kind, "cost_usd": dollars, **({"tool_calls": 1, "tool": "look up"} if kind == "tool" else {})}


def _loop(rng: Random, shape: Shape, number: int, day: int) -> Iterator[Row]:
    """A session that repeats one dear call."""
    tenant, at = rng.randrange(shape.tenants), day * shape.every + rng.random() * (shape.day - 20)
    call = {"kind": "tool", "tool": "look up", "tool_args_hash": "aa", "tool_calls": 1, "session": f"loop {number}"}
    cost = {"cost_usd": f"{rng.expovariate(1):.4f}"}
    for n in range(_CALLS):
        yield _row(f"loop-{number}-{n}", at + 1.5 * n, tenant, 1 + number % shape.cases, rng) | call | cost
