"""Rows of a Parquet file that has the canonical columns straight into usage events, without a detour through JSON."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise, repeat
from operator import add, gt
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from streamer.events import canonical
from streamer.events.rejected import Rejected, rejected_by
from streamer.events.usage import UsageEvent

_FIELDS = {field.name: field for field in msgspec.structs.fields(UsageEvent)}
# Where an archived event stood in its topic.
_PLACE = frozenset({"partition", "offset"})
_TEXT = pa.string()
_NEEDED = frozenset(name for name, field in _FIELDS.items() if field.required)


class _Column(NamedTuple):
    """A column's cells; where few values come often, also which those are."""

    cells: list[Any]
    values: list[Any]


def events_of(batch: pa.RecordBatch, latest: datetime) -> Sequence[UsageEvent | Rejected] | None:
    """Give a batch's rows as events; None where its columns are not those of canonical events alone.

    A time must be a timestamp with a zone. What the types do not allow, or the checks that they cannot state, is
    rejected, row by row; `latest` is the last moment at which an event may claim to have happened.
    """
    names = set(batch.schema.names)
    if not (names >= _NEEDED and names <= _FIELDS.keys() | _PLACE) or not _is_instant(batch.schema.field("time").type):
        return None
    try:
        # Each column is checked as a whole, by the type of its field, and events are made of them in one go.
        columns = {name: _column(batch, field) for name, field in _FIELDS.items()}
    except (msgspec.ValidationError, OverflowError):
        return _one_by_one(batch, latest)
    events = list(map(UsageEvent, *(column.cells for column in columns.values())))
    return events if _are_sound(columns, latest) else [canonical.checked(event, latest) for event in events]


def _column(batch: pa.RecordBatch, field: msgspec.structs.FieldInfo) -> _Column:
    default = field.default_factory() if field.default is msgspec.NODEFAULT and not field.required else field.default
    if field.name not in batch.schema.names:
        return _Column([default] * len(batch), [default])
    column = batch.column(field.name)
    known, places = (_texts(column), None) if field.name == "id" else _coded(column, default)
    values: list[Any] = msgspec.convert(known, list[field.type])  # type: ignore[name-defined]
    return _Column(values if places is None else list(map(values.__getitem__, places)), values)


def _are_sound(columns: Mapping[str, _Column], latest: datetime) -> bool:
    """Tell whether all rows together pass `canonical.checked`; where not, each has to be looked at."""
    times, reads, writes = columns["time"].cells, columns["cache_read_tokens"], columns["cache_write_tokens"]
    if times and not canonical.EARLIEST <= min(times) <= max(times) <= latest:
        return False
    if any(reads.values) or any(writes.values):
        inputs = columns["input_tokens"].cells
        if any(map(gt, map(add, reads.cells, writes.cells), inputs)):
            return False
    costs, quantities = columns["cost_usd"].values, columns["quantity"].values
    return all(cost is None or canonical.is_money(cost) for cost in costs) and all(
        map(canonical.is_quantity, quantities)
    )


def _is_instant(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.tz)


def _one_by_one(batch: pa.RecordBatch, latest: datetime) -> Sequence[UsageEvent | Rejected] | None:
    try:
        return [_event(row, latest) for row in _rows(batch)]
    except OverflowError:
        # A time that Python has no value for, in a column that should hold none.
        return None


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Give each row's fields; empty cells are absent."""
    names = [name for name in batch.schema.names if name in _FIELDS]
    for cells in zip(*(_cells(batch.column(name), None) for name in names), strict=True):
        yield {name: cell for name, cell in zip(names, cells, strict=True) if cell is not None}


def _cells(column: pa.Array, empty: Any) -> list[Any]:
    """Give a column's cells, `empty` for those that hold nothing."""
    known, places = _coded(column, empty)
    return known if places is None else [known[place] for place in places]


def _coded(column: pa.Array, empty: Any) -> tuple[list[Any], list[int] | None]:
    """Give what is in a column, and which of that each row has: one object only of what comes often.

    Without places each row has its own.
    """
    kind = column.type
    if column.null_count == len(column):
        return [empty], [0] * len(column)
    if _is_text(kind) or pa.types.is_decimal(kind) or pa.types.is_dictionary(kind):
        return _dictionary(column if pa.types.is_dictionary(kind) else column.dictionary_encode(), empty)
    if _is_text_by_name(kind) and not column.items.null_count:
        return _maps(column, empty)
    if _is_instant(kind):
        cells = _instants(column.cast(pa.timestamp("us"), safe=False).to_numpy(zero_copy_only=False).tolist())
    elif pa.types.is_integer(kind) and not column.null_count:
        # numpy makes Python's objects of a whole column at once: five times as fast.
        return list(column.to_numpy().tolist()), None
    else:
        cells = column.to_pylist(maps_as_pydicts="strict")
    return [empty if cell is None or cell == "" else cell for cell in cells], None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _texts(column: pa.Array) -> list[Any]:
    """Give texts that are all unlike, of which a dictionary would only be one more copy."""
    return list(column.to_numpy(zero_copy_only=False).tolist() if _is_text(column.type) else column.to_pylist())


def _is_text_by_name(kind: pa.DataType) -> bool:
    return bool(pa.types.is_map(kind) and pa.types.is_string(kind.key_type) and pa.types.is_string(kind.item_type))


def _dictionary(column: pa.DictionaryArray, empty: Any) -> tuple[list[Any], list[int]]:
    known = [empty if value in (None, "") else value for value in _each(column.dictionary)]
    if not column.indices.null_count:
        return known, column.indices.to_numpy().tolist()
    return [*known, empty], column.indices.fill_null(len(known)).to_numpy().tolist()


def _each(values: pa.Array) -> list[Any]:
    if pa.types.is_decimal(values.type) and not values.null_count:
        # By way of text: twice as fast.
        return list(map(Decimal, _texts(values.cast(_TEXT))))
    return list(values.to_pylist())


def _maps(column: pa.MapArray, empty: Any) -> tuple[list[Any], list[int]]:
    pairs = list(zip(_cells(column.keys, ""), _cells(column.items, ""), strict=True))
    found: dict[tuple[tuple[str, str], ...], int] = {(): 0}
    ends = column.offsets.to_numpy().tolist()
    places = [found.setdefault(tuple(pairs[begin:end]), len(found)) for begin, end in pairwise(ends)]
    return [dict(pairs) if pairs else empty for pairs in found], places


def _instants(naive: list[Any]) -> list[Any]:
    """Give times in UTC; empty cells stay None, and what no datetime can hold stays a number."""
    if set(map(type, naive)) == {datetime}:
        # Five times as fast as `replace`.
        return list(map(datetime.combine, map(datetime.date, naive), map(datetime.time, naive), repeat(UTC)))
    return [at.replace(tzinfo=UTC) if isinstance(at, datetime) else at for at in naive]


def _event(row: dict[str, Any], latest: datetime) -> UsageEvent | Rejected:
    try:
        return canonical.event_of(row, latest)
    except OverflowError as error:
        return rejected_by(error)
