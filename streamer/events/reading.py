"""Bytes into items: what a record is packed in and written in, told by its headers or else by its looks."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import orjson
import pyarrow as pa
import zstandard
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from streamer.events import tables
from streamer.events.formats import cloudevents
from streamer.events.formats.base import Unmappable
from streamer.events.formats.spans import MESSAGE, MOST_SPANS, size_of
from streamer.events.rejected import Rejected, rejected_by

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PROTOBUF = ("application/x-protobuf", "application/protobuf", "application/vnd.google.protobuf")
# The first field of an export request, a message; JSON can begin so too, for it is a line feed.
_FIRST_FIELD = b"\n"
_BROKEN = (OSError, EOFError, ValueError, zlib.error, csv.Error, zstandard.ZstdError, RecursionError, pa.ArrowException)


class Broken(msgspec.Struct, frozen=True):
    """A line or row that could not be read, as it stood, beside others that could."""

    line: bytes
    rejected: Rejected


def read(record: bytes, headers: Mapping[str, str], most_bytes: int | None = None) -> list[Any]:
    """Give the items of a record: decoded JSON, decoded OTLP under a key of its own, Broken.

    One item, a JSON array, NDJSON, an export request in protobuf, CSV or Parquet; packed with gzip or zstd or not.
    Raises Unmappable where nothing can be read, or where it unpacks to more than `most_bytes`.
    """
    try:
        return list(_items(record, headers, most_bytes))
    except Unmappable:
        raise
    except _BROKEN as error:
        raise Unmappable("undecodable", _why(error)) from None


def is_binary(record: bytes) -> bool:
    """Tell whether a record is none that people could read: whatever it holds cannot be told apart."""
    packed = record.startswith((_GZIP, _ZSTD, tables.PARQUET))
    return packed or (record[:1] == _FIRST_FIELD and record[1:].lstrip()[:1] not in (b"{", b"[")) or b"\x00" in record


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
        yield from _of_text(record, headers)


def _unpacked(record: bytes, most: int | None) -> bytes:
    if record.startswith(_GZIP):
        stream: Any = gzip.GzipFile(fileobj=io.BytesIO(record))
    elif record.startswith(_ZSTD):
        stream = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(record), read_across_frames=True)
    else:
        return record
    with stream:
        unpacked: bytes = stream.read(-1 if most is None else most + 1)
    if most is not None and len(unpacked) > most:
        raise Unmappable("too_large", f"unpacked it is over the limit of {most} bytes")
    return unpacked


def _of_text(record: bytes, headers: Mapping[str, str]) -> Iterator[Any]:
    """One item, a JSON array, NDJSON where each line stands or falls alone; else what only looks can tell."""
    try:
        whole = orjson.loads(record)
    except orjson.JSONDecodeError:
        yield from _of_looks(record, headers)
        return
    yield from whole if isinstance(whole, list) else [whole]


def _of_looks(record: bytes, headers: Mapping[str, str]) -> Iterator[Any]:
    if record[:1] == _FIRST_FIELD and (request := _perhaps_request(record)) is not None:
        yield request
        return
    if tables.is_csv(record, headers):
        yield from _rows(tables.csv_rows_of(record))
        return
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
