"""The usage events that all contenders get: agents' sessions of several hundred tenants, by the demo's figures."""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

import msgspec

from streamer.demo.figures import TAU_BENCH_AIRLINE
from streamer.demo.profiles import PROFILES, TenantProfile
from streamer.demo.traffic import Traffic, rfc3339

TENANTS = 400
# Of event time: less than a worker is to carry, for at that load windows are fuller than these.
EVENTS_PER_SECOND = 5_000
# Before the first span sessions only begin, so the traffic is played that long before it is used.
_WARM_UP = 90.0
# With dollars a million tokens, in and out.
_MODELS = (
    ("openai", "gpt-4o", Decimal("2.5"), Decimal(10)),
    ("openai", "gpt-4o-mini", Decimal("0.15"), Decimal("0.6")),
    ("anthropic", "claude-sonnet-4-5", Decimal(3), Decimal(15)),
)
_PRICES = {model: (of_input / 1_000_000, of_output / 1_000_000) for _, model, of_input, of_output in _MODELS}
Totals = dict[str, tuple[int, Decimal]]


class Item(NamedTuple):
    """One record, and what it adds to its tenant's totals."""

    tenant: str
    value: bytes
    tokens: int
    usd: Decimal


@dataclass(frozen=True)
class Log:
    """Records (tenant, value) in the order of their time, and what tokens and dollars they come to by tenant.

    `opening` has two records of each partition's marker tenant, of which the second closes a window at once: when
    those windows are out, all partitions are being consumed. The last record of each tenant lies an hour later and
    closes what is open, but its own window stays open.
    """

    opening: list[tuple[str, bytes]]
    opened: Totals
    records: list[tuple[str, bytes]]
    totals: Totals


class Stream:
    """The events in the order of their time, made as far as they are asked for, from `begin` (epoch seconds) on."""

    def __init__(self, begin: float, warm_up: float = _WARM_UP) -> None:
        self.begin = self._at = begin
        self._traffic = Traffic(profiles(), seed=1)
        self._traffic.due(begin - warm_up, begin)
        self._made: list[Item] = []

    def first(self, count: int) -> list[Item]:
        """Give the first `count` events."""
        while len(self._made) < count:
            self._made += map(item_of, priced(self._traffic.due(self._at, self._at + 1)))
            self._at += 1
        return self._made[:count]


@lru_cache(maxsize=1)
def stream() -> Stream:
    """The stream of this process: all contenders get the beginning of it. It lies two hours back."""
    return Stream(time.time() // 10 * 10 - 7200)


def log_of(count: int, markers: tuple[str, ...]) -> Log:
    """Make a log of `count` events."""
    return closed(stream().first(count), stream().begin, markers)


def closed(items: list[Item], begin: float, markers: tuple[str, ...]) -> Log:
    """Put the markers before items that begin at `begin`, and closing records behind them."""
    before, after = ([item_of(event(marker, begin - at, n)) for marker in markers] for n, at in enumerate((600, 300)))
    totals = totals_of(before + after + items)
    closing = [item_of(event(tenant, begin + 5400, 2)) for tenant in totals]
    return Log(_records(before + after), totals_of(before), _records(items + closing), totals)


def _records(items: list[Item]) -> list[tuple[str, bytes]]:
    return [(item.tenant, item.value) for item in items]


def profiles() -> list[TenantProfile]:
    """Several hundred tenants of unequal size, with sessions of 25 calls in the mean, three in four of models."""
    random = Random(1)
    sizes = [random.lognormvariate(0, 0.7) for _ in range(TENANTS)]
    steps = tuple(round(1.75 * steps) for steps in TAU_BENCH_AIRLINE.steps)
    calls = 1.3 * sum(steps) / len(steps)
    per_minute = 60 * EVENTS_PER_SECOND / calls / sum(sizes)
    return [_profile(f"tenant-{n:03d}", n, per_minute * size, steps) for n, size in enumerate(sizes)]


def _profile(tenant: str, number: int, sessions_per_minute: float, steps: tuple[int, ...]) -> TenantProfile:
    provider, model, *_ = _MODELS[number % len(_MODELS)]
    return replace(
        PROFILES[0],
        tenant=tenant,
        provider=provider,
        model=model,
        sessions_per_minute=sessions_per_minute,
        steps=steps,
        tool_share=0.3,
    )


def priced(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give each event its dollars, as a gateway with a price list would, for only Tidegate has one of its own."""
    for item in events:
        of_input, of_output = _PRICES.get(item.get("model", ""), (Decimal(0), Decimal(0)))
        usd = item.get("input_tokens", 0) * of_input + item.get("output_tokens", 0) * of_output
        item["cost_usd"] = f"{usd:f}"
    return events


def event(tenant: str, at: float, number: int) -> dict[str, Any]:
    """One event that stands alone."""
    return {
        "id": f"{tenant}-alone-{number}",
        "time": rfc3339(at),
        "tenant": tenant,
        "input_tokens": 1 + number,
        "cost_usd": "0.001",
    }


def item_of(fields: dict[str, Any]) -> Item:
    """Write an event as a record, and keep what is to be checked."""
    tokens = fields.get("input_tokens", 0) + fields.get("output_tokens", 0)
    return Item(fields["tenant"], msgspec.json.encode(fields), tokens, Decimal(fields["cost_usd"]))


def totals_of(items: Iterable[Item]) -> Totals:
    """Add up tokens and dollars a tenant."""
    totals: defaultdict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for item in items:
        tokens, usd = totals[item.tenant]
        totals[item.tenant] = (tokens + item.tokens, usd + item.usd)
    return dict(totals)
