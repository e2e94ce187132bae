"""What is archived of each topic: its records as rows, by table, day and tenant."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import pyarrow as pa

from streamer.archive.store import folder_of
from streamer.events.decoder import Decoder, Headers, headers_of
from streamer.events.rejected import Rejected, rejected_by
from streamer.events.skipped import Skipped
from streamer.feedback import Feedback
from streamer.records import Rollup, Scope
from streamer.replay.tables import INSTANT, ROLLUPS, RollupRows

Topic = Literal["usage", "rollups", "session-rollups"]
_MONEY = pa.decimal128(38, 18)
_UNIT, _ROUNDING = Decimal("1e-18"), Context(prec=60, rounding=ROUND_HALF_EVEN)
_TEXT = pa.string()
_COUNTS = (
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
    *("steps", "tool_calls", "requests"),
)
_PLACE = [("partition", pa.int32()), ("offset", pa.int64())]
#: Usage events as they were counted, and where they stood in the topic.
USAGE = pa.schema(
    [
        ("id", _TEXT),
        ("source", _TEXT),
        ("time", INSTANT),
        *((name, _TEXT) for name in ("tenant", "use_case", "agent", "session", "kind", "provider", "model", "tool")),
        ("tool_args_hash", _TEXT),
        *((name, pa.int64()) for name in _COUNTS),
        ("quantity", _MONEY),
        ("unit", _TEXT),
        ("cost_usd", _MONEY),
        *((name, _TEXT) for name in ("status", "user", "api_key")),
        ("tags", pa.map_(_TEXT, _TEXT)),
        *_PLACE,
    ]
)
#: What people said, among the usage events.
FEEDBACK = pa.schema(
    [
        *(("schema", _TEXT), ("id", _TEXT), ("time", INSTANT), ("verdict", _TEXT), ("tenant", _TEXT)),
        *(("incident", _TEXT), ("anomaly", _TEXT), ("series", _TEXT), ("until", INSTANT), ("by", _TEXT)),
        ("scope", pa.struct([(name, _TEXT) for name in Scope.__struct_fields__])),
        *_PLACE,
    ]
)


class Key(NamedTuple):
    """Where rows belong."""

    table: str
    day: str
    tenant: str


class Rows:
    """Records that wait to be written. Those that nobody could use are counted: the worker has put them aside."""

    def __init__(self, topic: Topic, decoder: Decoder) -> None:
        self._decode = self._usage if topic == "usage" else self._rollup
        self._decoder, self._waiting = decoder, dict[Key, list[Any]]()
        self.rejected: dict[str, int] = defaultdict(int)
        self.count = 0

    def add(self, partition: int, offset: int, value: bytes, headers: Headers, now: float) -> None:
        """Take in one record of the topic."""
        for key, row in self._decode(value, headers, now, {"partition": partition, "offset": offset}):
            self._waiting.setdefault(key, []).append(row)
            self.count += 1

    def taken(self) -> dict[Path, pa.Table]:
        """Hand over all rows as tables, by the folders that they belong to."""
        tables: dict[Path, list[pa.Table]] = defaultdict(list)
        for key in sorted(self._waiting):
            tables[folder_of(*key)].append(_TABLES[key.table](self._waiting[key]))
        self._waiting, self.count = {}, 0
        return {path: pa.concat_tables(found) for path, found in tables.items()}

    def _usage(self, value: bytes, headers: Headers, now: float, place: Mapping[str, int]) -> Iterator[tuple[Key, Any]]:
        for item in self._decoder.decode(value, now, headers_of(headers)):
            if isinstance(item, Rejected):
                self.rejected[item.reason] += 1
            if isinstance(item, Rejected | Skipped):
                continue
            row = {**msgspec.structs.asdict(item), **place}
            if isinstance(item, Feedback):
                yield (
                    Key("feedback", _day(item.time), item.tenant),
                    {**row, "scope": msgspec.structs.asdict(item.scope)},
                )
                continue
            row |= {
                "quantity": _exact(item.quantity) if item.quantity else None,
                "tags": list(item.tags.items()) or None,
            }
            row["cost_usd"] = None if item.cost_usd is None else _exact(item.cost_usd)
            yield Key("usage", _day(item.time), item.tenant), row

    def _rollup(
        self, value: bytes, headers: Headers, now: float, place: Mapping[str, int]
    ) -> Iterator[tuple[Key, Any]]:
        try:
            rollup = msgspec.json.decode(value, type=Rollup)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self.rejected[rejected_by(error).reason] += 1
            return
        yield Key("rollups", _day(rollup.start), rollup.tenant), rollup


def _rollups(rollups: list[Rollup]) -> pa.Table:
    rows = RollupRows()
    for rollup in rollups:
        rows.add(0, rollup)
    return rows.table().select(ROLLUPS.names)


_TABLES: Mapping[str, Callable[[list[Any]], pa.Table]] = {
    "usage": lambda rows: pa.Table.from_pylist(rows, USAGE),
    "feedback": lambda rows: pa.Table.from_pylist(rows, FEEDBACK),
    "rollups": _rollups,
}


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def _exact(amount: Decimal) -> Decimal:
    """Round to what the column holds; finer than what a price is ever rounded to."""
    return amount.quantize(_UNIT, context=_ROUNDING)
