"""The records that Tidegate writes about usage: anomalies and rollups, as CONTRACTS.md names their fields."""

from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Literal

import msgspec

from streamer.pricing.money import ZERO, CostKind
from streamer.windows.totals import Metric

AnomalyKind = Literal["burst", "loop", "drift", "bloat", "mix", "busywork", "budget", "silence"]
AnomalyState = Literal["opened", "updated", "closed"]
CauseLevel = Literal["use_case", "agent", "model", "tool", "session"]
Severity = Literal["info", "warning", "critical"]
# What of a budget is crossed, from weak to strong.
Line = Literal["", "burn", "soft", "hard"]


class Scope(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which part of a tenant something is about; empty fields mean all of it."""

    use_case: str = ""
    agent: str = ""
    model: str = ""
    session: str = ""
    tool: str = ""


class Cause(msgspec.Struct, frozen=True):
    """A part of the scope, and its share (0 to 1) of what is above normal."""

    level: CauseLevel
    name: str
    share: float


class Anomaly(msgspec.Struct, kw_only=True):
    """What a detector says: since when, how far from normal, what it costs, and why.

    `id` derives from what it is about and when it was known, so that saying it again is the same record.
    `observed` and `expected` are in the unit of the series' metric a window (calls for a loop, dollars or
    the budget's unit for a budget). `usd_per_hour` is what it goes on costing if nobody acts. `line` is that of
    a budget (fast burn, the soft or the hard line), and empty for other kinds. `causes` are the parts of the scope
    that are behind it, the largest first. Of a rate, `observed`, `expected` and `ceiling` (above which it is abnormal)
    are over so many `seconds`; both are 0 for what is no rate. `tags` are those of its events that are configured to be
    carried, where all of the scope agree in them; without any the field is left out.
    """

    id: str
    state: AnomalyState = "opened"
    kind: AnomalyKind
    tenant: str
    scope: Scope
    series: str
    detector: str
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    severity: Severity
    observed: float
    expected: float
    score: float
    usd_excess: Decimal = ZERO
    usd_per_hour: Decimal = ZERO
    reason: str
    line: Line = ""
    causes: tuple[Cause, ...] = ()
    seconds: float = 0.0
    ceiling: float = 0.0
    tags: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


class Usual(msgspec.Struct, frozen=True, gc=False):
    """What of a metric is usual in a window that holds any of it: nineteen of twenty lie from `low` to `high`.

    `expected` is the middle of them, and above `ceiling` a window is abnormal. Dollars in dollars.
    """

    low: float
    expected: float
    high: float
    ceiling: float


class Rollup(msgspec.Struct, gc=False):
    """One entity's totals in one closed window. `usd_given` is how much of `usd` senders gave; the rest is priced here.

    Records of one `series` and `start` add up: `late` ones hold what arrived after the window had closed. `part` is 0
    for the window's closing and unlike any other part's of the tenant for late ones, so that a record that was
    written again after a crash is known by its series, start and part.

    `usual` is what the window was judged by, a metric; it comes with the first of an entity's windows in each minute,
    of tenants, use cases and agents that are judged, once enough is known. `repeats` is how many events of a tenant
    were dropped since its last rollup, because they had been counted already. Where there are none, both are left out.
    """

    series: str
    level: str
    tenant: str
    scope: Scope
    start: datetime
    end: datetime
    late: bool
    part: int
    events: int
    errors: int
    requests: int
    steps: int
    tool_calls: int
    outcomes: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    unpriced: int
    usd: Decimal
    usd_by_kind: dict[CostKind, Decimal]
    usd_given: Decimal = ZERO
    usual: dict[Metric, Usual] | msgspec.UnsetType = msgspec.UNSET
    repeats: int | msgspec.UnsetType = msgspec.UNSET


class BudgetStanding(msgspec.Struct, kw_only=True, frozen=True):
    """How a budget stands at `at`, the event time of what was booked on it last, in its period from `start` to `end`.

    `limit`, `soft` (the soft line) and `used` are dollars, or counts of the metric. `burn` is how fast the last hour
    used it up, in times of the pace that would use up all of it by the end. `exhausted_at` is when nothing is left of
    it at the pace of the last `pace_seconds`; none where it lasts to the end. `line` is the strongest that stands.
    """

    series: str
    tenant: str
    use_case: str = ""
    metric: str
    period: str
    start: datetime
    end: datetime
    at: datetime
    limit: Decimal
    soft: Decimal
    used: Decimal
    burn: float
    pace_seconds: float
    exhausted_at: datetime | None = None
    line: Line = ""


def anomaly_id(kind: str, tenant: str, series: str, opened_at: datetime) -> str:
    """Derive an anomaly's id from what it is about; the same in every process and every replay."""
    about = "\x00".join((kind, tenant, series, opened_at.isoformat()))
    return blake2b(about.encode(), digest_size=12).hexdigest()
