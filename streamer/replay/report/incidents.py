"""The incidents of the report: all of them over time, the dearest with pictures, others in a row each or as one."""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from alerts.text import who
from alerts.throttle.command import Command
from streamer.config import Config
from streamer.pricing.money import added
from streamer.records import Anomaly
from streamer.replay.facts import Facts, Found, Message
from streamer.replay.report import charts, windows
from streamer.replay.report.figures import parted

# Incidents that get a picture each, the dearest; more of them that get a row of the time line, and of the table.
_PICTURES, _LINES, _ROWS = 12, 25, 40


class Row(NamedTuple):
    """An incident in a line: its main anomaly, and whose that is."""

    message: Message
    found: Found

    @property
    def who(self) -> str:
        """Name the part that the anomaly is about."""
        return who(self.message.incident.alerts[self.found.last.id])


class Shown(NamedTuple):
    """An incident as the page shows it: its main anomaly, why that was opened, its picture and what was done."""

    message: Message
    case: Anomaly
    reason: str
    who: str
    picture: str
    commands: Sequence[Command]


class Others(NamedTuple):
    """Incidents that are shown as one: how many, dollars above normal, messages."""

    many: int
    above: Decimal
    messages: int


def content(config: Config, facts: Facts, rollups: Path) -> dict[str, Any]:
    """Give what the page tells of incidents."""
    found = [Row(message, _main(message, facts)) for message in _by_cost(facts)]
    rows, rest = parted(found[_PICTURES:], _ROWS)
    above = added(row.message.incident.usd_excess for row in rest)
    return {
        "crowd": _crowd(facts) if len(found) > _LINES else "",
        "line": _time_line(found[:_LINES], facts) if found else "",
        "lines": _LINES,
        "shown": list(_shown(config, found[:_PICTURES], facts, rollups)),
        "more": rows,
        "others": Others(len(rest), above, sum(row.message.times for row in rest)),
    }


def _by_cost(facts: Facts) -> list[Message]:
    return sorted(facts.incidents.values(), key=lambda m: (-m.incident.usd_excess, m.incident.opened_at, m.incident.id))


def _shown(config: Config, rows: Sequence[Row], facts: Facts, rollups: Path) -> Iterator[Shown]:
    wants = [windows.wanted(row.found, facts.begin, facts.end) for row in rows]
    drawn = windows.curves(rollups, wants, config.windows.size_seconds)
    for row, want, curve in zip(rows, wants, drawn, strict=True):
        commands = [command for command in facts.commands if command.reason.incident == row.message.incident.id]
        picture = charts.series(curve, want.begin, want.end) if curve.points and want.end > want.begin else ""
        yield Shown(row.message, row.found.last, row.found.first.reason, row.who, picture, commands)


def _main(message: Message, facts: Facts) -> Found:
    """Find the anomaly that says most of an incident: the dearest of those that opened first."""
    found = [facts.anomalies[alert] for alert in message.incident.alerts]
    return max(found, key=lambda one: (one.last.usd_excess, -one.last.opened_at.timestamp(), one.last.id))


def _crowd(facts: Facts) -> str:
    """Draw how many were opened when, of all incidents."""
    width = windows.width_of(facts.begin, facts.end)
    counts = Counter(
        (int(m.incident.opened_at.timestamp() // width), m.incident.severity) for m in facts.incidents.values()
    )
    first, last = int(facts.begin // width), int(facts.end // width)
    bars = [
        charts.Bar(number * width, [counts[number, severity] for severity in charts.SEVERITIES])
        for number in range(first, last + 1)
    ]
    return charts.incidents_over_time(bars, width)


def _time_line(rows: Sequence[Row], facts: Facts) -> str:
    in_order = sorted(rows, key=lambda row: (row.message.incident.opened_at, row.message.incident.id))
    return charts.time_line([_case(row) for row in in_order], facts.begin, facts.end)


def _case(row: Row) -> charts.Case:
    incident = row.message.incident
    until = incident.resolved_at.timestamp() if incident.resolved_at else None
    name = f"{row.who}: {row.found.last.kind}"
    return charts.Case(name, incident.severity, incident.opened_at.timestamp(), row.message.first, until)
