"""Reads usage events from files and Kafka topics, each with its place."""

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import orjson
import pyarrow as pa

from streamer.config import Config
from streamer.errors import SourceUnreadable
from streamer.events import tables
from streamer.events.decoder import Decoded, Decoder
from streamer.events.formats import focus
from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent
from streamer.feedback import Feedback
from streamer.replay.topic import topic_records

# A replay has no present against which an event could lie in the future.
NO_PRESENT = math.inf
_FIRST = datetime.min.replace(tzinfo=UTC)
# What a file that is missing or damaged leads to, in the words of whoever reads it.
DAMAGES = (OSError, EOFError, ValueError, zlib.error, csv.Error)


class Item(NamedTuple):
    """One decoded event or rejection, and where it stands: file or topic, and row of the file or topic (from 1)."""

    decoded: Decoded
    source: str
    row: int


def read(source: str, decoder: Decoder, config: Config) -> Iterator[Item]:
    """Read one source, by the ending of its name or its scheme; raises SourceUnreadable where that cannot be.

    A bill is read as a whole and given in the order of time, for its rows are in none.
    """
    if source.startswith("kafka://"):
        for row, (place, value, headers) in enumerate(topic_records(source, config.kafka), 1):
            yield from _items(decoder.decode(value, NO_PRESENT, headers), place, row)
        return
    try:
        items = _of_file(source, decoder)
        head = list(_up_to_the_first_event(items))
        whole = chain(head, items)
        yield from sorted(whole, key=_time) if head and _is_billed(head[-1].decoded) else whole
    except DAMAGES as error:
        raise SourceUnreadable(f"{source}: {error}") from error


def _of_file(source: str, decoder: Decoder) -> Iterator[Item]:
    for row, record in enumerate(records(Path(source)), 1):
        if isinstance(record, Rejected):
            yield Item(record, source, row)
        elif not record.isspace():
            yield from _items(decoder.decode(record, NO_PRESENT), source, row)


def _up_to_the_first_event(items: Iterator[Item]) -> Iterator[Item]:
    for item in items:
        yield item
        if isinstance(item.decoded, UsageEvent):
            return


def _is_billed(decoded: Decoded) -> bool:
    """Tell whether this is a row of a bill: those are in any order, where time must go forward."""
    return isinstance(decoded, UsageEvent) and decoded.source == focus.FORMAT.name


def _time(item: Item) -> datetime:
    return item.decoded.time if isinstance(item.decoded, UsageEvent | Feedback) else _FIRST


def _items(decoded: list[Decoded], source: str, row: int) -> Iterator[Item]:
    for item in decoded:
        yield Item(item, source, row)


def records(path: Path) -> Iterator[bytes | Rejected]:
    """Give the records of a file: lines, or the rows of a table as JSON; raises one of `DAMAGES`."""
    kind = path.name.removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
    if kind == "parquet":
        yield from _of_parquet(path)
        return
    if kind not in ("jsonl", "ndjson", "json", "csv"):
        raise ValueError("not a .jsonl, .ndjson, .json, .csv or .parquet file (.gz and .zst are fine)")
    with _opened(path) as stream:
        if kind == "csv":
            with io.TextIOWrapper(stream, "utf-8-sig", newline="") as lines:
                yield from map(_line, tables.csv_rows(lines))
        elif kind == "json":
            yield stream.read()
        else:
            yield from stream


def _of_parquet(path: Path) -> Iterator[bytes | Rejected]:
    source: Any = path
    if path.suffix != ".parquet":
        with _opened(path) as stream:
            source = pa.BufferReader(stream.read())
    yield from map(_line, tables.parquet_rows(source))


def _line(row: dict[str, Any] | Rejected) -> bytes | Rejected:
    return row if isinstance(row, Rejected) else orjson.dumps(row)


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path))
    if path.suffix == ".zst":
        # Arrow's reader goes on to the next frame, and notices where the file breaks off.
        return cast(IO[bytes], io.BufferedReader(pa.input_stream(str(path), compression="zstd")))
    return path.open("rb")
