"""Reads the closed windows back from the rollups that a replay wrote: a series as it was seen, and spend over time."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import reduce
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import compute, parquet

from streamer.clock import utc
from streamer.pricing.money import COST_KINDS
from streamer.records import Anomaly
from streamer.replay.facts import Found
from streamer.replay.report.charts import Bar, Curve
from streamer.replay.tables import INSTANT

_HOUR, _DAY = 3600.0, 86_400.0
# Bars of spend are so long, the shortest with which there are no more than so many.
_WIDTHS, _MOST_BARS = (60.0, 300.0, 900.0, _HOUR, 3 * _HOUR, 6 * _HOUR, _DAY, 7 * _DAY, 30 * _DAY), 62
_MOST_POINTS = 220
# How much is shown before a case at least, and beside it.
_LEAD = 1200.0
_COLUMNS = (
    *("level", "series", "tenant", "session", "start", "events", "requests", "steps", "tool_calls", "outcomes"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "usd", *(f"usd_{kind}" for kind in COST_KINDS)),
)


class Want(NamedTuple):
    """What a picture shows: of which anomaly, from when to when (epoch seconds)."""

    found: Found
    begin: float
    end: float

    @property
    def name(self) -> str:
        """The metric or ratio that the anomaly is about."""
        return self.found.last.series.rpartition("#")[2]

    @property
    def holder(self) -> str:
        """Whose windows they are: a series, or a session by its tenant and name."""
        case = self.found.last
        if case.kind == "loop":
            return _session(case.tenant, case.scope.session)
        return case.series.rpartition("#")[0]


def wanted(found: Found, begin: float, end: float) -> Want:
    """Say what to show of an anomaly, of data from `begin` to `end`."""
    opened = _at(found.last.opened_at)
    # Of what was still open at the end, the last that was said of it.
    closed = _at(found.last.closed_at) if found.last.closed_at else min(end, found.readings[-1].at + _LEAD)
    lead = max(_LEAD, closed - opened)
    if found.last.kind in ("drift", "busywork", "budget"):
        lead = max(lead, 12 * _HOUR)
    return Want(found, max(begin, opened - lead), min(end, closed + lead / 3))


def width_of(begin: float, end: float) -> float:
    """Give how many seconds a bar of a chart stands for, so that there are not too many."""
    return next((width for width in _WIDTHS if (end - begin) / width <= _MOST_BARS), _WIDTHS[-1])


def bars(rollups: Path, begin: float, end: float) -> tuple[list[Bar], float]:
    """Give the spend over time, and how many seconds a bar stands for."""
    width = width_of(begin, end)
    sums: dict[float, list[float]] = defaultdict(lambda: [0.0] * len(COST_KINDS))
    for batch in _batches(rollups, ("level", "start", *(f"usd_{kind}" for kind in COST_KINDS))):
        rows = batch.filter(compute.equal(batch["level"], "tenant"))
        starts = [at // 1e6 // width * width for at in rows["start"].cast(pa.int64()).to_pylist()]
        for place, kind in enumerate(COST_KINDS):
            for start, usd in zip(starts, rows[f"usd_{kind}"].cast(pa.float64()).to_pylist(), strict=True):
                sums[start][place] += usd
    return [Bar(start, sums[start]) for start in sorted(sums)], width


def curves(rollups: Path, wants: Sequence[Want], window: float) -> Iterator[Curve]:
    """Give what there is to draw of each anomaly; `window` is a window's length in seconds."""
    rows = _rows(rollups, wants)
    for want in wants:
        yield _curve(want, [row for row in rows[want.holder] if want.begin <= row["at"] < want.end], window)


