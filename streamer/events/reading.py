"""Bytes into items: what a record is packed in and written in, told by its headers or else by its looks."""

import base64
import codecs
import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import orjson
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from streamer.events import deliveries, tables
from streamer.events.formats import cloudevents
from streamer.events.formats.base import Unmappable
from streamer.events.formats.spans import MESSAGE, MOST_SPANS, size_of
from streamer.events.packing import Damaged, TooLarge, packing_of, unpack
from streamer.events.rejected import Rejected, rejected_by

_PROTOBUF = ("application/x-protobuf", "application/protobuf", "application/vnd.google.protobuf")
# The first field of an export request, a message; JSON can begin so too, for it is a line feed.
_FIRST_FIELD = b"\n"
# No event is shorter in bytes: of a record with more items than that allows few are events, and each costs memory.
_SHORTEST, _FEW = 40, 1000
# Members or frames of a record: those who write to S3 put a member for each of their own records into one object.
_MOST_PARTS = 10_000
_BROKEN = (OSError, EOFError, ValueError, csv.Error, RecursionError, pa.ArrowException)


class Broken(msgspec.Struct, frozen=True):
    """A line or row that could not be read, as it stood, beside others that could."""

    line: bytes
    rejected: Rejected


def read(record: bytes, headers: Mapping[str, str], most_bytes: int | None = None) -> list[Any]:
    """Give the items of a record: decoded JSON, decoded OTLP under a key of its own, Broken.

    One item, a JSON array, NDJSON, an export request in protobuf, CSV or Parquet; packed with gzip or zstd or not, or
    in a delivery of AWS. Raises Unmappable where nothing can be read, or where it unpacks to more than `most_bytes`.
    """
    try:
        return list(_items(record, headers, most_bytes))
    except Unmappable:
        raise
    except _BROKEN as error:
        raise Unmappable("undecodable", _why(error)) from None


def is_binary(record: bytes) -> bool:
    """Tell whether a record is none that people could read: whatever it holds cannot be told apart."""
    packed = packing_of(record) is not None or record.startswith(tables.PARQUET)
    return packed or _is_protobuf(record) or b"\x00" in record


def _is_protobuf(record: bytes) -> bool:
    return record[:1] == _FIRST_FIELD and record[1:].lstrip()[:1] not in (b"{", b"[")


def _why(error: Exception) -> str:
    # orjson names a place; other libraries may quote what they could not read.
    return f"not JSON: {error}" if isinstance(error, orjson.JSONDecodeError) else f"broken: {type(error).__name__}"


def _items(record: bytes, headers: Mapping[str, str], most: int | None) -> Iterator[Any]:
    record = _unpacked(record, most)
    binary = cloudevents.structured(headers, record)
    if binary is not None:
        yield binary
        return
    if record.startswith(tables.PARQUET):
        yield from _rows(tables.parquet_rows_of(record, most))
    elif headers.get("content-type", "").partition(";")[0].strip().lower() in _PROTOBUF:
        yield _export_request(record)
    else:
        yield from _of_text(record, headers, most)


def _unpacked(record: bytes, most: int | None) -> bytes:
    packing = packing_of(record)
    if packing is None:
        return record
    try:
        unpacked = unpack(record, packing, most, _MOST_PARTS)
    except TooLarge as why:
        raise Unmappable("too_large", str(why)) from None
    except Damaged as why:
        raise Unmappable("undecodable", f"packed with {packing}, and {why}") from None
    if packing_of(unpacked):
        raise Unmappable("undecodable", f"packed with {packing} more than once")
    return unpacked


def _of_text(record: bytes, headers: Mapping[str, str], most: int | None) -> Iterator[Any]:
    """Items of JSON, lines or CSV, no more than there can be events in a text of its size; or a delivery of such."""
    record = record.removeprefix(codecs.BOM_UTF8)
    try:
        whole = orjson.loads(record)
    except orjson.JSONDecodeError:
        yield from _bounded(_of_looks(record, headers), len(record))
        return
    if records := deliveries.records_of(whole):
        yield from _delivered(records, most)
    else:
        yield from _bounded(whole if isinstance(whole, list) else [whole], len(record))


def _bounded(items: Iterable[Any], size: int) -> Iterator[Any]:
    most = max(_FEW, size // _SHORTEST)
    for number, item in enumerate(items):
        if number == most:
            raise Unmappable("too_large", f"more than {most} items in {size} bytes, of which few can be events")
        yield item


def _delivered(records: Sequence[str], most: int | None) -> Iterator[Any]:
    """Give the items of records that stand or fall alone; all of them together unpack to `most` bytes at most."""
    for record in records:
        try:
            text = _unpacked(base64.b64decode(record, validate=True), most)
            most = None if most is None else most - len(text)
            yield from _bounded(_of_delivered(text), len(text))
        except Unmappable as why:
            if why.reason == "too_large":
                raise
            yield Broken(b"", Rejected(why.reason, str(why)))
        except _BROKEN as error:
            yield Broken(b"", Rejected("undecodable", _why(error)))


def _of_delivered(text: bytes) -> Iterator[Any]:
    """JSON or lines; a delivery in a delivery is looked at no further."""
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError:
        yield from _of_looks(text, {})
        return
    yield from whole if isinstance(whole, list) else [whole]


def _of_looks(record: bytes, headers: Mapping[str, str]) -> Iterator[Any]:
    if record[:1] == _FIRST_FIELD and (request := _perhaps_request(record)) is not None:
        yield request
        return
    if tables.is_csv(record, headers):
        yield from _rows(tables.csv_rows_of(record))
        return
    if _is_protobuf(record):
        raise Unmappable(
            "undecodable", "binary, and no export request of spans: metrics and logs of OTLP are not taken"
        )
    lines = [line for line in record.splitlines() if line.strip()]
    if len(lines) < 2:
        orjson.loads(record)  # says why not
    yield from map(_line, lines)


def _perhaps_request(record: bytes) -> dict[str, Any] | None:
    """Decode a record that begins like an export request; None where it has no span with an id of the right length."""
    try:
        item = _export_request(record)
    except Unmappable as why:
        if why.reason == "too_large":
            raise
        return None
    request: ExportTraceServiceRequest = item[MESSAGE]
    scopes = (scope for resource in request.resource_spans for scope in resource.scope_spans)
    return item if any(len(span.trace_id) == 16 for scope in scopes for span in scope.spans) else None


def _export_request(record: bytes) -> dict[str, Any]:
    try:
        request = ExportTraceServiceRequest.FromString(record)
    except DecodeError:
        raise Unmappable("undecodable", "no export request of OTLP in protobuf") from None
    if size_of(request) > MOST_SPANS:
        raise Unmappable("too_large", f"more than {MOST_SPANS} spans, or too many attributes")
    return {MESSAGE: request}


def _rows(rows: Iterator[dict[str, Any] | Rejected]) -> Iterator[Any]:
    for row in rows:
        yield Broken(b"", row) if isinstance(row, Rejected) else row


def _line(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Broken(line, rejected_by(msgspec.DecodeError(f"malformed line: {error}")))
