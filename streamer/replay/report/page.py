"""Writes the report: one HTML file that needs nothing beside it, and no script."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from alerts.text import money, plain, who
from alerts.throttle.command import Command
from streamer.clock import utc
from streamer.config import Config
from streamer.pricing.money import COST_KINDS, dollars
from streamer.records import Anomaly
from streamer.replay.facts import Facts, Found, Message
from streamer.replay.report import charts, figures, windows
from streamer.replay.run import Totals
from streamer.replay.scorecards import Scorecard

# Incidents that get a picture each, the dearest; rows of a table; rows of the time line.
_PICTURES, _ROWS, _LINES = 12, 15, 25
_KINDS = tuple(kind.replace("_", " ") for kind in COST_KINDS)


class Shown(NamedTuple):
    """An incident as the page shows it: its main anomaly, why it was opened, its picture and what was done."""

    message: Message
    case: Anomaly
    reason: str
    who: str
    picture: str
    commands: Sequence[Command]


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
    shown = list(_incidents(config, facts, rollups))
    bars, width = windows.bars(rollups, facts.begin, facts.end) if facts.read else ([], 1.0)
    return {
        "summary": summary,
        "facts": facts,
        "begin": utc(facts.begin) if facts.read else None,
        "end": utc(facts.end) if facts.read else None,
        "kinds": list(zip(COST_KINDS, _KINDS, strict=True)),
        "above": sum((saving.above for saving in figures.savings(facts)), Decimal(0)),
        "spend": charts.spend_over_time(bars, width) if bars else "",
        "spenders": _spenders(facts),
        "rows": _ROWS,
        "line": _time_line(facts) if facts.incidents else "",
        "lines": _LINES,
        "shown": shown,
        "all": _by_cost(facts),
        "budgets": list(figures.budgets(config, facts)) if facts.read else [],
        "savings": figures.savings(facts),
        "showback": figures.shares(facts, lambda key: (figures.month_of(key), key.tenant, key.use_case or "-")),
        "chargeback": figures.shares(facts, figures.payer(config)),
        "cards": cards,
        "totals": totals,
        "dirt": _dirt(totals),
    }


def _spenders(facts: Facts) -> list[tuple[str, tuple[str, ...], list[figures.Share]]]:
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
    return [(title, heads, figures.shares(facts, of)) for title, heads, of in splits]


def _by_cost(facts: Facts) -> list[Message]:
    return sorted(facts.incidents.values(), key=lambda m: (-m.incident.usd_excess, m.incident.opened_at, m.incident.id))


def _incidents(config: Config, facts: Facts, rollups: Path) -> Iterator[Shown]:
    messages = _by_cost(facts)[:_PICTURES]
    cases = [_main(message, facts) for message in messages]
    wants = [windows.wanted(found, facts.begin, facts.end) for found in cases]
    drawn = windows.curves(rollups, wants, config.windows.size_seconds)
    for message, found, want, curve in zip(messages, cases, wants, drawn, strict=True):
        commands = [command for command in facts.commands if command.reason.incident == message.incident.id]
        picture = charts.series(curve, want.begin, want.end) if curve.points and want.end > want.begin else ""
        yield Shown(message, found.last, found.first.reason, who(message.incident.main), picture, commands)


def _main(message: Message, facts: Facts) -> Found:
    """Find the anomaly that says most of an incident: the dearest of those that opened first."""
    found = [facts.anomalies[alert] for alert in message.incident.alerts]
    return max(found, key=lambda one: (one.last.usd_excess, -one.last.opened_at.timestamp(), one.last.id))


def _time_line(facts: Facts) -> str:
    messages = sorted(_by_cost(facts)[:_LINES], key=lambda m: (m.incident.opened_at, m.incident.id))
    return charts.time_line([_case(message) for message in messages], facts.begin, facts.end)


def _case(message: Message) -> charts.Case:
    incident = message.incident
    until = incident.resolved_at.timestamp() if incident.resolved_at else None
    name = f"{who(incident.main)}: {incident.main.labels.get('kind', '')}"
    return charts.Case(name, incident.severity, incident.opened_at.timestamp(), message.first, until)


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
