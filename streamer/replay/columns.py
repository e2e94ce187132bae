"""Rows of a Parquet file that has the canonical columns straight into usage events, without a detour through JSON."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
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
    """Give each row's fields; empty cells are absent, and columns that are empty throughout are not looked at."""
    names = [name for name in batch.schema.names if name in _FIELDS and batch.column(name).null_count < len(batch)]
    columns = [_values(batch.column(name)) for name in names]
    for cells in zip(*columns, strict=True):
        yield {name: cell for name, cell in zip(names, cells, strict=True) if cell is not None and cell != ""}


def _values(column: pa.Array) -> list[Any]:
    if _is_instant(column.type):
        moments = column.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64()).to_pylist()
        return [None if at is None else _EPOCH + timedelta(microseconds=at) for at in moments]
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return list(column.to_pylist(maps_as_pydicts="strict"))


def _event(row: dict[str, Any]) -> UsageEvent | Rejected:
    try:
        return msgspec.convert(row, UsageEvent)
    except (msgspec.ValidationError, OverflowError) as error:
        return rejected_by(error)
