"""The public scorecard of each use case: what it costs, what it brings, and whether that is what was hoped for."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec
import pyarrow as pa

from streamer.config import Config, UseCaseConfig
from streamer.pricing.money import COST_KINDS, ZERO, less, plain
from streamer.replay.facts import Facts
from streamer.replay.report.figures import BudgetState, Share, budgets, shares
from streamer.replay.sheet import sheet
from streamer.replay.tables import MONEY

Verdict = Literal["met", "missed", "no hypothesis", "no outcomes were sent", "not used"]
# Digits behind the point of what an outcome costs.
_PLACES = 12
_TEXT, _NUMBER = pa.string(), pa.float64()
#: The columns of `scorecards.parquet`.
SCORECARDS = pa.schema(
    [(name, _TEXT) for name in ("tenant", "use_case", "stage", "owner", "cost_centre")]
    + [("usd", MONEY), ("usd_not_tokens", MONEY), ("outcome", _TEXT), ("outcomes", pa.int64())]
    + [("usd_per_outcome", MONEY), ("hypothesis_usd_per_outcome", MONEY), ("verdict", _TEXT)]
    + [("budget_metric", _TEXT), ("budget_period", _TEXT), ("budget_limit", MONEY), ("budget_used", MONEY)]
    + [("budget_share", _NUMBER), ("budget_projected", _NUMBER)]
)


class Scorecard(msgspec.Struct, frozen=True):
    """One use case on one card; what nobody said is "" or null.

    `usd_not_tokens` is what of `usd` went to the five kinds of cost beside tokens. `verdict` holds what an outcome cost
    against the hypothesis, or says why nobody can. The budget is that of the use case in dollars, else another of its
    own, in its last period: `budget_share` is the part that is used, `budget_projected` the part at the period's end
    at the pace of the data, null until they cover a day of it.
    """

    tenant: str
    use_case: str
    usd: Decimal
    usd_not_tokens: Decimal
    outcomes: int
    verdict: Verdict
    stage: str = ""
    owner: str = ""
    cost_centre: str = ""
    outcome: str = ""
    usd_per_outcome: Decimal | None = None
    hypothesis_usd_per_outcome: Decimal | None = None
    budget_metric: str = ""
    budget_period: str = ""
    budget_limit: Decimal | None = None
    budget_used: Decimal | None = None
    budget_share: float | None = None
    budget_projected: float | None = None


def scorecards(config: Config, facts: Facts) -> list[Scorecard]:
    """Give a card for each use case that was agreed or seen, the dearest first."""
    if not facts.read:
        return []
    seen = {
        share.names: share for share in shares(facts, lambda key: (key.tenant, key.use_case) if key.use_case else ())
    }
    agreed = {(use_case.tenant, use_case.name): use_case for use_case in config.use_cases}
    states = {(state.budget.tenant, state.budget.use_case): state for state in _dollars_last(budgets(config, facts))}
    names = sorted({*seen, *agreed}, key=lambda name: (-(seen[name].usd if name in seen else ZERO), name))
    return [_card(name, seen.get(name), agreed.get(name), states.get(name)) for name in names]  # type: ignore[arg-type]


def as_json(cards: Sequence[Scorecard]) -> bytes:
    """Write the cards as a JSON array."""
    return msgspec.json.format(msgspec.json.encode(cards)) + b"\n"


def as_csv(cards: Iterable[Scorecard]) -> bytes:
    """Write the cards for a spreadsheet."""
    return sheet(SCORECARDS.names, ([getattr(card, name) for name in SCORECARDS.names] for card in cards))


def as_table(cards: Iterable[Scorecard]) -> pa.Table:
    """Give the cards as rows; names that were not given are null."""
    rows = (msgspec.structs.asdict(card) for card in cards)
    return pa.Table.from_pylist(
        [{name: None if cell == "" else cell for name, cell in row.items()} for row in rows], SCORECARDS
    )


def _dollars_last(states: Iterable[BudgetState]) -> Iterator[BudgetState]:
    """Give the budgets in dollars last, so that of several of a use case that one is shown."""
    return iter(sorted(states, key=lambda state: state.budget.metric == "usd"))


def _card(
    name: tuple[str, str], share: Share | None, agreed: UseCaseConfig | None, state: BudgetState | None
) -> Scorecard:
    each = share.usd_per_outcome if share else None
    tenant, use_case = name
    return Scorecard(
        tenant=tenant,
        use_case=use_case,
        usd=plain(share.usd) if share else ZERO,
        usd_not_tokens=plain(less(share.usd, share.by_kind[COST_KINDS.index("llm")])) if share else ZERO,
        outcomes=share.counts["outcomes"] if share else 0,
        usd_per_outcome=None if each is None else plain(round(each, _PLACES)),
        verdict=_verdict(agreed, share),
        **_agreed(agreed),
        **_budget(state),
    )


def _agreed(agreed: UseCaseConfig | None) -> dict[str, Any]:
    names = ("stage", "owner", "cost_centre", "outcome", "hypothesis_usd_per_outcome")
    return {name: getattr(agreed, name) for name in names} if agreed else {}


def _budget(state: BudgetState | None) -> dict[str, Any]:
    if state is None:
        return {}
    return {
        "budget_metric": state.budget.metric,
        "budget_period": state.name,
        "budget_limit": state.budget.limit,
        "budget_used": plain(state.used),
        "budget_share": round(state.share, 6),
        "budget_projected": None if state.projected is None else round(state.projected, 6),
    }


def _verdict(agreed: UseCaseConfig | None, share: Share | None) -> Verdict:
    hoped = agreed.hypothesis_usd_per_outcome if agreed else None
    if share is None:
        return "not used"
    if share.usd_per_outcome is None:
        return "no outcomes were sent"
    if hoped is None:
        return "no hypothesis"
    return "met" if share.usd_per_outcome <= hoped else "missed"
