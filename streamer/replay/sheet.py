"""Tables for spreadsheets, which take some texts for formulas."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def sheet(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Write a table as CSV; a text that a spreadsheet would obey gets a mark before it, and is shown.

    >>> sheet(("name", "dollars"), [("=1+1", 5)])
    b"name,dollars\\n'=1+1,5\\n"
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(heads)
    table.writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    # A dash by itself stands for what nobody named.
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) and value != "-" else value
