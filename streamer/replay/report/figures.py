"""The figures of the report: who spent what on what, budgets, what throttling would have saved."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple, TypeVar

from alerts.throttle.command import Command, Mode
from streamer.config import BudgetConfig, Config
from streamer.periods import bounds, tells_the_end, title
from streamer.pricing.money import COST_KINDS, ZERO, added, dollars, less
from streamer.replay.charges import SUMS, Key, date_of, day_of
from streamer.replay.facts import Facts, Found, total

T = TypeVar("T")
Of = Callable[[Key], tuple[str, ...]]
Rows = Sequence[tuple[Key, list[int]]]
_MODES: tuple[Mode, Mode] = ("enforce", "suggest")
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


class Bounded(NamedTuple):
    """A split that stays short: the dearest holders, all others as one, what has no such name, and the whole.

    Rows, others and nameless add up to the whole, to the last digit. `many` is how many the others are.
    """

    rows: Sequence[Share]
    many: int
    others: Share | None
    nameless: Share | None
    whole: Share


def parted(found: Sequence[T], most: int) -> tuple[Sequence[T], Sequence[T]]:
    """Part a table of no more than `most` rows from the rest, which gets the last of them.

    >>> parted("abc", 3), parted("abcd", 3)
    (('abc', ''), ('ab', 'cd'))
    """
    many = len(found) if len(found) <= most else most - 1
    return found[:many], found[many:]


def bounded(facts: Facts, of: Of, most: int) -> Bounded:
    """Split all spend like `shares`, in no more rows than `most` and those of what is left."""
    found = shares(facts, of)
    rows, left = parted(found, most)
    shown = {share.names for share in rows}

    def which(key: Key) -> tuple[str, ...]:
        names = of(key)
        return ("shown" if names in shown else "others" if names else "nameless",)

    rest = {share.names[0]: share for share in shares(facts, which)}
    (whole,) = shares(facts, lambda _: ("all",)) or [_share(("all",), (), 0)]
    return Bounded(rows, len(left), rest.get("others"), rest.get("nameless"), whole)


def _share(names: tuple[str, ...], rows: Rows, whole: int) -> Share:
    split = [0] * len(COST_KINDS)
    for key, sums in rows:
        if key.kind in _KINDS:
            split[_KINDS[key.kind]] += sums[_USD]
    counts = total(sums for _, sums in rows)
    usd = counts.pop("femtodollars")
    return Share(names, dollars(usd), tuple(map(dollars, split)), counts, usd / whole if whole else 0.0)


def user(key: Key) -> tuple[str, ...]:
    """Say who used what is shown back: by month, the tenant's use case."""
    return month_of(key), key.tenant, key.use_case or "-"


def payer(config: Config) -> Of:
    """Say who pays, by month: the cost centre of the event's tags, else the use case's of the configuration."""
    agreed = {(use_case.tenant, use_case.name): use_case.cost_centre for use_case in config.use_cases}

    def of(key: Key) -> tuple[str, ...]:
        centre = key.cost_centre or agreed.get((key.tenant, key.use_case), "") or "(nobody named)"
        return month_of(key), centre, key.team or "-"

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
    by_tenant: dict[str, list[tuple[Key, list[int]]]] = defaultdict(list)
    for key, sums in facts.sums.items():
        by_tenant[key.tenant].append((key, sums))
    for budget in config.budgets:
        start, end = bounds(budget.period, facts.end)
        used = _used(budget, by_tenant[budget.tenant], day_of(start))
        since = max(start, facts.begin)
        # Of the period only what the data cover is known.
        covered = facts.end - since
        share = float(used / budget.limit)
        projected = share * (end - start) / covered if tells_the_end(covered) else None
        yield BudgetState(budget, title(budget.period, start), used, share, projected)


def _used(budget: BudgetConfig, rows: Rows, since: int) -> Decimal:
    found = total(sums for key, sums in rows if key.day >= since and budget.use_case in ("", key.use_case))
    if budget.metric == "usd":
        return dollars(found["femtodollars"])
    if budget.metric == "tokens":
        return Decimal(found["input_tokens"] + found["output_tokens"])
    return Decimal(found[budget.metric])


class Saving(NamedTuple):
    """Dollars above normal of one kind of anomaly: in all, before it was known, and after that.

    `enforced` and `suggested` are what came after a command of either mode: what it would have kept from being spent,
    at the most. Of a tenant's anomalies in one incident the dearest stands for all, for they see the same spend, and
    what several receivers have an incident of each counts once.
    """

    kind: str
    incidents: int
    above: Decimal
    before: Decimal
    after: Decimal
    enforced: Decimal
    suggested: Decimal


def savings(facts: Facts) -> list[Saving]:
    """Say what acting would have saved, by kind, the dearest first; an incident is of its dearest anomaly's kind."""
    commands: dict[tuple[str, str], list[Command]] = defaultdict(list)
    for command in facts.commands:
        if command.action != "release":
            commands[command.reason.incident, command.scope.tenant].append(command)
    told: Counter[str] = Counter()
    parts: dict[str, tuple[str, Found, list[Command]]] = {}
    for name, members in facts.members.items():
        if cases := _dearest(members, facts):
            kind = max(cases, key=_worth).last.kind
            told[kind] += 1
            for found in cases:
                _, _, asked = parts.setdefault(found.last.id, (kind, found, []))
                # What a storm took in may have been acted upon before.
                for asker in (name, *facts.incidents[name].incident.absorbed):
                    asked += commands[asker, found.last.tenant]
    rows = (_sum(kind, count, [part[1:] for part in parts.values() if part[0] == kind]) for kind, count in told.items())
    return sorted(rows, key=lambda saving: (-saving.above, saving.kind))


def _dearest(members: Iterable[str], facts: Facts) -> list[Found]:
    """Give the dearest of some anomalies of each tenant."""
    found: dict[str, Found] = {}
    for case in (facts.anomalies[member] for member in members):
        found[case.last.tenant] = max(found.get(case.last.tenant, case), case, key=_worth)
    return list(found.values())


def _worth(found: Found) -> tuple[Decimal, str]:
    return found.last.usd_excess, found.last.id


def _sum(kind: str, incidents: int, parts: Sequence[tuple[Found, Sequence[Command]]]) -> Saving:
    rows = [_amounts(found, commands) for found, commands in parts]
    above, before, enforced, suggested = (added(row[place] for row in rows) for place in range(4))
    return Saving(kind, incidents, above, before, less(above, before), enforced, suggested)


def _amounts(found: Found, commands: Sequence[Command]) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """Give the dollars above normal: in all, before it was known, after an enforced command, after a suggested one."""
    above, after = found.last.usd_excess, [_after(found, commands, mode) for mode in _MODES]
    return above, min(found.when_known, above), after[0], after[1]


def _after(found: Found, commands: Sequence[Command], mode: Mode) -> Decimal:
    """Give the dollars above normal that came after the first command of a mode."""
    issued = [command.issued_at for command in commands if command.mode == mode]
    if not issued:
        return ZERO
    at = min(issued).timestamp()
    before = max((reading.usd_excess for reading in found.readings if reading.at <= at + 1e-3), default=ZERO)
    return max(ZERO, found.last.usd_excess - max(before, found.when_known))


def month_of(key: Key) -> str:
    """Give the month of a key."""
    return f"{date_of(key.day):%Y-%m}"
