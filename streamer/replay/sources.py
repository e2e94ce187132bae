"""Reads usage events from files and Kafka topics, each with its place."""

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import orjson
import pyarrow as pa
from pyarrow import parquet

from streamer.config import Config
from streamer.errors import SourceUnreadable
from streamer.events.decoder import Decoded, Decoder
from streamer.events.rejected import Rejected
from streamer.replay.topic import topic_records

# A replay has no present against which an event could lie in the future.
NO_PRESENT = math.inf
_COUNTS = "input_tokens output_tokens cache_read_tokens cache_write_tokens reasoning_tokens steps tool_calls requests"
_WHOLE = frozenset(_COUNTS.split())
# What a file that is missing or damaged leads to, in the words of whoever reads it.
DAMAGES = (OSError, EOFError, ValueError, zlib.error, csv.Error)


class Item(NamedTuple):
    """One decoded event or rejection, and where it stands: file or topic, and row of the file or topic (from 1)."""

    decoded: Decoded
    source: str
    row: int


def read(source: str, decoder: Decoder, config: Config) -> Iterator[Item]:
    """Read one source, by the ending of its name or its scheme; raises SourceUnreadable where that cannot be."""
    if source.startswith("kafka://"):
        for row, (place, value, headers) in enumerate(topic_records(source, config.kafka), 1):
            yield from _items(decoder.decode(value, NO_PRESENT, headers), place, row)
        return
    path = Path(source)
    try:
        for row, record in enumerate(records(path), 1):
            if isinstance(record, Rejected):
                yield Item(record, source, row)
            elif not record.isspace():
                yield from _items(decoder.decode(record, NO_PRESENT), source, row)
    except DAMAGES as error:
        raise SourceUnreadable(f"{source}: {error}") from error


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
            # Spreadsheets put a mark before the first name, which "utf-8-sig" drops.
            lines = csv.DictReader(io.TextIOWrapper(stream, "utf-8-sig", newline=""))
            yield from (_row(fields) for fields in lines)
        elif kind == "json":
            yield stream.read()
        else:
            yield from stream


def _of_parquet(path: Path) -> Iterator[bytes | Rejected]:
    source = path
    if path.suffix != ".parquet":
        with _opened(path) as stream:
            source = pa.BufferReader(stream.read())
    with parquet.ParquetFile(source) as file:
        for batch in file.iter_batches():
            yield from (_row(fields) for fields in batch.to_pylist(maps_as_pydicts="strict"))


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path))
    if path.suffix == ".zst":
        # Arrow's reader goes on to the next frame, and notices where the file breaks off.
        return cast(IO[bytes], io.BufferedReader(pa.input_stream(str(path), compression="zstd")))
    return path.open("rb")


def _row(fields: Mapping[str, Any]) -> bytes | Rejected:
    """Spell a row of a table as the JSON of its format: empty cells are absent, counts are numbers."""
    if None in fields:
        return Rejected("wrong_type", "the row has more cells than the head has names")
    return orjson.dumps({name: _cell(name, value) for name, value in fields.items() if value not in (None, "")}, str)


def _cell(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if name == "tags" or name in _WHOLE:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value
