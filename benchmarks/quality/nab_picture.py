"""Draws some of NAB's series with their scores, labelled windows and the corpus's threshold."""

import csv
import json
from datetime import UTC, datetime
from math import floor
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.quality.canvas import BLACK, BLUE, ORANGE, RED, bare, save
from detectors import OutlierScorer
from detectors.outlier import OutlierParams

_SERIES = (
    "realKnownCause/nyc_taxi.csv",
    "realAWSCloudwatch/rds_cpu_utilization_e47b3b.csv",
    "realKnownCause/rogue_agent_key_updown.csv",
)
_DAY = 86_400.0
# The benchmark's own: so much of a series is not judged.
_PROBATION, _MOST = 0.15, 5000


class Scored(NamedTuple):
    """A series and its scores, by day from its begin; windows from and to, in days; when judging begins."""

    days: list[float]
    values: list[float]
    scores: list[float]
    windows: list[tuple[float, float]]
    judged_from: float


def draw(path: Path, data: Path, threshold: float) -> str:
    """Draw into a PNG; gives what it shows in words."""
    figure = Figure(figsize=(8.6, 7.4), dpi=100, layout="constrained")
    grid = figure.subplots(2 * len(_SERIES), 1, gridspec_kw={"height_ratios": [2, 1] * len(_SERIES)})
    said = []
    for number, name in enumerate(_SERIES):
        said.append(_draw(grid[2 * number], grid[2 * number + 1], name, scored(data, name), threshold))
    handles, names = grid[1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    grid[-1].set_xlabel("days from the series' begin")
    save(figure, path)
    return f"Three series of NAB and their scores, by the threshold of the corpus ({threshold:.3f}): {'; '.join(said)}."


def scored(data: Path, name: str) -> Scored:
    """Score one series as `tidegate score` does."""
    with (data / name).open(newline="") as lines:
        rows = [(_seconds(row["timestamp"]), float(row["value"])) for row in csv.DictReader(lines)]
    scorer, begin = OutlierScorer(OutlierParams()), rows[0][0]
    days, values = [(at - begin) / _DAY for at, _ in rows], [value for _, value in rows]
    scores = [scorer.observe(at, value) for at, value in rows]
    spans = [tuple((_seconds(at) - begin) / _DAY for at in span) for span in _windows(data)[name]]
    probation = floor(min(_PROBATION * len(rows), _PROBATION * _MOST))
    return Scored(days, values, scores, [(start, end) for start, end in spans], days[probation])


def _draw(above: Axes, below: Axes, name: str, series: Scored, threshold: float) -> str:
    alarms = [
        day
        for day, score in zip(series.days, series.scores, strict=True)
        if score >= threshold and day >= series.judged_from
    ]
    found = sum(any(start <= day <= end for day in alarms) for start, end in series.windows)
    outside = sum(not any(start <= day <= end for start, end in series.windows) for day in alarms)
    words = f"{name}: {found} of {len(series.windows)} windows found, {outside} alarms outside"
    above.set_title(words, loc="left", fontsize=9.5, fontweight="bold")
    for axes in (above, below):
        bare(axes)
        axes.set_xlim(0, series.days[-1])
        axes.axvspan(0, series.judged_from, color="#eeeeee", linewidth=0, label="not judged")
        for number, (start, end) in enumerate(series.windows):
            label = None if number else "labelled window"
            axes.axvspan(start, end, color=ORANGE, alpha=0.3, linewidth=0, label=label)
    above.plot(series.days, series.values, color=BLUE, linewidth=0.7)
    above.tick_params(labelbottom=False)
    above.set_ylabel("value", fontsize=9)
    below.plot(series.days, series.scores, color=BLACK, linewidth=0.7, label="score")
    below.axhline(threshold, color=RED, linewidth=1, linestyle="--", label="threshold")
    below.plot(alarms, [0.93] * len(alarms), "v", color=RED, markersize=5, label="alarm")
    below.set_ylim(0, 1)
    below.set_ylabel("score", fontsize=9)
    return words


def _windows(data: Path) -> dict[str, list[list[str]]]:
    return dict(json.loads((data / "windows.json").read_text()))


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp[:19]).replace(tzinfo=UTC).timestamp()
