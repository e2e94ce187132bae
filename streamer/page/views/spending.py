"""Spend: how much an hour now, of whom, of which kind, and as lines over time."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Literal

import msgspec

from streamer.page.sight import Sight
from streamer.page.spend import NANODOLLARS, Series, Span, Spend
from streamer.pricing.money import COST_KINDS, plain
from streamer.records import Anomaly
from streamer.windows.totals import Metric

Sort = Literal["rate", "spent", "name"]
PAGE = 25
# Points of the small line beside a name.
_SPARK = 40
_HOUR = 3600
# So many rows are not worked out again with every rollup.
_MANY = 1_000
# What a chart can show of a series, and the metrics of anomalies that are in its unit.
METRICS: tuple[Metric, ...] = ("usd", "tokens", "requests")


class Row(msgspec.Struct, frozen=True):
    """One series as it stands: nanodollars an hour, and over the whole history."""

    series: Series
    rate: int
    spent: int


class _Worked(msgspec.Struct, frozen=True):
    """The rows of a level as they were worked out at `at`, when so many rollups had come."""

    version: int
    at: float
    rows: list[Row]

    def holds(self, spend: Spend, now: float) -> bool:
        """Tell whether they are still good: of many rows they are for a second, whatever comes."""
        if self.version == spend.version or len(self.rows) > _MANY:
            return 0 <= now - self.at < 1.0
        return False


class Spending:
    """Works out the rows of each level once for all that look."""

    def __init__(self, spend: Spend) -> None:
        self._spend = spend
        self._rows: dict[str, _Worked] = {}

    def rows(self, level: str, now: float) -> list[Row]:
        """Give all rows of a level, the dearest rate first."""
        found = self._rows.get(level)
        if found is None or not found.holds(self._spend, now):
            span = self._spend.span(now)
            rows = [self._row(series, now, span) for series in self._spend.at_level(level)]
            found = self._rows[level] = _Worked(self._spend.version, now, sorted(rows, key=_dearest))
        return found.rows

    def _row(self, series: Series, now: float, span: Span) -> Row:
        latest = self._spend.latest(series, now)
        rate = round(series.total("usd", latest.first, latest.end) * _HOUR / latest.seconds)
        return Row(series, rate, series.total("usd", span.first, span.end))

    def listed(self, level: str, now: float, sight: Sight, *, tenant: str, query: str, sort: Sort, page: int) -> Any:
        """Give one page of a level's rows: those whose names hold `query`, of `tenant` where it is given."""
        words = query.casefold()
        rows = [
            row
            for row in self.rows(level, now)
            if sight.sees(row.series.tenant)
            and tenant in ("", row.series.tenant)
            and (not words or _is_named(row.series, words))
        ]
        if sort != "rate":
            rows.sort(key=_by_name if sort == "name" else _most_spent)
        pages = max(1, -(-len(rows) // PAGE))
        page = min(max(page, 1), pages)
        shown = rows[(page - 1) * PAGE : page * PAGE]
        return {"rows": [self.shown(row, now) for row in shown], "total": len(rows), "page": page, "pages": pages}

    def shown(self, row: Row, now: float) -> dict[str, Any]:
        """Give one row with its small line."""
        series, width = row.series, max(1, self._spend.slots // _SPARK)
        end = self._end([series], now)
        values = series.values("usd", end - width * _SPARK, end)
        return {
            "key": series.key,
            "tenant": series.tenant,
            "name": series.name,
            "use_case": series.scope.use_case,
            "rate": dollars_text(row.rate),
            "spent": dollars_text(row.spent),
            "spark": [sum(values[at : at + width]) / NANODOLLARS for at in range(0, len(values), width)],
        }

    def totals(self, now: float, sight: Sight, tenant: str = "") -> dict[str, Any]:
        """Sum up what a person sees (or one tenant): rate, kinds, and the line of dollars an hour."""
        rows = [r for r in self.rows("tenant", now) if sight.sees(r.series.tenant) and tenant in ("", r.series.tenant)]
        span, spend = self._spend.span(now), self._spend
        kinds = {kind: sum(r.series.total(kind, span.first, span.end) for r in rows) for kind in COST_KINDS}
        return {
            "rate": dollars_text(sum(row.rate for row in rows)),
            "spent": dollars_text(sum(row.spent for row in rows)),
            "seconds": span.seconds,
            "tenants": len(rows),
            "kinds": {kind: dollars_text(nano) for kind, nano in kinds.items() if nano},
            "chart": self._lines((row.series for row in rows), "usd", now),
            "step": spend.step,
        }

    def chart(self, series: Series, metric: Metric, now: float, anomalies: Iterable[Anomaly]) -> dict[str, Any]:
        """Give one metric of a series an hour, what is usual of it in a window, and what anomalies say over longer."""
        lines, window = self._lines([series], metric, now), self._spend.window
        mine = (one for one in anomalies if one.series == f"{series.key}#{metric}" and one.seconds > window)
        return {
            "key": series.key,
            "metric": metric,
            **lines,
            "window": window,
            "usual": self._usual(series, metric, lines["times"]),
            "bands": [band(one) for one in mine],
        }

    def _usual(self, series: Series, metric: Metric, times: list[float]) -> list[list[float]]:
        """Give from when on what was usual, an hour: time, low, expected, high and ceiling."""
        known, scale = series.usual.get(metric), _HOUR / self._spend.window
        found = known.since(times[0]) if known and times else []
        return [[at, *(float(f"{value * scale:.6g}") for value in values)] for at, *values in found]

    def _lines(self, many: Iterable[Series], metric: str, now: float) -> dict[str, Any]:
        """Add up a metric, an hour, up to the last slot that is whole for all that are active."""
        found = list(many)
        first, end, step = self._spend.span(now).first, self._end(found, now), self._spend.step
        columns = zip(*(one.values(metric, first, end) for one in found), strict=True)
        scale = _HOUR / step / (NANODOLLARS if metric == "usd" else 1)
        values = [sum(column) * scale for column in columns] or [0.0] * (end - first)
        return {"times": [slot * step for slot in range(first, end)], "values": values}

    def _end(self, many: list[Series], now: float) -> int:
        """Give the slot before which all is told of the newest; of who is silent for longer, nothing is told too.

        Tenants close a window one after another: until the last has, the sum of them would seem to fall.
        """
        end, spend = self._spend.span(now).end, self._spend
        newest = max((one.until for one in many), default=0.0)
        told = int(min((one.until for one in many if one.until >= newest - spend.window), default=0.0) // spend.step)
        return min(max(told, end - 1 - self._spend.slots // 8), end)


def band(one: Anomaly) -> dict[str, Any]:
    """Give when an anomaly of a rate was, and what over its `seconds` is usual an hour, and abnormal."""
    scale = _HOUR / one.seconds
    return {
        "seconds": one.seconds,
        "from": one.opened_at.timestamp(),
        "to": one.closed_at.timestamp() if one.closed_at else None,
        "expected": one.expected * scale,
        "ceiling": one.ceiling * scale,
    }


def dollars_text(nano: int) -> str:
    """Spell nanodollars as dollars.

    >>> dollars_text(1_500_000_000), dollars_text(0)
    ('1.5', '0')
    """
    return f"{plain(Decimal(nano).scaleb(-9)):f}"


def _is_named(series: Series, words: str) -> bool:
    """Tell whether a name holds what is searched: names as shown, for keys spell `/`, `=` and `%` otherwise."""
    scope = series.scope
    return any(words in name.casefold() for name in (series.tenant, scope.use_case, scope.agent, scope.model))


def _dearest(row: Row) -> tuple[int, int, str]:
    return -row.rate, -row.spent, row.series.key


def _most_spent(row: Row) -> tuple[int, str]:
    return -row.spent, row.series.key


def _by_name(row: Row) -> str:
    return row.series.key.casefold()
