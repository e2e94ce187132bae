"""Budgets, as far as records tell of them, and how good the data is."""

from typing import Any

from streamer.config import BudgetConfig
from streamer.page.board import Board
from streamer.page.sight import Sight
from streamer.page.spend import Series, Span
from streamer.page.state import PageState
from streamer.records import Anomaly

_MOST = 20
_COUNTS = ("events", "late", "unpriced", "errors")


def budgets(state: PageState, sight: Sight, tenant: str = "") -> list[dict[str, Any]]:
    """Give each budget with what its open anomaly says; one without is under all of its lines."""
    told = {one.series: one for one in state.board.anomalies.values() if one.kind == "budget" and not one.closed_at}
    found = [b for b in state.budgets if sight.sees(b.tenant) and tenant in ("", b.tenant)]
    shown = [_budget(budget, told.get(budget.series)) for budget in found]
    return sorted(shown, key=lambda one: (-(one["share"] or 0), one["tenant"], one["use_case"]))


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
        "by_tenant": [one for one in by_tenant if one["late"] or one["unpriced"]][:_MOST],
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


def _budget(budget: BudgetConfig, told: Anomaly | None) -> dict[str, Any]:
    return {
        "tenant": budget.tenant,
        "use_case": budget.use_case,
        "metric": budget.metric,
        "period": budget.period,
        "limit": f"{budget.limit:f}",
        "soft": f"{budget.soft:f}",
        "line": told.line if told else "",
        "share": told.observed / told.expected if told and told.expected else None,
        "reason": told.reason if told else "",
        "usd_per_hour": f"{told.usd_per_hour:f}" if told else None,
    }
