"""The report of a replay: one plain HTML page that opens offline."""

import html
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from streamer.records import Anomaly

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Tidegate replay</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ max-width: 70rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100%; margin-bottom: 2rem }}
th, td {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; vertical-align: top }}
td.n {{ text-align: right; font-variant-numeric: tabular-nums }}
</style>
<h1>Tidegate replay</h1>
{body}
</html>
"""


def write(path: Path, summary: dict[str, Any], anomalies: Iterable[Anomaly]) -> None:
    """Write the page: what was spent by whom and on what, and what would have been noticed."""
    tenants = [
        (tenant, *(split.get(kind, 0) for kind in summary["usd_by_kind"]), sum(split.values()))
        for tenant, split in summary["usd_by_tenant"].items()
    ]
    found = [
        (f"{a.opened_at:%Y-%m-%d %H:%M:%S}", a.kind, a.severity, a.series.partition("#")[0], a.reason, a.usd_excess)
        for a in sorted(anomalies, key=lambda a: a.opened_at)
    ]
    body = (
        f"<p>{summary['events'].get('counted', 0):,} events, {summary['usd']:,f} dollars.</p>"
        + _table("Spend by tenant and kind of cost (dollars)", ["tenant", *summary["usd_by_kind"], "all"], tenants)
        + _table("Anomalies", ["known at (UTC)", "kind", "severity", "who", "why", "dollars above normal"], found)
        + _table("Events", ["what became of them", "count"], sorted(summary["events"].items()))
    )
    path.write_text(_PAGE.format(body=body), encoding="utf-8")


def _table(title: str, heads: list[str], rows: Iterable[tuple[Any, ...]]) -> str:
    top = "".join(f"<th>{html.escape(head)}</th>" for head in heads)
    lines = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return f"<h2>{html.escape(title)}</h2><table><tr>{top}</tr>{lines}</table>"


def _cell(value: Any) -> str:
    return f"<td>{html.escape(value)}</td>" if isinstance(value, str) else f'<td class="n">{value:,}</td>'
