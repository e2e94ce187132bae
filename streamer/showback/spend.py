"""Dollars by holder and kind of cost, added up from rollups; exact."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from alerts.showback import Report, Row
from streamer.config import BudgetConfig
from streamer.pricing.money import COST_KINDS, ZERO, CostKind, added, less
from streamer.records import Scope
from streamer.showback.period import Period

_NOWHERE = "(none named)"


class Spent(msgspec.Struct, frozen=True):
    """What showback reads of a rollup."""

    series: str
    level: str
    tenant: str
    scope: Scope
    start: datetime
    part: int
    usd_by_kind: dict[CostKind, Decimal]


class Holder(msgspec.Struct, frozen=True):
    """Whose spend: a tenant (`use_case` and `agent` empty), its use case, or an agent of that."""

    tenant: str
    use_case: str = ""
    agent: str = ""

    @property
    def above(self) -> "Holder | None":
        """The next wider holder; None above a tenant."""
        if self.agent and self.use_case:
            return Holder(self.tenant, self.use_case)
        return Holder(self.tenant) if self.agent or self.use_case else None


class _Taken:
    """What was taken of a series in one partition, where its windows are in order: what goes back is a repeat.

    After a crash that is what came of the last checkpoint, and after a backup was restored what came since.
    """

    def __init__(self) -> None:
        self._newest = self._last = datetime.min.replace(tzinfo=UTC)
        self._parts: set[tuple[datetime, int]] = set()

    def add(self, start: datetime, part: int) -> bool:
        """Note a rollup; False for one that was noted before."""
        if part == 0:
            known = start <= self._newest
            self._last, self._newest = start, max(start, self._newest)
            return not known
        known = (start, part) in self._parts or self._last < self._newest
        self._parts.add((start, part))
        return not known


class Spend:
    """Dollars of one period by holder and kind. Rollups of levels that overlap (models, sessions) are left out."""

    def __init__(self, period: Period, tenants: Sequence[str] = ()) -> None:
        self._period, self._tenants = period, frozenset(tenants)
        self._usd: defaultdict[Holder, defaultdict[CostKind, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        self._taken: defaultdict[tuple[str, int], _Taken] = defaultdict(_Taken)

    def add(self, rollup: Spent, partition: int = 0) -> None:
        """Take in a rollup, if its window began in the period; the same one again changes nothing.

        Those of a `partition` of the topic are taken in their order there.
        """
        if not self._period.start <= rollup.start < self._period.end or rollup.level in ("model", "session"):
            return
        if self._tenants and rollup.tenant not in self._tenants:
            return
        if not self._taken[rollup.series, partition].add(rollup.start, rollup.part):
            return
        usd = self._usd[Holder(rollup.tenant, rollup.scope.use_case, rollup.scope.agent)]
        for kind, amount in rollup.usd_by_kind.items():
            usd[kind] = added((usd[kind], amount))

    def owned(self, owns: Callable[[Holder], bool]) -> "Spend":
        """Give the part of it that somebody owns: each dollar is that of the narrowest holder that it is known of."""
        found, below = Spend(self._period), defaultdict[Holder, list[Holder]](list)
        for holder in self._usd:
            if holder.above:
                below[holder.above].append(holder)
        for holder in filter(owns, list(self._usd)):
            for kind, amount in self._usd[holder].items():
                rest = less(amount, added(self._usd[each].get(kind, ZERO) for each in below[holder]))
                at: Holder | None = holder
                while rest and at is not None:
                    found._usd[at][kind] = added((found._usd[at][kind], rest))
                    at = at.above
        return found

    def of(self, holder: Holder) -> Mapping[CostKind, Decimal]:
        """Give a holder's dollars by kind."""
        return self._usd.get(holder, {})

    def total(self, holder: Holder) -> Decimal:
        """Give a holder's dollars."""
        return added(self.of(holder).values())

    def holders(self) -> list[Holder]:
        """List who spent anything."""
        return list(self._usd)

    def kinds(self) -> dict[CostKind, Decimal]:
        """Give all tenants' dollars by kind."""
        whole = [holder for holder in self._usd if not holder.use_case and not holder.agent]
        return {kind: added(self._usd[holder].get(kind, ZERO) for holder in whole) for kind in COST_KINDS}


def report_of(
    now: Spend,
    before: Spend,
    period: Period,
    *,
    whose: str = "",
    budgets: Iterable[BudgetConfig] = (),
    causes: Sequence[str] = (),
    saved: Decimal | None = None,
) -> Report:
    """Put a showback together, of a period and the one before it."""
    tenants = sorted({holder.tenant for holder in (*now.holders(), *before.holders())})
    kinds, earlier = now.kinds(), before.kinds()
    return Report(
        whose=whose or ", ".join(tenants) or "nobody",
        span=period.span,
        when=period.words(),
        dates=period.dates(),
        total=Row("", added(kinds.values()), added(earlier.values())),
        kinds=[Row(kind, kinds[kind], earlier[kind]) for kind in COST_KINDS],
        use_cases=_rows(now, before, tenants, agents=False),
        agents=_rows(now, before, tenants, agents=True),
        budgets=[line for budget in budgets if (line := _budget(budget, now, period, tenants))],
        causes=causes,
        saved=saved,
    )


def _rows(now: Spend, before: Spend, tenants: Sequence[str], *, agents: bool) -> list[Row]:
    """Give the use cases or the agents, and for each tenant what belongs to none of them."""
    holders = {
        holder
        for holder in (*now.holders(), *before.holders())
        if (holder.agent if agents else holder.use_case and not holder.agent)
    }
    rows = [Row(_name(holder, tenants), now.total(holder), before.total(holder)) for holder in holders]
    for tenant in tenants:
        own = [holder for holder in holders if holder.tenant == tenant]
        rest = [less(spend.total(Holder(tenant)), added(map(spend.total, own))) for spend in (now, before)]
        if any(rest):
            rows.append(Row(_name(Holder(tenant, _NOWHERE), tenants), rest[0], rest[1]))
    return sorted((row for row in rows if row.usd or row.before), key=lambda row: (-row.usd, row.name))


def _name(holder: Holder, tenants: Sequence[str]) -> str:
    parts = (holder.tenant if len(tenants) > 1 else "", holder.use_case, holder.agent)
    return " · ".join(part for part in parts if part)


def _budget(budget: BudgetConfig, now: Spend, period: Period, tenants: Sequence[str]) -> str:
    """Hold what was spent against the budget's even pace; empty for another tenant's, or one that is not in dollars."""
    if budget.metric != "usd" or budget.tenant not in tenants:
        return ""
    months = 3 if budget.period == "quarter" else 1
    days = Decimal((period.end.date() - period.start.date()).days)
    pace = Decimal(budget.limit) * days / (months * Decimal("30.4375"))
    spent = now.total(Holder(budget.tenant, budget.use_case))
    whose = f"{budget.tenant} · {budget.use_case}" if budget.use_case else budget.tenant
    name = f"{budget.period}'s budget of ${budget.limit:,f}"
    return f"{whose}: ${spent:,.2f}, {spent / pace:.0%} of the even pace of the {name}"
