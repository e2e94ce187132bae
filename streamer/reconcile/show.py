"""A reconciliation for people: the sums, what explains the gap, and the days and models where it is largest."""

from collections.abc import Mapping
from decimal import Decimal

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from alerts.text import plain
from streamer.reconcile.compare import Cell, Reason, Reconciliation

_WORDS: Mapping[Reason, str] = {
    "credits": "credits, refunds and corrections",
    "other_charges": "tax and purchases",
    "not_yet_billed": "days that are not yet billed",
    "not_in_bill": "usage that the bill has not",
    "not_in_stream": "usage that the stream has not",
    "unpriced": "usage without a price here",
    "volume": "more or fewer tokens",
    "price": "the same tokens at another price",
    "unexplained": "not explained: the bill tells no tokens",
}


def shown(found: Reconciliation, most: int) -> RenderableType:
    """Draw the tables, the second with the `most` largest gaps."""
    return Group(_sums(found), _cells(found, most), _rest(found, most))


def _sums(found: Reconciliation) -> Table:
    table = Table(title="Stream and bill")
    table.add_column("")
    table.add_column("USD", justify="right")
    table.add_row("stream estimated", _money(found.stream))
    for reason, usd in sorted(found.because.items(), key=lambda part: -abs(part[1])):
        table.add_row(f"  {_WORDS[reason]} ({reason})", f"{usd:+,.6f}")
    table.add_row("bill says", _money(found.bill), style="bold")
    return table


def _cells(found: Reconciliation, most: int) -> Table:
    table = Table(title="Where the gap is largest", box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("day", no_wrap=True)
    for name in ("service", "model", "tenant"):
        table.add_column(name, overflow="fold")
    for name in ("stream", "bill", "gap"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("mostly", no_wrap=True)
    for cell in sorted(_gaps(found), key=lambda cell: (-abs(cell.gap), cell.day))[:most]:
        main = max(cell.because, key=lambda reason: abs(cell.because[reason]), default="")
        amounts = (f"{cell.stream:,.4f}", f"{cell.bill:,.4f}", f"{cell.gap:+,.4f}")
        # As Text, for brackets in a name are no markup.
        names = (Text(plain(name)) for name in (cell.service, cell.model, cell.tenant))
        table.add_row(str(cell.day), *names, *amounts, main)
    return table


def _gaps(found: Reconciliation) -> list[Cell]:
    return [cell for cell in found.cells if cell.gap]


def _rest(found: Reconciliation, most: int) -> str:
    lines = []
    if (count := len(_gaps(found))) > most:
        lines.append(f"{count - most} more of {count}: --most, or --json for all")
    if found.left_out:
        rows = "row" if found.left_out == 1 else "rows"
        lines.append(f"{found.left_out} {rows} of other services left out, {_money(found.usd_left_out)} USD: --service")
    return "\n".join(lines)


def _money(usd: Decimal) -> str:
    return f"{usd:,.6f}"
