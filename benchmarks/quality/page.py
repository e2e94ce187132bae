"""Puts the kept figures into a page: `python -m benchmarks.quality.page docs/quality.md`.

What stands between `<!-- begin NAME -->` and `<!-- end NAME -->` is replaced; where a part was not measured it stays.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from benchmarks.quality import kept, sheets
from benchmarks.quality.sheets import Sheet

# Of pictures, beside the page.
FOLDER = "pictures"


@click.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True))
def main(path: Path) -> None:
    """Put the figures of build/quality.json into the page at PATH."""
    path.write_text(filled(path.read_text(), kept.read()))


def filled(page: str, figures: Mapping[str, Any]) -> str:
    """Give the page with the figures in it; raises ValueError where a section has no marks."""
    for name, (part, written) in _SECTIONS.items():
        if part in figures:
            page = _replaced(page, name, written(figures[part]))
    return page


def markdown(sheet: Sheet) -> str:
    r"""Write a table in Markdown, with its title above it.

    >>> print(markdown(Sheet("Two", ("", "n"), [("a|b", "1")])))
    **Two**
    <BLANKLINE>
    |  | n |
    |---|--:|
    | a\|b | 1 |
    """
    rules = "|".join(["---", *("--:" for _ in sheet.columns[1:])])
    lines = [_row(sheet.columns), f"|{rules}|", *map(_row, sheet.rows)]
    return "\n".join([f"**{sheet.title}**", "", *lines])


def _replaced(page: str, name: str, text: str) -> str:
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    if begin not in page or end not in page:
        raise ValueError(f"the page has no {begin} ... {end}")
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{text}\n{end}", page, flags=re.DOTALL)


def _row(cells: Iterable[str]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _told(found: Iterable[Sheet]) -> str:
    return "\n\n".join(map(markdown, found))


def _summary(figures: Mapping[str, Any]) -> str:
    seeds = ", ".join(map(str, figures["seeds"]))
    return (
        f"Seeds {seeds}: {figures['tenants']} tenants, of which {figures['clean_tenants']} have nothing planted;"
        f" {figures['events']:,} events, {figures['false_alarms']['tenant_days']:.0f} tenant-days,"
        f" {figures['all']['planted']} plantings."
    )


def _nab(figures: Mapping[str, Any]) -> str:
    return str(figures["left_out"]) if "left_out" in figures else _told(sheets.of_nab(dict(figures)))


def _pictures(found: Iterable[Mapping[str, str]]) -> str:
    shown = [f"![{_title(one['caption'])}]({FOLDER}/{one['file']})\n\n*{_plain(one['caption'])}*" for one in found]
    return "\n\n".join(shown)


def _title(caption: str) -> str:
    return caption.partition(". ")[0].partition(":")[0]


def _plain(caption: str) -> str:
    return re.sub(r"([*_$])", r"\\\1", caption)


_SECTIONS: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "summary": ("scenarios", _summary),
    "targets": ("scenarios", lambda figures: markdown(sheets.of_targets(figures))),
    "kinds": ("scenarios", lambda figures: markdown(sheets.of_kinds(figures))),
    "strengths": ("scenarios", lambda figures: markdown(sheets.of_strengths(figures))),
    "tenants": ("scenarios", lambda figures: markdown(sheets.of_tenants(figures))),
    "false alarms": ("scenarios", lambda figures: _told(sheets.of_false_alarms(figures))),
    "cost": ("scenarios", lambda figures: markdown(sheets.of_cost(figures["cost"]))),
    "memory": ("memory", lambda figures: markdown(sheets.of_cost(figures))),
    "nab": ("nab", _nab),
    "pictures": ("pictures", _pictures),
}


if __name__ == "__main__":
    main()
