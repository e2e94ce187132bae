"""What a showback says: who spent how much on what, against the time before."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, Protocol

import msgspec

from alerts.owners import Owner
from alerts.text import money, plain, shares, short_money

Span = Literal["day", "week"]
_BEFORE: dict[Span, str] = {"day": "the day before", "week": "the week before"}
# A change of less is none.
_LEAST = Decimal("0.005")


class Row(msgspec.Struct, frozen=True):
    """One holder of spend, in dollars, and what it spent in the period before."""

    name: str
    usd: Decimal
    before: Decimal


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A showback over one period. Dollars throughout.

    `whose` are the tenants, `when` is the period in words, and `dates` its days. `kinds` are by the six kinds of cost.
    `use_cases` and `agents` are the largest first, and what belongs to none is a row too; `budgets` and `causes` are
    lines; `saved` is what throttling is estimated to have saved, None where nobody knows. `owner` is whose it is, where
    it is one owner's.
    """

    whose: str
    span: Span
    when: str
    dates: str
    total: Row
    kinds: Sequence[Row]
    use_cases: Sequence[Row]
    agents: Sequence[Row]
    budgets: Sequence[str] = ()
    causes: Sequence[str] = ()
    saved: Decimal | None = None
    owner: Owner | None = None


class Reporter(Protocol):
    """Tells people a showback."""

    async def report(self, report: Report) -> None:
        """Send it; raises DeliveryFailed."""


def headline(report: Report) -> str:
    """Say the most of it in a line: `acme spent $1,204 on Saturday, 12% more than the day before`."""
    change = changed(report.total)
    than = "as" if change.endswith(" as much") else "than"
    against = f", {change} {than} {_BEFORE[report.span]}" if change not in ("new", "the same") else ""
    return f"{plain(report.whose)} spent {short_money(report.total.usd)} {report.when}{against}"


def changed(row: Row) -> str:
    """Say how a row compares with the period before.

    >>> changed(Row("a", Decimal(112), Decimal(100))), changed(Row("a", Decimal(1), Decimal(0)))
    ('12% more', 'new')
    >>> changed(Row("a", Decimal(50), Decimal(100))), changed(Row("a", Decimal(700), Decimal(100)))
    ('50% less', '7.0 times as much')
    >>> changed(Row("a", Decimal("100.5"), Decimal(100)))
    'the same'
    """
    times = _times(row)
    if times is None:
        return "new" if row.usd > 0 else "the same"
    if times == 1:
        return "the same"
    if times >= 3:
        return f"{times:,.1f} times as much"
    return f"{abs(times - 1):.0%} {'more' if times > 1 else 'less'}"


def share(row: Row, report: Report) -> Decimal:
    """Give a row's share (0 to 1) of all that was spent."""
    return row.usd / report.total.usd if report.total.usd > 0 else Decimal(0)


def lines(report: Report) -> list[str]:
    """Give the showback as lines, for a terminal."""
    kinds = shares({row.name: row.usd for row in report.kinds})
    return [
        headline(report),
        f"kinds of cost: {kinds or 'none'}",
        *_table("by use case", report.use_cases),
        *_table("by agent", report.agents),
        *(["budgets:", *(f"  {plain(line)}" for line in report.budgets)] if report.budgets else []),
        *(["what cost most above normal:", *(f"  {plain(line)}" for line in report.causes)] if report.causes else []),
        *([f"throttling saved about {money(report.saved)} (an estimate)"] if report.saved else []),
    ]


def arrow(row: Row) -> str:
    """Say how a row compares with the period before, for a glance.

    >>> [arrow(Row("a", Decimal(usd), Decimal(100))) for usd in (112, 50, 100, 700)]
    ['▲ 12%', '▼ 50%', '=', '▲ x7.0']
    >>> arrow(Row("a", Decimal(1), Decimal(0)))
    'new'
    """
    times = _times(row)
    if times is None:
        return "new" if row.usd > 0 else "="
    if times == 1:
        return "="
    if times >= 3:
        return f"▲ x{times:,.1f}"
    return f"{'▲' if times > 1 else '▼'} {abs(times - 1):.0%}"


def _times(row: Row) -> Decimal | None:
    """Give how many times that of the period before a row is, 1 where they are next to the same, None without one."""
    if row.before <= 0:
        return None
    times = row.usd / row.before
    return times if abs(times - 1) > _LEAST else Decimal(1)


def _table(title: str, rows: Sequence[Row]) -> list[str]:
    width = max((len(row.name) for row in rows), default=0)
    told = [f"  {plain(row.name):<{width}}  {money(row.usd):>12}  {changed(row)}" for row in rows]
    return [f"{title}:", *told] if rows else []
