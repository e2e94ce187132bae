"""The tables of a replay, as Parquet: their columns, which docs/analysts.md explains, and how records become rows."""

from collections.abc import Iterable, Mapping
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa
from pyarrow import compute

from alerts.notification import Notification
from streamer.clock import utc
from streamer.pricing.money import COST_KINDS, ZERO, dollars
from streamer.records import Anomaly, Rollup
from streamer.replay.charges import SUMS, Charge, Key
from streamer.windows.totals import COUNTS

MONEY = pa.decimal128(38, 15)
#: The largest count that a column holds; what is more is cut to it, which takes a thousand events of absurd counts.
MOST = 2**63 - 1
INSTANT = pa.timestamp("us", "UTC")
SCOPE = ("use_case", "agent", "model", "session")
_TEXT = pa.string()
# The sums of the ledger that are no dollars.
_COUNTED = tuple(name for name in SUMS if not name.startswith("femtodollars"))

#: Closed windows, one row an entity and window, or part of one.
ROLLUPS = pa.schema(
    [("series", _TEXT), ("level", _TEXT), ("tenant", _TEXT)]
    + [(name, _TEXT) for name in SCOPE]
    + [("start", INSTANT), ("end", INSTANT), ("late", pa.bool_()), ("part", pa.int64())]
    + [(name, pa.int64()) for name in COUNTS]
    + [("usd", MONEY), *((f"usd_{kind}", MONEY) for kind in COST_KINDS), ("usd_given", MONEY)]
)
#: The ledger: what was used and what it cost, a row a day and holder, or part of one.
CHARGES = pa.schema(
    [("day", pa.date32())]
    + [(name, _TEXT) for name in Key._fields[1:]]
    + [("usd", MONEY), ("usd_given", MONEY)]
    + [(name, pa.int64()) for name in _COUNTED]
)
#: Anomalies as they were last.
ANOMALIES = pa.schema(
    [("id", _TEXT), ("kind", _TEXT), ("tenant", _TEXT)]
    + [(name, _TEXT) for name in (*SCOPE, "tool")]
    + [("series", _TEXT), ("detector", _TEXT), ("severity", _TEXT), ("line", _TEXT)]
    + [("opened_at", INSTANT), ("closed_at", INSTANT)]
    + [("observed", pa.float64()), ("expected", pa.float64()), ("score", pa.float64())]
    + [("usd_excess", MONEY), ("usd_excess_when_known", MONEY), ("usd_per_hour", MONEY)]
    + [("reason", _TEXT)]
    + [("causes", pa.list_(pa.struct([("level", _TEXT), ("name", _TEXT), ("share", pa.float64())])))]
)
#: What people would have been told, a row a message.
INCIDENTS = pa.schema(
    [
        *(("incident", _TEXT), ("at", INSTANT), ("receiver", _TEXT), ("because", _TEXT), ("state", _TEXT)),
        *(("severity", _TEXT), ("tenant", _TEXT), ("kind", _TEXT), ("opened_at", INSTANT), ("resolved_at", INSTANT)),
        *(("usd_excess", MONEY), ("usd_per_hour", MONEY), ("anomalies", pa.list_(_TEXT))),
    ]
)


class RollupRows:
    """Rollups, column by column, with the numbers of the steps that they came of: `step`, before all others."""

    _PLAIN = tuple(name for name in ROLLUPS.names if name in Rollup.__struct_fields__)

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._rollups: list[Rollup] = []

    def add(self, step: int, rollup: Rollup) -> None:
        """Take in one rollup."""
        self._steps.append(step)
        self._rollups.append(rollup)

    def table(self) -> pa.Table:
        """Give all rows."""
        columns = {name: list(map(attrgetter(name), self._rollups)) for name in self._PLAIN} | self._scopes()
        arrays = {name: _array(ROLLUPS.field(name), cells) for name, cells in columns.items()} | self._split()
        schema = ROLLUPS.insert(0, pa.field("step", pa.int64()))
        steps = pa.array(self._steps, pa.int64())
        return pa.Table.from_arrays([steps, *(arrays[name] for name in ROLLUPS.names)], schema=schema)

    def _scopes(self) -> dict[str, list[Any]]:
        scopes = [rollup.scope for rollup in self._rollups]
        return {name: [given or None for given in map(attrgetter(name), scopes)] for name in SCOPE}

    def _split(self) -> dict[str, pa.Array]:
        splits = [rollup.usd_by_kind for rollup in self._rollups]
        used = set(chain.from_iterable(splits))
        # Most kinds cost nothing for long.
        none = pa.repeat(pa.scalar(ZERO, MONEY), len(splits))
        return {
            f"usd_{kind}": pa.array([split.get(kind, ZERO) for split in splits], MONEY) if kind in used else none
            for kind in COST_KINDS
        }


def _array(field: pa.Field, cells: list[Any]) -> pa.Array:
    if field.type != INSTANT:
        try:
            return pa.array(cells, field.type)
        except OverflowError:
            return pa.array([min(cell, MOST) for cell in cells], field.type)
    # Many rows have the few same moments, each of which is dear to turn into a number.
    known = {at: place for place, at in enumerate(dict.fromkeys(cells))}
    places = pa.array(map(known.__getitem__, cells), pa.int32())
    return pa.array(known, INSTANT).take(places)


def charges_table(charges: Iterable[Charge]) -> pa.Table:
    """Give charges as rows of the ledger; names that are not given are null."""
    rows = [
        {
            **{name: value if name == "day" else value or None for name, value in charge.key._asdict().items()},
            **{name: min(getattr(charge, name), MOST) for name in _COUNTED},
            "usd": dollars(charge.femtodollars),
            "usd_given": dollars(charge.femtodollars_given),
        }
        for charge in charges
    ]
    return pa.Table.from_pylist(rows, CHARGES)


def is_cut(rows: pa.Table) -> bool:
    """Tell whether any count is as large as a column can hold, and may have been larger."""
    counts = (column for column in rows.itercolumns() if column.type == pa.int64())
    return any(compute.max(column).as_py() == MOST for column in counts)


def anomalies_table(anomalies: Iterable[Anomaly], known: Mapping[str, Any]) -> pa.Table:
    """Give anomalies as rows; `known` has the dollars above normal when each was opened, by id."""
    return pa.Table.from_pylist(
        [
            {
                **msgspec.structs.asdict(case),
                **{name: getattr(case.scope, name) or None for name in (*SCOPE, "tool")},
                "line": case.line or None,
                "usd_excess_when_known": known[case.id],
                "causes": [msgspec.structs.asdict(cause) for cause in case.causes],
            }
            for case in anomalies
        ],
        ANOMALIES,
    )


def told_row(notification: Notification, at: float) -> dict[str, Any]:
    """Give a notification as a row."""
    incident = notification.incident
    labels = incident.main.labels
    return {
        "incident": incident.id,
        "at": utc(at),
        "receiver": notification.receiver,
        "because": notification.because,
        "tenant": labels.get("tenant"),
        "kind": labels.get("kind"),
        "anomalies": list(incident.alerts),
        **{name: getattr(incident, name) for name in ("state", "severity", "opened_at", "resolved_at")},
        **{name: getattr(incident, name) for name in ("usd_excess", "usd_per_hour")},
    }
