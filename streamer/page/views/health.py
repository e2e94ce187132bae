"""Budgets, each from its beginning, and how good the data is."""

import math
from typing import Any

from streamer.config import BudgetConfig
from streamer.page.board import Board
from streamer.page.sight import Sight
from streamer.page.spend import Series, Span
from streamer.page.state import PageState
from streamer.periods import bounds, title
from streamer.records import BudgetStanding

_MOST = 20
_COUNTS = ("events", "late", "repeats", "unpriced", "errors")
_HOUR, _DAY = 3600.0, 86_400.0


def budgets(state: PageState, sight: Sight, now: float, tenant: str = "") -> list[dict[str, Any]]:
    """Give each budget as it stands, the most used first; of one on which nothing was booked yet, nothing is used."""
    found = [b for b in state.budgets if sight.sees(b.tenant) and tenant in ("", b.tenant)]
    shown = [_budget(budget, state.board.budgets.get(budget.series), now) for budget in found]
    return sorted(shown, key=lambda one: (-one["share"], one["tenant"], one["use_case"]))


def quality(state: PageState, sight: Sight, now: float, tenant: str = "") -> dict[str, Any]:
    """Count what was late, unpriced and failed lately, name who is silent, and (for who sees all) what was rejected."""
    spend, span = state.spend, state.spend.span(now)
    rows = [s for s in spend.at_level("tenant") if sight.sees(s.tenant) and tenant in ("", s.tenant)]
    by_tenant = [_counts(one, span) for one in rows]
    whole = sight.everything and not tenant
    return {
        **{name: sum(one[name] for one in by_tenant) for name in _COUNTS},
        "seconds": span.seconds,
        "silent": _silent(state.board, sight, tenant),
        "rejected": state.rejections.by_reason(now) if whole else None,
        "unreadable": state.unreadable if whole else None,
        "forgotten": spend.forgotten if whole else None,
        "by_tenant": [one for one in by_tenant if one["late"] or one["unpriced"] or one["repeats"]][:_MOST],
    }


def fresh(state: PageState, now: float) -> dict[str, Any]:
    """Say of when the figures are: the page's clock, the end of the newest window, and what keeps newer ones away."""
    pulse = state.pulse
    return {
        "now": now,
        "until": state.spend.until or None,
        "reading": bool(pulse.reading),
        "away_since": pulse.away_since,
        "workers": pulse.workers,
    }


def _counts(one: Series, span: Span) -> dict[str, Any]:
    return {"tenant": one.tenant, **{name: one.total(name, span.first, span.end) for name in _COUNTS}}


def _silent(board: Board, sight: Sight, tenant: str) -> list[dict[str, Any]]:
    found = [
        one
        for one in board.anomalies.values()
        if one.kind == "silence" and not one.closed_at and sight.sees(one.tenant) and tenant in ("", one.tenant)
    ]
    return [{"series": one.series, "tenant": one.tenant, "since": one.opened_at.timestamp()} for one in found[:_MOST]]


def _budget(budget: BudgetConfig, told: BudgetStanding | None, now: float) -> dict[str, Any]:
    """Give one budget; what was told of a period that is over says nothing of the present one."""
    start, end = bounds(budget.period, now)
    stands = told if told and told.end.timestamp() > now else None
    limit = stands.limit if stands else budget.limit
    quiet = now - stands.at.timestamp() if stands else math.inf
    exhausted = stands.exhausted_at if stands and quiet < _DAY else None
    return {
        "tenant": budget.tenant,
        "use_case": budget.use_case,
        "metric": budget.metric,
        "period": budget.period,
        "name": title(budget.period, start),
        "limit": f"{limit:f}",
        "soft": float(budget.soft),
        "used": f"{stands.used:f}" if stands else "0",
        "share": float(stands.used / limit) if stands else 0.0,
        "gone": (now - start) / (end - start),
        "burn": stands.burn if stands and quiet < _HOUR else 0.0,
        "exhausted_at": exhausted.timestamp() if exhausted else None,
        "pace_seconds": stands.pace_seconds if stands and quiet < _DAY else None,
        "line": stands.line if stands else "",
        "at": stands.at.timestamp() if stands else None,
    }
