"""`tidegate score`: the outlier scorer over one series, so that it can be held against public benchmarks."""

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from detectors import OutlierParams, OutlierScorer
from streamer.errors import SourceUnreadable
from streamer.whole import whole

_AS_SHIPPED = OutlierParams()


def write_scores(series: Path, out: Path, params: OutlierParams = _AS_SHIPPED) -> int:
    """Score every row of `series` (`timestamp,value`) into `out` (`timestamp,score`); gives the number of rows.

    Raises SourceUnreadable where the series is none; `out` is as it was then.
    """
    if out.exists() and out.samefile(series):
        raise SourceUnreadable(f"{out}: the scores would take the place of the series")
    try:
        with whole(out) as part:
            return _write(series, part, params)
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceUnreadable(f"{series}: not readable as CSV: {error}") from error


def _write(series: Path, out: Path, params: OutlierParams) -> int:
    # Spreadsheets put a mark before the first name, which "utf-8-sig" drops.
    with series.open(newline="", encoding="utf-8-sig") as lines, out.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(["timestamp", "score"])
        rows, reader = 0, csv.DictReader(lines)
        if not {"timestamp", "value"} <= set(reader.fieldnames or ()):
            raise SourceUnreadable(f"{series}: its first line names no timestamp and value")
        for timestamp, value in _scores(series, reader, params):
            # All digits: rounded scores would tie.
            writer.writerow([timestamp, repr(value)])
            rows += 1
    return rows


def _scores(series: Path, rows: "csv.DictReader[str]", params: OutlierParams) -> Iterator[tuple[str, float]]:
    scorer = OutlierScorer(params)
    for number, row in enumerate(rows, 2):
        try:
            timestamp, value = row["timestamp"], float(row["value"])
        except (KeyError, TypeError, ValueError) as error:
            raise SourceUnreadable(f"{series}, row {number}: needs a timestamp and a number: {error!r}") from error
        if not math.isfinite(value):
            raise SourceUnreadable(f"{series}, row {number}: {value} is no number that can be scored")
        yield timestamp, scorer.observe(_seconds(timestamp), value)


def _seconds(timestamp: str) -> float:
    """Read ISO 8601 (UTC where it names no zone) or epoch seconds; any other time has no place in day and week: 0."""
    try:
        time = datetime.fromisoformat(timestamp)
    except ValueError:
        return _epoch_seconds(timestamp)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _epoch_seconds(timestamp: str) -> float:
    try:
        seconds = float(timestamp)
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0
