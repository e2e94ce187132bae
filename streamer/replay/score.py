"""`tidegate score`: the rate detector over one series, so that it can be held against public benchmarks."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from detectors import RateBaseline, RateParams
from streamer.errors import SourceUnreadable


def write_scores(series: Path, out: Path) -> int:
    """Score every row of `series` (`timestamp,value`) into `out` (`timestamp,score`); gives the number of rows.

    Raises SourceUnreadable where the series is none.
    """
    try:
        return _write(series, out)
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceUnreadable(f"{series}: not readable as CSV: {error}") from error


def _write(series: Path, out: Path) -> int:
    with series.open(newline="", encoding="utf-8") as lines, out.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(["timestamp", "score"])
        rows = 0
        for timestamp, value in _scores(series, csv.DictReader(lines)):
            writer.writerow([timestamp, f"{value:.6f}"])
            rows += 1
    return rows


def _scores(series: Path, rows: "csv.DictReader[str]") -> Iterator[tuple[str, float]]:
    baseline, lowest = RateBaseline(RateParams(half_life=200, warm_up=50)), math.inf
    for number, row in enumerate(rows, 2):
        try:
            timestamp, value = row["timestamp"], float(row["value"])
        except (KeyError, TypeError, ValueError) as error:
            raise SourceUnreadable(f"{series}, row {number}: needs a timestamp and a number: {error!r}") from error
        if not math.isfinite(value):
            raise SourceUnreadable(f"{series}, row {number}: {value} is no number that can be scored")
        # A rate has no negative values; a benchmark's series may: then its distance from its lowest value is scored.
        lowest = min(lowest, value, 0.0)
        yield timestamp, baseline.score_one(value - lowest)
        baseline.learn_one(value - lowest)