def _rows(rollups: Path, wants: Sequence[Want]) -> dict[str, list[dict[str, Any]]]:
    """Read the windows of all that is wanted, in one go; of a long month only those that are shown."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    if not wants:
        return found
    for batch in _batches(rollups, _COLUMNS):
        for row in batch.filter(reduce(compute.or_, (_shown(batch, want) for want in wants))).to_pylist():
            session = row["level"] == "session"
            holder = _session(row["tenant"], row["session"]) if session else row["series"]
            found[holder].append({**row, "at": _at(row["start"])})
    return found


def _shown(batch: pa.RecordBatch, want: Want) -> pa.Array:
    """Tell which rows are those of what is wanted; of a session its name says so, for its tenant is looked at later."""
    case = want.found.last
    column, name = ("session", case.scope.session) if case.kind == "loop" else ("series", want.holder)
    # Levels other than that have no session, which is nothing equal to a name here.
    own = compute.is_in(batch[column], value_set=pa.array([name], pa.string()))
    since, until = (pa.scalar(utc(at), INSTANT) for at in (want.begin, want.end))
    return compute.and_(
        own, compute.and_(compute.greater_equal(batch["start"], since), compute.less(batch["start"], until))
    )


def _batches(rollups: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with parquet.ParquetFile(rollups) as file:
        yield from file.iter_batches(columns=list(columns))


def _curve(want: Want, rows: Sequence[dict[str, Any]], window: float) -> Curve:
    found, case = want.found, want.found.last
    label, value = _measure(want.name, case)
    closed = _at(case.closed_at) if case.closed_at else None
    if case.kind == "burst":
        points = list(_sliding(rows, want, value, window))
    elif case.kind == "budget":
        points = list(_running(rows, value))
    else:
        points = list(_binned(rows, want, value, window))
    usual = [(r.at, r.expected * value.scale, r.ceiling) for r in found.readings] if _has_usual(case) else []
    ceilings = [ceiling for _, _, ceiling in usual if ceiling is not None]
    if case.kind == "burst" and ceilings:
        # A case that is over is judged by no ceiling any more: the last one stays.
        usual = [(at, expected, ceiling if ceiling is not None else ceilings[-1]) for at, expected, ceiling in usual]
        usual = [point for point in usual if point[2] < float("inf")]  # type: ignore[operator]
    lines = [("limit", case.expected)] if case.kind == "budget" and case.line in ("soft", "hard") else []
    span = f" in {found.windows * window:g} s" if case.kind == "burst" else ""
    return Curve(f"{label}{span}", points, usual, _at(case.opened_at), closed, lines)


def _has_usual(case: Anomaly) -> bool:
    """Tell whether what is expected is in the unit of the picture."""
    # Sessions that begin are drawn by their requests.
    return case.kind in ("burst", "bloat", "mix") and case.expected > 0 and not case.series.endswith("#sessions")


class _Measure(NamedTuple):
    """A metric: the sum of columns over the sum of others; without others it is the sum itself."""

    above: Sequence[str]
    below: Sequence[str] = ()
    minus: Sequence[str] = ()
    under: Sequence[str] = ()
    scale: float = 1.0

    def sums(self, row: dict[str, Any]) -> tuple[float, float]:
        """Give what a window adds above and below the line."""
        top = sum(float(row[name]) for name in self.above) - sum(float(row[name]) for name in self.minus)
        bottom = sum(float(row[name]) for name in self.below) - sum(float(row[name]) for name in self.under)
        return top * self.scale, bottom


_TOKENS = ("input_tokens", "output_tokens")
_MEASURES = {
    "tokens": ("tokens", _Measure(_TOKENS)),
    "steps": ("agent steps", _Measure(("steps",))),
    "tool_calls": ("tool calls", _Measure(("tool_calls",))),
    "requests": ("requests", _Measure(("requests",))),
    "usd": ("dollars", _Measure(("usd",))),
    "size": ("tokens a request", _Measure(_TOKENS, ("requests",))),
    "output": ("tokens of output a request", _Measure(("output_tokens",), ("requests",))),
    "growth": ("tokens a request", _Measure(_TOKENS, ("requests",))),
    "overall": ("tokens a request", _Measure(_TOKENS, ("requests",))),
    "price": ("dollars a million tokens", _Measure(("usd_llm",), _TOKENS, scale=1e6)),
    "uncached": ("input that is not cached", _Measure(("input_tokens",), ("input_tokens",), ("cache_read_tokens",))),
    "evaluation": ("evaluation for a dollar", _Measure(("usd_evaluation",), ("usd",), (), ("usd_evaluation",))),
}


def _measure(name: str, case: Anomaly) -> tuple[str, _Measure]:
    if name in _MEASURES:
        return _MEASURES[name]
    if case.kind == "loop":
        return "events of the session", _Measure(("events",))
    if case.kind == "busywork":
        return _MEASURES["usd"]
    if case.kind == "budget":
        known = next((metric for metric in ("usd", "tokens", "steps", "tool_calls") if metric in name), "usd")
        label, measure = _MEASURES[known]
        return f"{label} from here on", measure
    return _MEASURES["requests"]


def _sliding(
    rows: Sequence[dict[str, Any]], want: Want, measure: _Measure, window: float
) -> Iterator[tuple[float, float]]:
    """Give the sum over the windows in which a burst was found, at the end of each window."""
    sums: dict[int, float] = defaultdict(float)
    for row in rows:
        sums[round(row["at"] / window)] += measure.sums(row)[0]
    first, last = ceil(want.begin / window), int(want.end / window)
    every = max(1, (last - first) // _MOST_POINTS)
    held = 0.0
    for number in range(first, last):
        held += sums.get(number, 0.0) - sums.get(number - want.found.windows, 0.0)
        # Peaks are what it is about: none of them is left out for the sake of few points.
        if (number - first) % every == 0 or held > 0.9 * want.found.last.observed:
            yield (number + 1) * window, held


def _binned(
    rows: Sequence[dict[str, Any]], want: Want, measure: _Measure, window: float
) -> Iterator[tuple[float, float]]:
    width = max(1, ceil((want.end - want.begin) / _MOST_POINTS / window), 3 if measure.below else 1) * window
    sums: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in rows:
        for place, amount in enumerate(measure.sums(row)):
            sums[int(row["at"] // width)][place] += amount
    for number in range(int(want.begin // width), int(want.end // width) + 1):
        top, bottom = sums.get(number, (0.0, 0.0))
        if bottom > 0 or not measure.below:
            yield number * width, top / bottom if measure.below else top


def _running(rows: Iterable[dict[str, Any]], measure: _Measure) -> Iterator[tuple[float, float]]:
    held = 0.0
    for row in sorted(rows, key=lambda row: float(row["at"])):
        held += measure.sums(row)[0]
        yield row["at"], held


def _session(tenant: str, session: str) -> str:
    return f"{tenant}\x00{session}"


def _at(moment: datetime) -> float:
    return moment.timestamp()
