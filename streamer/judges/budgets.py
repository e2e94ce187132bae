"""Judges budgets: what a tenant or a use case has used up of its month or quarter (UTC), and how fast."""

import math
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import partial

from detectors import BudgetDetector, BudgetLine, BudgetTerms, BurnParams
from streamer.clock import utc
from streamer.config import BudgetConfig
from streamer.events.usage import UsageEvent
from streamer.judges.budget_text import burn_of, reason_of
from streamer.judges.cases import Cases, Reading
from streamer.periods import bounds
from streamer.pricing.money import FEMTODOLLARS, ZERO, dollars
from streamer.records import BudgetStanding, Scope

_HOUR = 3600
#: The score of the first line; fast burn has less.
FIRST_LINE = 0.6
_SCORES: dict[BudgetLine, float] = {"soft": FIRST_LINE, "hard": 0.95}
# While a line stands, each twentieth of the limit more is told, at most once a minute.
_SHARES, _APART = 20, 60.0


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

    def exact(self, amount: int) -> Decimal:
        """Give an amount as dollars, or as it is, to the last digit."""
        return dollars(amount) if self.is_money else Decimal(amount)

    def standing(self) -> BudgetStanding:
        """Say how it stands."""
        budget, detector, terms = self.budget, self.detector, self.detector.terms
        last_hour = detector.spending.within(_HOUR, detector.now)
        at = detector.exhausted_at(detector.memory)
        return BudgetStanding(
            series=self.series,
            tenant=budget.tenant,
            use_case=budget.use_case,
            metric=budget.metric,
            period=budget.period,
            start=utc(detector.start),
            end=utc(detector.end),
            at=utc(detector.now),
            limit=self.exact(terms.limit),
            soft=self.exact(terms.soft),
            used=self.exact(detector.spent),
            burn=round(last_hour / terms.limit * (detector.end - detector.start) / _HOUR, 6),
            pace_seconds=round(detector.memory),
            exhausted_at=utc(at) if at < detector.end else None,
            line=detector.line,
        )


class BudgetJudge:
    """The budgets of one tenant. A case opens at the first of fast burn, the soft and the hard line.

    It is raised by a stronger one, and follows what is spent from then on. It ends with the period; one of fast burn
    alone ends when that has calmed.
    """

    def __init__(self, tenant: str, budgets: Iterable[BudgetConfig], cases: Cases) -> None:
        self._cases = cases
        #: Empty for most tenants, who then need not come here.
        self.accounts = [_Account(budget) for budget in budgets if budget.tenant == tenant]
        self._changed: set[str] = set()

    @property
    def due(self) -> float:
        """The moment (epoch seconds, of event time) from which on `on_time` has news of an open case."""
        return min((account.detector.due for account in self.accounts if account.detector.line), default=math.inf)

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

    def standings(self, since: float) -> list[BudgetStanding]:
        """Give how the budgets stand on which something was booked at `since` (epoch seconds) or later."""
        return [account.standing() for account in self.accounts if account.detector.now >= since]

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
                self._cases.begin_anew(series)

    def _book(self, account: _Account, amount: int, at: float) -> None:
        detector = account.detector
        if at >= detector.due:
            self._end(account, at)
        told = _share(detector)
        line = detector.add(amount, at)
        self._changed.add(account.series)
        if account.series in self._cases:
            goes_on = _share(detector) > told and at >= self._cases.told_at(account.series) + _APART
            if news := line or (goes_on and detector.line):
                self._cases.update(account.series, at, _reading(account, news))
        elif line:
            scope = Scope(use_case=account.use_case)
            self._cases.open("budget", account.series, scope, at, _reading(account, line))

    def _end(self, account: _Account, until: float) -> None:
        detector = account.detector
        line, ended = detector.line, detector.ended(until)
        self._changed.add(account.series)
        if line and ended is not None and account.series in self._cases:
            self._cases.close(account.series, ended, _over(account))
            if line != "burn":
                self._cases.begin_anew(account.series)


def _terms(budget: BudgetConfig) -> BudgetTerms:
    limit = budget.limit * FEMTODOLLARS if budget.metric == "usd" else budget.limit
    burn = (BurnParams(pair.long_seconds, pair.short_seconds, pair.factor, pair.share) for pair in budget.burn)
    return BudgetTerms(math.ceil(limit), math.ceil(limit * budget.soft), tuple(burn))


def _share(detector: BudgetDetector) -> int:
    """Give how many shares of the limit are used up; each is told of while a line stands."""
    return detector.spent * _SHARES // detector.terms.limit


def _over(account: _Account) -> Decimal:
    """Give the dollars spent above the limit."""
    detector = account.detector
    return dollars(max(0, detector.spent - detector.terms.limit)) if account.is_money else ZERO


def _burn_score(detector: BudgetDetector) -> float:
    """Give 0.5 and more, nearer to the soft line's score the faster it burns."""
    return FIRST_LINE - 0.1 / max(1.0, burn_of(detector)[1])


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
