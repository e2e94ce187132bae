"""A showback as a Slack message in Block Kit."""

from collections.abc import Sequence
from decimal import Decimal

from alerts.showback import Report, Row, changed, headline, kind_row, share
from alerts.slack.blocks import HEADER, Blocks, clip, context, escape, header, section
from alerts.text import money, plain

_BAR = 10
_MOST, _LONGEST = 10, 200


def report_message(report: Report) -> tuple[str, Blocks]:
    """Give the fallback text and the blocks: the most of it in the header, then by holder and by kind of cost."""
    title = headline(report)
    blocks = [header(title), section("*Kinds of cost*\n" + _kinds(report))]
    for name, rows in (("By use case", report.use_cases), ("By agent", report.agents)):
        if rows:
            blocks.append(section("\n".join([f"*{name}*", *_rows(rows, report)])))
    for name, told in (("Budgets", report.budgets), ("What cost most above normal", report.causes)):
        if told:
            blocks.append(section("\n".join([f"*{name}*", *(f"• {_line(each)}" for each in told[:_MOST])])))
    if report.saved:
        blocks.append(section(f"Throttling saved about *{money(report.saved)}* (an estimate)"))
    blocks.append(context(f"showback of the {report.span} · {_line(report.whose)} · {_line(report.when)}"))
    return clip(escape(title), HEADER), blocks


def _kinds(report: Report) -> str:
    spent = [row for row in report.kinds if row.usd or row.before]
    return " · ".join(escape(kind_row(row)) for row in spent) or "nothing was spent"


def _rows(rows: Sequence[Row], report: Report) -> list[str]:
    told = [
        f"`{_bar(share(row, report))}` {money(row.usd)}  {_line(row.name)}  _{changed(row)}_" for row in rows[:_MOST]
    ]
    return [*told, f"and {len(rows) - _MOST} more"] if len(rows) > _MOST else told


def _bar(part: Decimal) -> str:
    full = min(_BAR, max(0, round(part * _BAR)))
    return "█" * full + "░" * (_BAR - full)


def _line(text: str) -> str:
    return escape(clip(plain(text), _LONGEST))
