"""A showback as a Slack message in Block Kit."""

from collections.abc import Sequence
from decimal import Decimal

from alerts.showback import Report, Row, arrow, headline, share
from alerts.slack.blocks import HEADER, Blocks, clip, context, escape, header, section
from alerts.text import COSTS, money, plain, short_money

_BAR = 6
_MOST, _LONGEST = 10, 200


def report_message(report: Report) -> tuple[str, Blocks]:
    """Give the fallback text and the blocks: the most of it in the header, then by holder and by kind of cost."""
    title = headline(report)
    blocks = [header(title)]
    kinds = [Row(COSTS[row.name], row.usd, row.before) for row in report.kinds if row.usd or row.before]
    for name, rows in (("By use case", report.use_cases), ("By agent", report.agents), ("By kind of cost", kinds)):
        if rows:
            blocks.append(section("\n".join([f"*{name}*", *_rows(rows, report)])))
    for name, told in (("Budgets", report.budgets), ("What cost most above normal", report.causes)):
        if told:
            blocks.append(section("\n".join([f"*{name}*", *(f"• {_line(each)}" for each in told[:_MOST])])))
    if report.saved:
        blocks.append(section(f"Throttling saved about *{money(report.saved)}* (an estimate)"))
    against = f"▲ ▼ against the {report.span} before"
    blocks.append(context(f"showback of the {report.span} · {_line(report.whose)} · {report.dates} · {against}"))
    return clip(escape(title), HEADER), blocks


def _rows(rows: Sequence[Row], report: Report) -> list[str]:
    told = [
        f"`{_bar(share(row, report))}` {short_money(row.usd)}  {_line(row.name)}  {arrow(row)}" for row in rows[:_MOST]
    ]
    return [*told, f"and {len(rows) - _MOST} more"] if len(rows) > _MOST else told


def _bar(part: Decimal) -> str:
    full = min(_BAR, max(0, round(part * _BAR)))
    return "█" * full + "░" * (_BAR - full)


def _line(text: str) -> str:
    return escape(clip(plain(text), _LONGEST))
