"""Rows of a Parquet file that has the canonical columns straight into usage events, without a detour through JSON."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pyarrow as pa

from streamer.events.rejected import Rejected, rejected_by
from streamer.events.usage import UsageEvent

_FIELDS = frozenset(UsageEvent.__struct_fields__)
# Where an archived event stood in its topic.
_PLACE = frozenset({"partition", "offset"})
_NEEDED = frozenset({"id", "time", "tenant"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def events_of(batch: pa.RecordBatch) -> list[UsageEvent | Rejected] | None:
    """Give a batch's rows as events; None where its columns are not those of canonical events alone.

    A time must be a timestamp with a zone; what the types do not allow is rejected, row by row, and what they cannot
    state is not checked.
    """
    schema = batch.schema
    if not (_NEEDED <= set(schema.names) <= _FIELDS | _PLACE) or not _is_instant(schema.field("time").type):
        return None
    rows = list(_rows(batch))
    try:
        return list(msgspec.convert(rows, list[UsageEvent]))
    except (msgspec.ValidationError, OverflowError):
        return [_event(row) for row in rows]


def _is_instant(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.tz)


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Give each row's fields; empty cells are absent, and columns of nothing but 0 or empty cells are not looked at."""
    # The ids stay whatever they are: there must be something to count the rows by.
    cells_of = ((name, _values(batch.column(name))) for name in batch.schema.names if name in _FIELDS)
    found = [(name, values) for name, values in cells_of if name == "id" or any(values)]
    names, columns = [name for name, _ in found], [values for _, values in found]
    for cells in zip(*columns, strict=True):
        yield {name: cell for name, cell in zip(names, cells, strict=True) if cell is not None and cell != ""}


def _values(column: pa.Array) -> list[Any]:
    if _is_instant(column.type):
        moments = column.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64()).to_pylist()
        return [None if at is None else _EPOCH + timedelta(microseconds=at) for at in moments]
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_map(column.type) and not column.items.null_count:
        return list(_maps(column))
    if pa.types.is_string(column.type) or (pa.types.is_integer(column.type) and not column.null_count):
        # numpy makes Python's objects of a whole column at once: five times as fast.
        return list(column.to_numpy(zero_copy_only=False).tolist())
    return list(column.to_pylist(maps_as_pydicts="strict"))


def _maps(column: pa.MapArray) -> Iterator[dict[str, str] | None]:
    names, values = _values(column.keys), _values(column.items)
    ends = column.offsets.to_pylist()
    for begin, end in pairwise(ends):
        yield dict(zip(names[begin:end], values[begin:end], strict=True)) if end > begin else None


def _event(row: dict[str, Any]) -> UsageEvent | Rejected:
    try:
        return msgspec.convert(row, UsageEvent)
    except (msgspec.ValidationError, OverflowError) as error:
        return rejected_by(error)
