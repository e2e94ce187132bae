"""Judges budgets: what a tenant or a use case has used up of its month or quarter (UTC), and how fast."""

import math
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import partial

from detectors import BudgetDetector, BudgetLine, BudgetTerms, BurnParams
from streamer.config import BudgetConfig
from streamer.events.usage import UsageEvent
from streamer.judges.budget_text import burn_of, reason_of
from streamer.judges.cases import Cases, Reading
from streamer.periods import bounds
from streamer.pricing.money import FEMTODOLLARS, ZERO, dollars
from streamer.records import Scope

_HOUR = 3600
_SCORES: dict[BudgetLine, float] = {"soft": 0.6, "hard": 0.95}


class _Account:
    """One budget, in femtodollars or whole units, and its detector."""

    __slots__ = ("budget", "detector", "is_money", "metric", "series", "use_case")

    def __init__(self, budget: BudgetConfig) -> None:
        self.budget = budget
        self.metric, self.use_case, self.is_money = budget.metric, budget.use_case, budget.metric == "usd"
        self.detector = BudgetDetector(_terms(budget), partial(bounds, budget.period))
        self.series = budget.series

    def units(self, amount: float) -> float:
        """Give an amount as dollars, or as it is."""
        return amount / FEMTODOLLARS if self.is_money else float(amount)


class BudgetJudge:
    """The budgets of one tenant. A case opens at the first of fast burn, the soft and the hard line.

    It is raised by a stronger one. It ends with the period; one of fast burn alone ends when that has calmed.
    """

    def __init__(self, tenant: str, budgets: Iterable[BudgetConfig], cases: Cases) -> None:
        self._cases = cases
        #: Empty for most tenants, who then need not come here.
        self.accounts = [_Account(budget) for budget in budgets if budget.tenant == tenant]
        self._changed: set[str] = set()

    @property
    def standing(self) -> bool:
        """Whether a case is open, so that passing time can end it."""
        return any(account.detector.line for account in self.accounts)

    def on_event(self, event: UsageEvent, usd: int, at: float) -> None:
        """Book an event (`usd` in femtodollars) on every budget that it counts for."""
        for account in self.accounts:
            if account.use_case in ("", event.use_case):
                amount = usd if account.is_money else getattr(event, account.metric)
                if amount:
                    self._book(account, amount, at)

    def on_time(self, at: float) -> None:
        """Close the cases that are over at `at`, the tenant's event time."""
        for account in self.accounts:
            if at >= account.detector.due:
                self._end(account, at)

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the accounts that changed since the last call, by series, written down; None for dropped ones."""
        known = {account.series: account.detector for account in self.accounts}
        for series in sorted(self._changed):
            yield series, known[series].snapshot() if series in known else None
        self._changed.clear()

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take up what `changes` gave, by series; to be called when the tenant's cases are restored.

        Budgets that the configuration no longer knows are dropped, and what was said of them is over.
        """
        for account in self.accounts:
            if account.series in parts:
                account.detector.restore(parts[account.series])
        self._changed = set(parts) - {account.series for account in self.accounts}
        for series in sorted(self._changed):
            if series in self._cases:
                self._cases.close(series, self._cases.open_since(series))

    def _book(self, account: _Account, amount: int, at: float) -> None:
        detector = account.detector
        if at >= detector.due:
            self._end(account, at)
        line = detector.add(amount, at)
        self._changed.add(account.series)
        if line is None:
            return
        if account.series in self._cases:
            self._cases.update(account.series, at, _reading(account, line))
        else:
            scope = Scope(use_case=account.use_case)
            self._cases.open("budget", account.series, scope, at, _reading(account, line))

    def _end(self, account: _Account, until: float) -> None:
        detector = account.detector
        line, ended = detector.line, detector.ended(until)
        self._changed.add(account.series)
        if line and ended is not None and account.series in self._cases:
            self._cases.close(account.series, ended, _over(account))


def _terms(budget: BudgetConfig) -> BudgetTerms:
    limit = budget.limit * FEMTODOLLARS if budget.metric == "usd" else budget.limit
    burn = (BurnParams(pair.long_seconds, pair.short_seconds, pair.factor, pair.share) for pair in budget.burn)
    return BudgetTerms(math.ceil(limit), math.ceil(limit * budget.soft), tuple(burn))


def _over(account: _Account) -> Decimal:
    """Give the dollars spent above the limit."""
    detector = account.detector
    return dollars(max(0, detector.spent - detector.terms.limit)) if account.is_money else ZERO


def _burn_score(detector: BudgetDetector) -> float:
    """Give 0.5 and more, nearer to the soft line's score the faster it burns."""
    return 0.6 - 0.1 / max(1.0, burn_of(detector)[1])


def _reading(account: _Account, line: BudgetLine) -> Reading:
    detector = account.detector
    pace = detector.spending.within(_HOUR, detector.now) if account.is_money else 0
    return Reading(
        observed=account.units(detector.spent),
        expected=account.units(detector.terms.limit),
        score=_SCORES.get(line) or _burn_score(detector),
        usd_excess=_over(account),
        usd_per_hour=dollars(max(0, pace)),
        reason=reason_of(account.budget, detector),
        line=line,
    )
