"""The figures of the report: who spent what on what, budgets, what throttling would have saved."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from alerts.throttle.command import Command
from streamer.config import BudgetConfig, Config
from streamer.periods import bounds, tells_the_end, title
from streamer.pricing.money import COST_KINDS, ZERO, dollars
from streamer.replay.charges import SUMS, Key, date_of, day_of
from streamer.replay.facts import Facts, Found, total

Of = Callable[[Key], tuple[str, ...]]
Rows = Sequence[tuple[Key, list[int]]]
_USD = SUMS.index("femtodollars")
_KINDS = {kind: place for place, kind in enumerate(COST_KINDS)}


class Share(NamedTuple):
    """One holder's part of the spend: its names, dollars by kind of cost, and counts by name."""

    names: tuple[str, ...]
    usd: Decimal
    by_kind: tuple[Decimal, ...]
    counts: dict[str, int]
    #: Part of all spend, 0 to 1.
    part: float

    @property
    def usd_per_outcome(self) -> Decimal | None:
        """What an outcome cost; None without any."""
        return self.usd / self.counts["outcomes"] if self.counts["outcomes"] else None


def shares(facts: Facts, of: Of) -> list[Share]:
    """Split all spend by what `of` names, the dearest first; what it gives no name for is left out."""
    groups: dict[tuple[str, ...], list[tuple[Key, list[int]]]] = defaultdict(list)
    for key, sums in facts.sums.items():
        if names := of(key):
            groups[names].append((key, sums))
    whole = sum(sums[_USD] for sums in facts.sums.values())
    found = [_share(names, rows, whole) for names, rows in groups.items()]
    return sorted(found, key=lambda share: (-share.usd, share.names))


def _share(names: tuple[str, ...], rows: Rows, whole: int) -> Share:
    split = [0] * len(COST_KINDS)
    for key, sums in rows:
        if key.kind in _KINDS:
            split[_KINDS[key.kind]] += sums[_USD]
    counts = total(sums for _, sums in rows)
    usd = counts.pop("femtodollars")
    return Share(names, dollars(usd), tuple(map(dollars, split)), counts, usd / whole if whole else 0.0)


def payer(config: Config) -> Of:
    """Say who pays: the cost centre of the event's tags, else the use case's of the configuration."""
    agreed = {(use_case.tenant, use_case.name): use_case.cost_centre for use_case in config.use_cases}

    def of(key: Key) -> tuple[str, ...]:
        return (key.cost_centre or agreed.get((key.tenant, key.use_case), "") or "(nobody named)", key.team or "-")

    return of


class BudgetState(NamedTuple):
    """How a budget stands at the end of the data: what of it is used, and where it ends at the pace of the period.

    `projected` is None where the data cover too little of the period to tell.
    """

    budget: BudgetConfig
    name: str
    used: Decimal
    share: float
    projected: float | None


def budgets(config: Config, facts: Facts) -> Iterator[BudgetState]:
    """Give the state of each budget in its last period; the projection is what comes by the end at the even pace."""
    for budget in config.budgets:
        start, end = bounds(budget.period, facts.end)
        used = _used(budget, facts, day_of(start))
        since = max(start, facts.begin)
        # Of the period only what the data cover is known.
        covered = facts.end - since
        share = float(used / budget.limit)
        projected = share * (end - start) / covered if tells_the_end(covered) else None
        yield BudgetState(budget, title(budget.period, start), used, share, projected)


def _used(budget: BudgetConfig, facts: Facts, since: int) -> Decimal:
    rows = [
        sums
        for key, sums in facts.sums.items()
        if key.day >= since and key.tenant == budget.tenant and budget.use_case in ("", key.use_case)
    ]
    found = total(rows)
    if budget.metric == "usd":
        return dollars(found["femtodollars"])
    if budget.metric == "tokens":
        return Decimal(found["input_tokens"] + found["output_tokens"])
    return Decimal(found[budget.metric])


class Saving(NamedTuple):
    """Dollars above normal of one kind of anomaly: in all, before it was known, and after that.

    `enforced` and `suggested` are what came after a command of either mode: what it would have kept from being spent,
    at the most. Of the anomalies of one incident the dearest stands for all, for they see the same spend.
    """

    kind: str
    incidents: int
    above: Decimal
    before: Decimal
    after: Decimal
    enforced: Decimal
    suggested: Decimal


def savings(facts: Facts) -> list[Saving]:
    """Say what acting would have saved, by kind, the dearest first."""
    commands: dict[str, list[Command]] = defaultdict(list)
    for command in facts.commands:
        if command.action != "release":
            commands[command.reason.incident].append(command)
    rows: dict[str, list[Saving]] = defaultdict(list)
    for name, message in facts.incidents.items():
        cases = [facts.anomalies[alert] for alert in message.incident.alerts if alert in facts.anomalies]
        if cases:
            dearest = max(cases, key=lambda found: (found.last.usd_excess, found.last.id))
            rows[dearest.last.kind].append(_saving(dearest, commands.get(name, [])))
    return sorted((_sum(kind, found) for kind, found in rows.items()), key=lambda saving: (-saving.above, saving.kind))


def _saving(found: Found, commands: Sequence[Command]) -> Saving:
    above, known = found.last.usd_excess, min(found.when_known, found.last.usd_excess)
    after = {mode: _after(found, [c for c in commands if c.mode == mode]) for mode in ("enforce", "suggest")}
    return Saving(found.last.kind, 1, above, known, above - known, after["enforce"], after["suggest"])


def _after(found: Found, commands: Sequence[Command]) -> Decimal:
    """Give the dollars above normal that came after the first of some commands."""
    if not commands:
        return ZERO
    at = min(command.issued_at for command in commands).timestamp()
    before = max((reading.usd_excess for reading in found.readings if reading.at <= at + 1e-3), default=ZERO)
    return max(ZERO, found.last.usd_excess - max(before, found.when_known))


def _sum(kind: str, rows: Sequence[Saving]) -> Saving:
    parts = ([row[place] for row in rows] for place in range(2, len(Saving._fields)))
    return Saving(kind, len(rows), *(sum(part, ZERO) for part in parts))  # type: ignore[arg-type]


def month_of(key: Key) -> str:
    """Give the month of a key."""
    return f"{date_of(key.day):%Y-%m}"
