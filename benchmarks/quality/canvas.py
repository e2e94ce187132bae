"""Puts curves, what was planted in them and what was told of it on a picture; the colours can be told apart by all.

They are of Okabe and Ito's palette (Color Universal Design, 2008).
"""

import io
import textwrap
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

HOURS = "hours from the tenant's first event"
BLUE, ORANGE, RED, BLACK, GREY = "#0072B2", "#E69F00", "#D55E00", "#000000", "#777777"
# In inches: a picture's width, a panel's height, and the height of its title and of each line below that.
_WIDE, _HIGH, _TITLE, _LINE, _DPI = 8.6, 2.6, 0.32, 0.17, 110
_LETTERS, _COLOURS = 120, 48
Style = Literal["seen", "ceiling", "expected", "steps"]


class Span(NamedTuple):
    """From and to, on a panel's axis."""

    start: float
    end: float


class Line(NamedTuple):
    """One curve."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    style: Style


class Panel(NamedTuple):
    """One axis: its labels, from where to where, what was planted, its alarms (place and kind), others', curves."""

    label: str
    axis: str
    shown: tuple[float, float]
    planted: Span
    told: Sequence[tuple[float, str]] = ()
    others: Sequence[float] = ()
    lines: tuple[Line, ...] = ()

    def with_line(self, name: str, x: Sequence[float], y: Sequence[float], style: Style = "seen") -> "Panel":
        """Give the panel with one more curve."""
        return self._replace(lines=(*self.lines, Line(name, x, y, style)))


def draw(path: Path, title: str, subtitle: str, panels: Sequence[Panel]) -> None:
    """Draw panels above each other, on one axis of time, into a PNG."""
    lines = textwrap.wrap(subtitle, _LETTERS)
    above = _TITLE + _LINE * len(lines)
    height = above + _HIGH * len(panels) * (1 if len(panels) == 1 else 0.8)
    figure = Figure(figsize=(_WIDE, height), dpi=_DPI)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 1 - above / height))
    figure.text(0.01, 1 - 0.06 / height, title, va="top", fontsize=10.5, fontweight="bold", parse_math=False)
    figure.text(0.01, 1 - _TITLE / height, "\n".join(lines), va="top", fontsize=9, parse_math=False)
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)
    for panel, (axes,) in zip(panels, grid, strict=True):
        _fill(axes, panel)
    grid[-1][0].set_xlabel(panels[-1].axis, fontsize=9)
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG of few colours: a third of the size, and nothing in it differs from run to run."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    image = Image.open(drawn).convert("RGB")
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def bare(axes: Axes) -> None:
    """Take away what carries nothing."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9)


def _fill(axes: Axes, panel: Panel) -> None:
    bare(axes)
    axes.axvspan(panel.planted.start, panel.planted.end, color=ORANGE, alpha=0.22, linewidth=0, label="planted")
    for line in panel.lines:
        _plot(axes, line)
    axes.set_ylim(bottom=0, top=1.2 * _top(panel))
    axes.set_xlim(*panel.shown)
    axes.set_ylabel(panel.label, fontsize=9)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    _mark(axes, panel)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.98), fontsize=8.5, frameon=False, ncols=6)


def _plot(axes: Axes, line: Line) -> None:
    if line.style == "seen":
        axes.plot(line.x, line.y, color=BLUE, linewidth=1.5, label=line.name)
    elif line.style == "steps":
        axes.step(line.x, line.y, where="post", color=BLUE, linewidth=1.5, marker="o", markersize=2.5, label=line.name)
    elif line.style == "ceiling":
        axes.step(line.x, line.y, where="post", color=BLACK, linewidth=1.3, linestyle="--", label=line.name)
    else:
        axes.step(line.x, line.y, where="post", color=GREY, linewidth=1.3, linestyle=":", label=line.name)


def _top(panel: Panel) -> float:
    """Give the highest value to be seen; a ceiling may go beyond twice the highest of the others."""
    seen = [y for line in panel.lines if line.style != "ceiling" for y in line.y if not isnan(y)]
    ceilings = [y for line in panel.lines if line.style == "ceiling" for y in line.y if y <= 2 * max(seen, default=1.0)]
    return max(*seen, *ceilings, 1e-9) if seen else 1.0


def _mark(axes: Axes, panel: Panel) -> None:
    for number, (at, kind) in enumerate(panel.told):
        name = {0: "first alarm", 1: "further alarms"}.get(number)
        axes.axvline(at, color=RED, linewidth=1.0 if number else 2.2, label=name)
        if not number:
            axes.annotate(
                kind, (at, 0.92), xycoords=("data", "axes fraction"), xytext=(4, 0), textcoords="offset points",
                color=RED, fontsize=9.5, fontweight="bold", va="center",
            )  # fmt: skip
    for number, at in enumerate(panel.others):
        name = None if number else "alarms of other causes"
        axes.plot(at, 0.03, "^", transform=axes.get_xaxis_transform(), color=BLACK, markersize=6, label=name)
