"""Judges budgets: what a tenant or a use case has used up of its month (UTC)."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from detectors import BudgetDetector, BudgetLine
from streamer.clock import utc
from streamer.config import BudgetConfig
from streamer.events.usage import UsageEvent
from streamer.judges.cases import Cases, Reading
from streamer.pricing.money import dollars
from streamer.records import Scope
from streamer.windows.entity import quote

_SCORES: dict[BudgetLine, float] = {"soft": 0.6, "hard": 0.95}


class BudgetSnapshot(msgspec.Struct, array_like=True):
    """What is written down of one budget: its series and the detector's state."""

    series: str
    state: bytes


class _Account:
    __slots__ = ("budget", "detector", "series")

    def __init__(self, budget: BudgetConfig) -> None:
        self.budget = budget
        self.detector = BudgetDetector(budget.limit, budget.soft)
        use_case = f"/use_case={quote(budget.use_case)}" if budget.use_case else ""
        self.series = f"tenant={quote(budget.tenant)}{use_case}#budget-{budget.metric}"


class BudgetJudge:
    """The budgets of one tenant. A case opens at the soft line, is raised at the hard one, and ends with the month."""

    def __init__(self, tenant: str, budgets: Iterable[BudgetConfig], cases: Cases) -> None:
        self._cases = cases
        #: Empty for most tenants, who then need not come here.
        self.accounts = [_Account(budget) for budget in budgets if budget.tenant == tenant]

    def on_event(self, event: UsageEvent, usd: int, at: float) -> None:
        """Book an event (`usd` in femtodollars) on every budget that it counts for."""
        for account in self.accounts:
            if account.budget.use_case in ("", event.use_case):
                self._book(account, _amount(account.budget, event, usd), at)

    def snapshot(self) -> list[BudgetSnapshot]:
        """Write all accounts down."""
        return [BudgetSnapshot(account.series, account.detector.snapshot()) for account in self.accounts]

    def restore(self, snapshots: list[BudgetSnapshot]) -> None:
        """Take up what `snapshot` wrote; accounts that the configuration no longer knows are dropped."""
        states = {snapshot.series: snapshot.state for snapshot in snapshots}
        for account in self.accounts:
            if account.series in states:
                account.detector.restore(states[account.series])

    def _book(self, account: _Account, amount: Decimal, at: float) -> None:
        period, before = utc(at).strftime("%Y-%m"), account.detector.period
        if before and period > before and account.series in self._cases:
            self._cases.close(account.series, at)
        line = account.detector.add(amount, period)
        if line is None:
            return
        reading = _reading(account, line)
        if account.series in self._cases:
            self._cases.update(account.series, at, reading)
        else:
            scope = Scope(use_case=account.budget.use_case)
            self._cases.open("budget", account.series, scope, at, reading)


def _amount(budget: BudgetConfig, event: UsageEvent, usd: int) -> Decimal:
    return dollars(usd) if budget.metric == "usd" else Decimal(getattr(event, budget.metric))


def _reading(account: _Account, line: BudgetLine) -> Reading:
    budget, spent = account.budget, account.detector.spent
    over = max(Decimal(0), spent - budget.limit) if budget.metric == "usd" else Decimal(0)
    return Reading(
        observed=float(spent),
        expected=float(budget.limit),
        score=_SCORES[line],
        usd_excess=over,
        reason=f"{spent / budget.limit:.0%} of the month's budget of {budget.limit:,f} {budget.metric} is used up"
        f" ({line} line)",
    )
