"""Reads usage events from files and Kafka topics, each with its place."""

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import msgspec
import orjson
import pyarrow as pa
from pyarrow import parquet

from streamer.clock import utc
from streamer.config import Config
from streamer.errors import SourceUnreadable
from streamer.events import canonical, tables
from streamer.events.decoder import Decoded, Decoder, Headers
from streamer.events.formats import focus
from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent
from streamer.feedback import Feedback
from streamer.replay.columns import events_of
from streamer.replay.extent import Extent
from streamer.replay.places import KINDS, TOPIC, kind_of
from streamer.replay.topic import topic_records

# A replay of unknown age has no present against which an event could lie in the future.
NO_PRESENT = math.inf
#: What a file that is missing or damaged leads to, in the words of whoever reads it.
DAMAGES = (OSError, EOFError, ValueError, zlib.error, csv.Error)
_NEVER, _AFTER_ALL = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
# Rows that are decoded together.
_RUN = 256


class Damage(msgspec.Struct, frozen=True):
    """What kept the rest of a source from being read."""

    detail: str


class Item(NamedTuple):
    """One event, rejection or damage, and where it stands: file or topic, and row of the file or topic (from 1)."""

    decoded: Decoded | Damage
    source: str
    row: int

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        inside = self.decoded.item if isinstance(self.decoded, Rejected) else 0
        return f"{self.source}, row {self.row}" + (f", item {inside + 1}" if inside else "")


class _Row(msgspec.Struct, gc=False):
    """A row on its way to the decoder."""

    value: bytes | None
    headers: Headers = ()


# A row of a table may have become an event already, or be known to be none.
_Record = bytes | Rejected | UsageEvent


def read(
    source: str, decoder: Decoder, config: Config, now: float = NO_PRESENT, extent: Extent | None = None
) -> Iterator[Item]:
    """Read one source, by the ending of its name or its scheme; `now` (epoch seconds) bounds what an event may claim.

    A source that breaks off ends with a `Damage` that says where and why; nothing that stands before is lost. A bill
    is read as a whole and given in the order of time, for its rows are in none.
    """
    if source.startswith(TOPIC):
        yield from _topic(source, decoder, config, now, extent or Extent())
        return
    items = _file(source, _Rows(source, decoder, now, latest(now, config)), extent or Extent())
    head = list(_up_to_the_first_event(items))
    whole = chain(head, items)
    yield from sorted(whole, key=_time) if head and _is_billed(head[-1].decoded) else whole


def latest(now: float, config: Config) -> datetime:
    """Give the last moment that an event may claim to be of."""
    at = now + config.events.max_future_seconds
    return utc(at) if at < datetime.max.replace(tzinfo=UTC).timestamp() else datetime.max.replace(tzinfo=UTC)


def records(path: Path, extent: Extent | None = None) -> Iterator[bytes | Rejected]:
    """Give the records of a file: lines, or the rows of a table as JSON; raises one of `DAMAGES`."""
    kind = kind_of(path)
    if not kind:
        raise ValueError(f"not a {', '.join(f'.{kind}' for kind in KINDS[:-1])} or .{KINDS[-1]} file (.gz, .zst too)")
    if kind == "parquet":
        for batch in _batches(path, extent or Extent()):
            yield from map(_line, tables.batch_rows(batch))
        return
    with _opened(path, extent or Extent()) as stream:
        if kind == "csv":
            # Spreadsheets put a mark before the first name, which "utf-8-sig" drops.
            with io.TextIOWrapper(stream, "utf-8-sig", newline="") as lines:
                yield from map(_line, tables.csv_rows(lines))
        elif kind == "json":
            yield stream.read()
        else:
            yield from stream


def _file(source: str, rows: "_Rows", extent: Extent) -> Iterator[Item]:
    row = 0
    for run in _runs(_rows_of(Path(source), extent)):
        if isinstance(run, Damage):
            yield Item(run, source, row + 1)
        else:
            yield from rows.items(run, row)
            row += len(run)


