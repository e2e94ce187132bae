"""Writes the report: one HTML file that needs nothing beside it, and no script."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from alerts.text import money, plain
from streamer.clock import utc
from streamer.config import Config
from streamer.pricing.money import COST_KINDS, added, dollars
from streamer.replay.facts import Facts
from streamer.replay.report import charts, figures, incidents, windows
from streamer.replay.run import Totals
from streamer.replay.scorecards import Scorecard

# Rows of a table of spend, and of a longer one; what is more becomes one row.
_ROWS, _BILL = 15, 40
_KINDS = tuple(kind.replace("_", " ") for kind in COST_KINDS)


class Findings(NamedTuple):
    """All that a replay found: in sums, by use case, and of the sources; `rollups` is the file of closed windows."""

    summary: dict[str, Any]
    facts: Facts
    cards: Sequence[Scorecard]
    totals: Totals
    rollups: Path


def write(config: Config, found: Findings) -> bytes:
    """Give the page."""
    return render("report.html.j2", _content(config, found))


def render(template: str, content: dict[str, Any]) -> bytes:
    """Fill one of the templates beside this module; every name from outside is escaped, and shown printable."""
    folder = FileSystemLoader(Path(__file__).parent)
    pages = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pages.filters |= {"usd": _usd, "moment": _moment, "share": _percent, "name": plain, "span": _span, "count": _count}
    return pages.get_template(template).render(content).encode()


def _content(config: Config, found: Findings) -> dict[str, Any]:
    summary, facts, cards, totals, rollups = found
    savings = figures.savings(facts)
    bars, width = windows.bars(rollups, facts.begin, facts.end) if facts.read else ([], 1.0)
    return {
        "summary": summary,
        "facts": facts,
        "begin": utc(facts.begin) if facts.read else None,
        "end": utc(facts.end) if facts.read else None,
        "kinds": list(zip(COST_KINDS, _KINDS, strict=True)),
        "above": added(saving.above for saving in savings),
        "spend": charts.spend_over_time(bars, width) if bars else "",
        "spenders": _spenders(facts) if facts.read else [],
        **incidents.content(config, facts, rollups),
        "budgets": _budgets(list(figures.budgets(config, facts)) if facts.read else []),
        "savings": savings,
        "showback": figures.bounded(facts, figures.user, _BILL),
        "chargeback": figures.bounded(facts, figures.payer(config), _BILL),
        "cards": _cards(cards),
        "totals": totals,
        "dirt": _dirt(totals),
    }


def _spenders(facts: Facts) -> list[tuple[str, tuple[str, ...], figures.Bounded]]:
    splits: list[tuple[str, tuple[str, ...], figures.Of]] = [
        ("tenant", ("tenant",), lambda key: (key.tenant,)),
        ("use case", ("tenant", "use case"), lambda key: (key.tenant, key.use_case) if key.use_case else ()),
        (
            "agent",
            ("tenant", "use case", "agent"),
            lambda key: (key.tenant, key.use_case, key.agent) if key.agent else (),
        ),
        ("model", ("provider", "model"), lambda key: (key.provider, key.model) if key.model else ()),
    ]
    return [(title, heads, figures.bounded(facts, of, _ROWS)) for title, heads, of in splits]


class Cards(NamedTuple):
    """The scorecards that are shown: those that miss their hypothesis first, then the dearest; and all others as one.

    `verdicts` says how many of the others have which.
    """

    rows: Sequence[Scorecard]
    many: int
    usd: Decimal
    usd_not_tokens: Decimal
    outcomes: int
    verdicts: str


def _cards(cards: Sequence[Scorecard]) -> Cards:
    found = sorted(cards, key=lambda card: card.verdict != "missed")
    rows, rest = figures.parted(found, _BILL)
    verdicts = ", ".join(f"{count:,} {name}" for name, count in Counter(card.verdict for card in rest).most_common())
    usd, not_tokens = added(card.usd for card in rest), added(card.usd_not_tokens for card in rest)
    return Cards(rows, len(rest), usd, not_tokens, sum(card.outcomes for card in rest), verdicts)


class Budgets(NamedTuple):
    """The budgets that are shown, the fullest first; how many others there are, and how many of those are used up."""

    rows: Sequence[figures.BudgetState]
    many: int
    over: int


def _budgets(states: Sequence[figures.BudgetState]) -> Budgets:
    found = sorted(states, key=lambda state: -state.share)
    rows, rest = figures.parted(found, _BILL)
    return Budgets(rows, len(rest), sum(state.share >= 1 for state in rest))


class Dirt(NamedTuple):
    """One way in which data were not as they should be: what it means, how often, and of how many events."""

    what: str
    means: str
    events: int
    part: float


def _dirt(totals: Totals) -> list[Dirt]:
    events, rejected = totals.events, totals.faults.rejected.total()
    read = events["counted"] + events["duplicate"] + rejected
    rows = [
        ("late", "came after its window had closed: counted, not judged", events["late"]),
        ("duplicate", "repeats of an id that had been seen: counted once", events["duplicate"]),
        ("unpriced", "no price is known: counted at 0 dollars", events["unpriced"]),
        ("rejected", "not a usable event: left out, and named below", rejected),
        ("folded", "beyond the bound of sessions a window: counted as `other`", events["folded"]),
        ("forgotten", "ids that were forgotten early: repeats of these would count twice", events["forgotten"]),
    ]
    return [Dirt(what, means, count, count / read if read else 0.0) for what, means, count in rows]


def _usd(amount: Decimal | int | None) -> str:
    """Write dollars; whole numbers are femtodollars."""
    if amount is None:
        return "-"
    return money(dollars(amount) if isinstance(amount, int) else amount)


def _moment(at: datetime | float | None) -> str:
    if at is None:
        return "-"
    return f"{at if isinstance(at, datetime) else utc(at):%Y-%m-%d %H:%M:%S}"


def _percent(part: float) -> str:
    if part and part < 0.001:
        return "< 0.1 %"
    return f"{part:.1%}".replace("%", " %")


def _span(seconds: float) -> str:
    """Write a length of time: `3 min`, `2.5 h`."""
    for size, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _count(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 or number == int(number) else f"{number:,.3g}"
