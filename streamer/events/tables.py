"""Rows of CSV and Parquet as items: empty cells are absent, counts are numbers, and what is unpacked is bounded."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import orjson
import pyarrow as pa
from pyarrow import parquet

from streamer.events.formats.base import Unmappable
from streamer.events.formats.focus_rows import plain
from streamer.events.rejected import Rejected

PARQUET = b"PAR1"
_COUNTS = "input_tokens output_tokens cache_read_tokens cache_write_tokens reasoning_tokens steps tool_calls requests"
_WHOLE = frozenset(_COUNTS.split())
# Names of which one is in the head of every table that is taken for one by its looks.
_HEADS = frozenset((plain("ChargePeriodStart"), "tenant"))
_SEPARATORS = ",;\t"
# Encodings can make millions of rows of a few bytes.
_MOST_ROWS, _BATCH = 1_000_000, 256


def is_csv(record: bytes, headers: Mapping[str, str]) -> bool:
    """Tell whether a record is CSV, by its content type or by the names in its first line."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() == "text/csv":
        return True
    head = record[:65536].partition(b"\n")[0].decode("utf-8", "replace")
    names = {plain(name.strip('"\r\ufeff ')) for name in head.split(_separator(head))}
    return len(names) > 1 and not names.isdisjoint(_HEADS)


def _separator(head: str) -> str:
    return max(_SEPARATORS, key=head.count)


def csv_rows(lines: Iterable[str]) -> Iterator[dict[str, Any] | Rejected]:
    """Read rows of CSV; raises csv.Error for what is none.

    Bytes that are no UTF-8 may stand in the lines as lone surrogates: their rows are rejected, and no other.
    """
    rest = iter(lines)
    head = next(rest, "")
    if any("\ud800" <= sign <= "\udfff" for sign in head):
        raise csv.Error("the head is not UTF-8")
    # Strict: a quote that is never closed would take the rows after it for text of one cell, to the end of the file.
    rows = csv.DictReader(chain([head], rest), delimiter=_separator(head), strict=True)
    if twice := [name for name, times in Counter(rows.fieldnames or ()).items() if times > 1 and name]:
        raise csv.Error(f"the head names a column twice: {twice[0][:100]!r}")
    return map(_csv_row, rows)


def _csv_row(cells: Mapping[Any, Any]) -> dict[str, Any] | Rejected:
    if None in cells:
        return Rejected("wrong_type", "the row has more cells than the head has names")
    # As the last row of a file that breaks off has: what is left of its last cell may be part of a number.
    if None in cells.values():
        return Rejected("wrong_type", "the row has fewer cells than the head has names")
    try:
        return row_of(cells)
    except orjson.JSONEncodeError as error:
        return Rejected("undecodable", str(error))


def csv_rows_of(record: bytes) -> Iterator[dict[str, Any] | Rejected]:
    """Read the rows of CSV in memory; raises csv.Error and UnicodeDecodeError."""
    # Spreadsheets put a mark before the first name, which "utf-8-sig" drops.
    return csv_rows(io.StringIO(record.decode("utf-8-sig"), newline=""))


def batch_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | Rejected]:
    """Give the rows of a batch; raises ValueError for names that come twice in a map."""
    batch = pa.record_batch(list(map(_as_fine_as_python, batch.columns)), names=batch.schema.names)
    try:
        return map(row_of, batch.to_pylist(maps_as_pydicts="strict"))
    except OverflowError:
        return map(_row, (batch.slice(place, 1) for place in range(len(batch))))


def _as_fine_as_python(column: pa.Array) -> pa.Array:
    """Cut times to microseconds, and tell them in UTC where they have a zone; another column stays as it is."""
    kind = column.type
    if not pa.types.is_timestamp(kind):
        return column
    unit = "us" if kind.unit == "ns" else kind.unit
    return column.cast(pa.timestamp(unit, "UTC" if kind.tz else None), safe=False)


def _row(batch: pa.RecordBatch) -> dict[str, Any] | Rejected:
    try:
        return row_of(*batch.to_pylist(maps_as_pydicts="strict"))
    except OverflowError:
        return Rejected("impossible_time", "the row has a time before the first or after the last of all years")


def parquet_rows_of(record: bytes, most_bytes: int | None) -> Iterator[dict[str, Any] | Rejected]:
    """Read the rows of Parquet in memory, which may unpack to `most_bytes`; raises Unmappable beyond that."""
    unpacked = 0
    with parquet.ParquetFile(pa.BufferReader(record)) as file:
        if file.metadata.num_rows > _MOST_ROWS:
            raise Unmappable("too_large", f"more than {_MOST_ROWS} rows")
        for batch in file.iter_batches(batch_size=_BATCH):
            unpacked += batch.nbytes
            if most_bytes is not None and unpacked > most_bytes:
                raise Unmappable("too_large", f"unpacked it is over the limit of {most_bytes} bytes")
            yield from batch_rows(batch)


def row_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Spell a row of a table as the JSON of its format."""
    given = {name: _cell(name, value) for name, value in fields.items() if value not in (None, "")}
    spelled: dict[str, Any] = orjson.loads(orjson.dumps(given, str))
    return spelled


def _cell(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if name == "tags" or name in _WHOLE:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value