def _up_to_the_first_event(items: Iterator[Item]) -> Iterator[Item]:
    for item in items:
        yield item
        if isinstance(item.decoded, UsageEvent):
            return


def _is_billed(decoded: Decoded | Damage) -> bool:
    """Tell whether this is a row of a bill: those are in any order, where time must go forward."""
    return isinstance(decoded, UsageEvent) and decoded.source == focus.FORMAT.name


def _time(item: Item) -> datetime:
    if isinstance(item.decoded, UsageEvent | Feedback):
        return item.decoded.time
    return _AFTER_ALL if isinstance(item.decoded, Damage) else _NEVER


def _topic(source: str, decoder: Decoder, config: Config, now: float, extent: Extent) -> Iterator[Item]:
    row = 0
    try:
        for row, (place, value, headers) in enumerate(topic_records(source, config.kafka, extent), 1):
            for item in decoder.decode(value, now, headers):
                yield Item(item, place, row)
    except SourceUnreadable as error:
        if not row:
            raise
        yield Item(Damage(str(error)), source, row + 1)


def _runs(records: Iterable[_Record]) -> Iterator[list[_Record] | Damage]:
    """Gather rows into runs; what was read before a damage comes before it."""
    run: list[_Record] = []
    try:
        for record in records:
            run.append(record)
            if len(run) == _RUN:
                yield run
                run = []
    except DAMAGES as error:
        yield run
        yield Damage(str(error) or repr(error))
        return
    yield run


class _Rows:
    """Turns the rows of one file into items."""

    def __init__(self, source: str, decoder: Decoder, now: float, latest: datetime) -> None:
        self._source, self._decoder, self._now, self._latest = source, decoder, now, latest

    def items(self, run: list[_Record], before: int) -> Iterator[Item]:
        """Give what is in a run of rows; `before` is how many came before it."""
        waiting, places = list[_Row](), list[int]()
        for row, record in enumerate(run, before + 1):
            if isinstance(record, bytes):
                if not record.isspace():
                    waiting.append(_Row(record))
                    places.append(row)
                continue
            yield from self._decoded(waiting, places)
            waiting, places = [], []
            found = canonical.checked(record, self._latest) if isinstance(record, UsageEvent) else record
            yield Item(found, self._source, row)
        yield from self._decoded(waiting, places)

    def _decoded(self, rows: list[_Row], places: list[int]) -> Iterator[Item]:
        for place, item in self._decoder.decode_run(rows, self._now):
            yield Item(item, self._source, places[place])


def _rows_of(path: Path, extent: Extent) -> Iterator[_Record]:
    """Give the records of a file; the rows of a table that has the canonical columns are events already."""
    if kind_of(path) != "parquet":
        yield from records(path, extent)
        return
    for batch in _batches(path, extent):
        events = events_of(batch)
        yield from map(_line, tables.batch_rows(batch)) if events is None else events


def _batches(path: Path, extent: Extent) -> Iterator[pa.RecordBatch]:
    with _opened(path, extent) as stream:
        # Plain files are mapped by Arrow itself, which reads no more of them than it must.
        whole = pa.BufferReader(stream.read()) if path.suffix != ".parquet" else path
    with parquet.ParquetFile(whole) as file:
        yield from file.iter_batches()


@contextmanager
def _opened(path: Path, extent: Extent) -> Iterator[IO[bytes]]:
    with extent.reading(path) as file:
        if path.suffix == ".gz":
            yield cast(IO[bytes], gzip.GzipFile(fileobj=file))
        elif path.suffix == ".zst":
            # Arrow's reader goes on to the next frame, and notices where the file breaks off.
            yield cast(IO[bytes], io.BufferedReader(pa.input_stream(file, compression="zstd")))
        else:
            yield file


def _line(row: dict[str, Any] | Rejected) -> bytes | Rejected:
    return row if isinstance(row, Rejected) else orjson.dumps(row)
