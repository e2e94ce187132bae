"""The picture of an incident: how its series went, what is usual, and the moment at which it was known."""

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import DateFormatter
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from alerts.alert import Alert
from alerts.history import History
from alerts.incident import Incident
from alerts.text import who

# For a phone: nearly square, type that stays readable at a third of the size.
_INCHES, _DPI = (5.4, 4.0), 200
_INK, _GRID, _USUAL, _LINE, _ABOVE = "#1d1c1d", "#e4e4e4", "#2f855a", "#1f4e79", "#d1372c"
# What is usual is said of so many samples at least; four fifths of them lie in the band.
_ENOUGH, _LOW, _HIGH = 8, 0.1, 0.9
_LONGEST_TITLE = 48
_DAY = 86_400.0
_MOST_TICKS = 4.5
_STEPS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200)


def draw(incident: Incident, past: History) -> bytes | None:
    """Draw the picture as PNG; None where there is nothing that a line could be drawn through.

    Every call has a figure of its own, so that several threads may draw.
    """
    if len(past.samples) < 2:
        return None
    figure = Figure(figsize=_INCHES, dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    alert = incident.main
    _series(axes, past, alert)
    _levels(axes, past, alert)
    _known(axes, alert.opened_at)
    _dress(axes, alert, past)
    out = BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def band(past: History, before: float) -> tuple[float, float] | None:
    """Give between which values four fifths of the samples up to `before` (epoch seconds) lie; None for too few."""
    values = sorted(sample.value for sample in past.samples if sample.at <= before)
    if len(values) < _ENOUGH:
        return None
    last = len(values) - 1
    return values[round(last * _LOW)], values[round(last * _HIGH)]


def _series(axes: Axes, past: History, alert: Alert) -> None:
    times = [_time(sample.at) for sample in past.samples]
    values = [sample.value for sample in past.samples]
    usual = band(past, alert.opened_at.timestamp())
    if usual:
        axes.axhspan(*usual, color=_USUAL, alpha=0.16, lw=0, label="usual range before")
    axes.plot(times, values, color=_LINE, lw=2.6, marker="o", ms=4 if len(values) < 60 else 0, zorder=3)
    axes.annotate(
        _amount(values[-1], past.unit),
        (times[-1], values[-1]),
        textcoords="offset points",
        xytext=(7, 0),
        ha="left",
        va="center",
        fontsize=14,
        fontweight="bold",
        color=_LINE,
        annotation_clip=False,
    )


def _levels(axes: Axes, past: History, alert: Alert) -> None:
    """Draw what the detector expects, and above what it is abnormal; fill what lies above the expected."""
    expected = past.scaled(alert.expected, alert)
    ceiling = past.scaled(alert.ceiling, alert) if alert.ceiling else None
    if expected is not None:
        axes.axhline(expected, color=_USUAL, lw=2.2, label=f"expected {_amount(expected, past.unit)}")
        since = [sample for sample in past.samples if sample.at >= alert.opened_at.timestamp()]
        times = [_time(sample.at) for sample in since]
        values = [sample.value for sample in since]
        over = [value > expected for value in values]
        levels = [expected] * len(values)
        axes.fill_between(times, levels, values, where=over, interpolate=True, color=_ABOVE, alpha=0.22, lw=0)
    if ceiling is not None:
        axes.axhline(ceiling, color=_ABOVE, lw=1.8, ls=(0, (5, 3)), label=f"alarm above {_amount(ceiling, past.unit)}")


def _known(axes: Axes, at: datetime) -> None:
    axes.axvline(
        _time(at.timestamp()), color=_INK, lw=1.4, ls=(0, (2, 2)), label=f"known {at.astimezone(UTC):%H:%M:%S} UTC"
    )


def _dress(axes: Axes, alert: Alert, past: History) -> None:
    axes.set_title(_drawable(who(alert)), fontsize=14, fontweight="bold", color=_INK, loc="left", pad=10)
    axes.set_ylabel(past.unit, fontsize=12, color=_INK)
    axes.margins(x=0.02, y=0.1)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _amount(value, past.unit)))
    span = past.samples[-1].at - past.samples[0].at
    axes.xaxis.set_major_locator(MultipleLocator(_time(_step(span))))
    form = DateFormatter("%H:%M" if span > 240 else "%H:%M:%S", tz=UTC)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(form)
    axes.tick_params(labelsize=12, colors=_INK, length=0, pad=6)
    axes.grid(axis="y", color=_GRID, lw=1)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
    _legend(axes)


def _step(span: float) -> float:
    """Give the least round number of seconds that is no more than a few times in a span."""
    return next((step for step in _STEPS if span / step <= _MOST_TICKS), _DAY)


def _drawable(name: str) -> str:
    """Shorten a name, and show what the font has no sign for as a question mark; dollar signs make no formulas."""
    font = get_font(findfont("DejaVu Sans"))
    signs = (sign if font.get_char_index(ord(sign)) else "?" for sign in name[:_LONGEST_TITLE])
    return "".join(signs).replace("$", r"\$")


def _legend(axes: Axes) -> None:
    settings: dict[str, Any] = {"fontsize": 10.5, "frameon": False, "labelcolor": _INK, "columnspacing": 1.2}
    axes.legend(loc="upper left", bbox_to_anchor=(-0.16, -0.11), ncols=2, **settings)


def _amount(value: float, unit: str) -> str:
    """Write a value for a glance.

    >>> _amount(1234.5, "requests a minute"), _amount(0.037, "dollars an hour"), _amount(17.0, "dollars an hour")
    ('1,234', '\\\\$0.04', '\\\\$17')
    """
    sign = r"\$" if unit.startswith("dollars") else ""
    if value >= 100 or value == round(value):
        return f"{sign}{value:,.0f}"
    return f"{sign}{value:,.2f}" if sign or value < 10 else f"{value:,.1f}"


def _time(at: float) -> float:
    return at / _DAY  # matplotlib counts in days
