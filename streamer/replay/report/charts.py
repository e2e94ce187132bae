"""The charts of the report: matplotlib draws them as SVG, and the page's style colours them, by day and by night."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple
from warnings import catch_warnings, filterwarnings

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from alerts.alert import Severity
from streamer.clock import utc
from streamer.pricing.money import COST_KINDS

#: Colours that matplotlib is given, and the variables of the page's style that take their places.
_INK = {
    "#010101": "var(--ink)",
    "#020202": "var(--soft)",
    "#030303": "var(--grid)",
    "#040404": "var(--seen)",
    "#050505": "var(--band)",
    "#060606": "var(--info)",
    "#070707": "var(--warning)",
    "#080808": "var(--critical)",
    "#090909": "var(--open)",
    **{f"#0a0a{place:02x}": f"var(--{kind.replace('_', '-')})" for place, kind in enumerate(COST_KINDS)},
}
_INKS = {value[6:-1]: name for name, value in _INK.items()}
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tidegate",
    "font.size": 9,
    "text.color": _INKS["ink"],
    "axes.edgecolor": _INKS["soft"],
    "axes.labelcolor": _INKS["soft"],
    "xtick.color": _INKS["soft"],
    "ytick.color": _INKS["soft"],
    "text.parse_math": False,
    "timezone": "UTC",
}
_BARE = {"Creator": None, "Date": None, "Format": None, "Type": None}
_WIDE = 8.4
# How much of its stretch of time a bar takes.
_FULL = 0.92
#: The order in which incidents are stacked.
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")


class Bar(NamedTuple):
    """A stretch of time that begins at `at` (epoch seconds), and what was in it: dollars by kind of cost, or counts."""

    at: float
    parts: Sequence[float]


class Case(NamedTuple):
    """An incident on the time line; `until` is None where it was still open at the end."""

    name: str
    severity: str
    since: float
    known: float
    until: float | None


class Curve(NamedTuple):
    """One series: points (epoch seconds, value), and what was usual of it from moment to moment.

    `usual` are (epoch seconds, expected, ceiling or None); `known` is when it was known, `until` when it was over.
    """

    label: str
    points: Sequence[tuple[float, float]]
    usual: Sequence[tuple[float, float, float | None]]
    known: float
    until: float | None
    lines: Sequence[tuple[str, float]] = ()


def spend_over_time(bars: Sequence[Bar], width: float) -> str:
    """Draw stacked bars of `width` seconds, of dollars by kind of cost."""
    colours = [_INKS[kind.replace("_", "-")] for kind in COST_KINDS]
    return _stacked(bars, width, colours, "dollars", "Spend over time, by kind of cost", high=2.5)


def incidents_over_time(bars: Sequence[Bar], width: float) -> str:
    """Draw stacked bars of `width` seconds, of how many incidents were opened, by severity."""
    colours = [_INKS[severity] for severity in SEVERITIES]
    return _stacked(bars, width, colours, "incidents", "Incidents over time, by severity", high=1.6)


def _stacked(bars: Sequence[Bar], width: float, colours: Sequence[str], label: str, title: str, *, high: float) -> str:
    with _figure(high, title) as (axes, done):
        left, floor = [_day(bar.at) for bar in bars], [0.0] * len(bars)
        for place, colour in enumerate(colours):
            heights = [bar.parts[place] for bar in bars]
            if any(heights):
                axes.bar(left, heights, width / 86_400 * _FULL, floor, align="edge", color=colour)
            floor = [low + high for low, high in zip(floor, heights, strict=True)]
        # No day of the next month, which the dates would be named after.
        axes.set_xlim(left[0], _day(bars[-1].at + width * _FULL))
        _dates(axes)
        axes.set_ylabel(label)
        axes.yaxis.set_major_formatter(FuncFormatter(_short))
        axes.set_ylim(bottom=min(0.0, *floor, 0.0))
    return done[0]


def time_line(cases: Sequence[Case], begin: float, end: float) -> str:
    """Draw each incident as a bar from its opening to its end, a row each."""
    with _figure(0.55 + 0.24 * len(cases), "Incidents over time") as (axes, done):
        for row, case in enumerate(cases):
            colour, until = _INKS[case.severity], case.until if case.until is not None else end
            length = max(_day(until) - _day(case.since), (_day(end) - _day(begin)) / 300)
            axes.barh(row, length, left=_day(case.since), height=0.56, color=colour)
            if case.until is None:
                axes.plot([_day(end)], [row], marker=">", color=colour, markersize=6, clip_on=False)
        axes.set_yticks(range(len(cases)), [_cut(case.name, 46) for case in cases])
        axes.set_ylim(len(cases) - 0.4, -0.6)
        axes.set_xlim(_day(begin), _day(end))
        axes.tick_params(axis="y", length=0)
        _dates(axes)
        axes.grid(axis="x", color=_INKS["grid"], linewidth=0.7)
        axes.grid(visible=False, axis="y")
    return done[0]


def series(curve: Curve, begin: float, end: float) -> str:
    """Draw a series with the band of what is usual, the ceiling above that, and the moment when it was known."""
    with _figure(2.3, curve.label) as (axes, done):
        until = curve.until if curve.until is not None else end
        axes.axvspan(_day(curve.known), _day(max(until, curve.known)), color=_INKS["open"], linewidth=0)
        _usual(axes, curve, begin, end)
        axes.plot(
            [_day(at) for at, _ in curve.points],
            [value for _, value in curve.points],
            color=_INKS["seen"],
            linewidth=1.4,
        )
        for name, height in curve.lines:
            axes.axhline(height, color=_INKS["critical"], linewidth=1, linestyle=(0, (4, 2)))
            axes.annotate(
                name, (_day(begin), height), (3, 2), textcoords="offset points", color=_INKS["soft"], fontsize=8
            )
        axes.axvline(_day(curve.known), color=_INKS["critical"], linewidth=1.4)
        top = axes.get_ylim()[1]
        axes.annotate(
            "known",
            (_day(curve.known), top),
            (3, -9),
            textcoords="offset points",
            color=_INKS["critical"],
            fontsize=8.5,
        )
        axes.set_xlim(_day(begin), _day(end))
        axes.set_ylim(bottom=0)
        axes.set_ylabel(curve.label)
        axes.yaxis.set_major_formatter(FuncFormatter(_short))
        _dates(axes)
    return done[0]


def _usual(axes: Axes, curve: Curve, begin: float, end: float) -> None:
    """Draw what was usual; before it was known, and after it was over, as it stood then."""
    if not curve.usual:
        return
    first, last = curve.usual[0], curve.usual[-1]
    points = [(begin, *first[1:]), *curve.usual, (end, *last[1:])]
    days, expected = [_day(at) for at, _, _ in points], [usual for _, usual, _ in points]
    axes.step(days, expected, where="post", color=_INKS["soft"], linewidth=1.1, linestyle=(0, (1, 1.5)))
    ceilings = [ceiling for _, _, ceiling in points if ceiling is not None]
    if len(ceilings) == len(points):
        axes.fill_between(days, expected, ceilings, step="post", color=_INKS["band"], linewidth=0)
        axes.step(days, ceilings, where="post", color=_INKS["ink"], linewidth=1.1, linestyle=(0, (4, 2)))


@contextmanager
def _figure(height: float, title: str) -> Iterator[tuple[Axes, list[str]]]:
    """Give axes to draw on; the list holds the drawing when the context ends."""
    done: list[str] = []
    with rc_context(_STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(_WIDE, height), layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color=_INKS["grid"], linewidth=0.7)
        axes.set_axisbelow(True)
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
        yield axes, done
        figure.patch.set_visible(False)
        axes.patch.set_visible(False)
        drawn = io.StringIO()
        with catch_warnings():
            # The reader's browser draws the letters: that a font here has none of them concerns its measures only.
            filterwarnings("ignore", message="Glyph .* missing from")
            figure.savefig(drawn, format="svg", metadata=_BARE)
    done.append(_inline(drawn.getvalue(), title))


def _inline(drawn: str, title: str) -> str:
    """Make a drawing part of a page: without its own head, ids and colours, and with a name for who cannot see it."""
    body = drawn[drawn.index("<svg ") :]
    box = re.search(r'viewBox="([^"]+)"', body)
    inner = body[body.index(">") + 1 : body.rindex("</svg>")]
    inner = re.sub(r"<metadata>.*?</metadata>", "", inner, flags=re.DOTALL)
    inner = re.sub(r'<g id="[^"]*"', "<g", inner)
    inner = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", inner)
    inner = re.sub(r"#0[1-9a][01-9a-f]{4}", lambda found: _INK.get(found[0], found[0]), inner)
    inner = inner.replace("xlink:href", "href")
    label = title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return f'<svg class="chart" role="img" aria-label="{label}" viewBox="{box[1] if box else ""}">{inner}</svg>'


def _dates(axes: Axes) -> None:
    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _day(at: float) -> float:
    moment: datetime = utc(at)
    return float(date2num(moment))  # type: ignore[no-untyped-call]


def _short(value: float, _: object = None) -> str:
    """Write a number for an axis: `12k`, `3.5M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
