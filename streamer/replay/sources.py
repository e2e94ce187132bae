"""Reads usage events from files and Kafka topics, each with its place."""

import codecs
import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, cast

import msgspec
import orjson
import pyarrow as pa
from pyarrow import parquet

from streamer.clock import utc
from streamer.config import Config
from streamer.errors import SourceUnreadable
from streamer.events import tables
from streamer.events.decoder import Decoder, Headers
from streamer.events.formats import focus
from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent
from streamer.feedback import Feedback
from streamer.replay.columns import events_of
from streamer.replay.extent import Extent
from streamer.replay.items import LONG_AGO, Damage, Item, Run, joined
from streamer.replay.places import NO_KIND, TOPIC, kind_of
from streamer.replay.topic import ReadTopic, Record, topic_runs

# A replay of unknown age has no present against which an event could lie in the future.
NO_PRESENT = math.inf
#: What a file that is missing or damaged leads to, in the words of whoever reads it.
DAMAGES = (OSError, EOFError, ValueError, zlib.error, csv.Error, pa.ArrowException)
_AFTER_ALL = datetime.max.replace(tzinfo=UTC)
# Rows that are decoded together, and rows of a Parquet file that are unpacked together.
_RUN, _BATCH = 256, 4096


class _Row(msgspec.Struct, gc=False):
    """A row on its way to the decoder."""

    value: bytes | None
    headers: Headers = ()


# A row of a table may have become an event already, or be known to be none.
_Record = bytes | Rejected | UsageEvent


def read(
    source: str,
    decoder: Decoder,
    config: Config,
    now: float = NO_PRESENT,
    extent: Extent | None = None,
    *,
    topics: ReadTopic = topic_runs,
) -> Iterator[Run]:
    """Read one source, by the ending of its name or its scheme; `now` (epoch seconds) bounds what an event may claim.

    A source that breaks off ends with a `Damage` that says where and why; nothing that stands before is lost. A bill
    is read as a whole and given in the order of time, for its rows are in none.
    """
    extent = extent or Extent()
    if source.startswith(TOPIC):
        yield from _topic(source, decoder, now, topics(source, config.kafka, extent))
        return
    runs = _file(source, _Rows(source, decoder, now, latest(now, config)), extent)
    head = list(_up_to_the_first_event(runs))
    whole = chain(head, runs)
    if head and _is_bill(head[-1]):
        yield joined(sorted(chain.from_iterable(whole), key=_time))
    else:
        yield from whole


def latest(now: float, config: Config) -> datetime:
    """Give the last moment that an event may claim to be of."""
    at = now + config.events.max_future_seconds
    return utc(at) if at < datetime.max.replace(tzinfo=UTC).timestamp() else datetime.max.replace(tzinfo=UTC)


def records(path: Path, extent: Extent | None = None) -> Iterator[bytes | Rejected]:
    """Give the records of a file: lines, or the rows of a table as JSON; raises one of `DAMAGES`."""
    kind = kind_of(path)
    if not kind:
        raise ValueError(NO_KIND)
    if kind == "parquet":
        for batch in _batches(path, extent or Extent()):
            yield from map(_line, tables.batch_rows(batch))
        return
    with _opened(path, extent or Extent()) as stream:
        if kind == "csv":
            # Spreadsheets put a mark before the first name, which "utf-8-sig" drops.
            with io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline="") as lines:
                yield from map(_line, tables.csv_rows(lines))
        elif kind == "json":
            yield stream.read().removeprefix(codecs.BOM_UTF8)
        else:
            # Some editors put a mark before the first line, too.
            yield from map(bytes.removeprefix, islice(stream, 1), [codecs.BOM_UTF8])
            yield from stream


def _file(source: str, rows: "_Rows", extent: Extent) -> Iterator[Run]:
    before = 0
    for records in _to_the_damage(rows.of(Path(source), extent)):
        if isinstance(records, Damage):
            yield Run([records], [before + 1], source)
        else:
            yield rows.run(records, before)
            before += len(records)


def _up_to_the_first_event(runs: Iterator[Run]) -> Iterator[Run]:
    for run in runs:
        yield run
        if any(isinstance(decoded, UsageEvent) for decoded in run.decoded):
            return


def _is_bill(run: Run) -> bool:
    """Tell whether the first event is a row of a bill: those are in any order, where time must go forward."""
    first = next((decoded for decoded in run.decoded if isinstance(decoded, UsageEvent)), None)
    return first is not None and first.source == focus.FORMAT.name


def _time(item: Item) -> datetime:
    if isinstance(item.decoded, UsageEvent | Feedback):
        return item.decoded.time
    return _AFTER_ALL if isinstance(item.decoded, Damage) else LONG_AGO


def _topic(source: str, decoder: Decoder, now: float, read: Iterator[list[Record]]) -> Iterator[Run]:
    before = 0
    try:
        for records in read:
            found = list(decoder.decode_run(records, now))
            places = [place for place, _ in found]
            names = [records[place].place for place in places]
            yield Run([decoded for _, decoded in found], [before + 1 + place for place in places], names)
            before += len(records)
    except SourceUnreadable as error:
        if not before:
            raise
        yield Run([Damage(str(error))], [before + 1], source)


def _to_the_damage(records: Iterator[Sequence[_Record]]) -> Iterator[Sequence[_Record] | Damage]:
    try:
        yield from records
    except DAMAGES as error:
        yield Damage(str(error) or repr(error))


def _together(records: Iterator[_Record]) -> Iterator[Sequence[_Record]]:
    """Gather records that are decoded together; what was read before an error comes before it."""
    while True:
        some: list[_Record] = []
        try:
            # In one go, for there are many: what came before an error is in the list by then.
            some.extend(islice(records, _RUN))
        except DAMAGES:
            yield some
            raise
        if not some:
            return
        yield some


class _Rows:
    """Turns the rows of one file into items."""

    def __init__(self, source: str, decoder: Decoder, now: float, latest: datetime) -> None:
        self._source, self._decoder, self._now, self._latest = source, decoder, now, latest

    def of(self, path: Path, extent: Extent) -> Iterator[Sequence[_Record]]:
        """Give the rows of a file; those of a table that has the canonical columns are events already, and checked."""
        if kind_of(path) != "parquet":
            yield from _together(records(path, extent))
            return
        for batch in _batches(path, extent):
            events = events_of(batch, self._latest)
            yield from _together(map(_line, tables.batch_rows(batch))) if events is None else [events]

    def run(self, records: Sequence[_Record], before: int) -> Run:
        """Give what is in some rows; `before` is how many came before them."""
        kinds = set(map(type, records))
        if kinds == {bytes}:
            return self._decoded(records, before)  # type: ignore[arg-type]
        if bytes in kinds:
            # A row that is known to be no event is rare: each by itself then.
            runs = [self.run([record], before + place) for place, record in enumerate(records)]
            return joined([item for run in runs for item in run])
        return Run(records, range(before + 1, before + 1 + len(records)), self._source)  # type: ignore[arg-type]

    def _decoded(self, lines: Sequence[bytes], before: int) -> Run:
        numbers: Sequence[int] = range(before + 1, before + 1 + len(lines))
        if any(map(bytes.isspace, lines)):
            numbers = [number for number, line in zip(numbers, lines, strict=True) if not line.isspace()]
            lines = [line for line in lines if not line.isspace()]
        found = list(self._decoder.decode_run(list(map(_Row, lines)), self._now))
        return Run([decoded for _, decoded in found], [numbers[place] for place, _ in found], self._source)


def _batches(path: Path, extent: Extent) -> Iterator[pa.RecordBatch]:
    with _opened(path, extent) as stream:
        # Plain files are mapped by Arrow itself, which reads no more of them than it must.
        whole = pa.BufferReader(stream.read()) if path.suffix.lower() != ".parquet" else path
    with parquet.ParquetFile(whole) as file:
        yield from file.iter_batches(batch_size=_BATCH)


@contextmanager
def _opened(path: Path, extent: Extent) -> Iterator[IO[bytes]]:
    with extent.reading(path) as file:
        packed = path.suffix.lower()
        if packed == ".gz":
            yield cast(IO[bytes], gzip.GzipFile(fileobj=file))
        elif packed == ".zst":
            # Arrow's reader goes on to the next frame, and notices where the file breaks off.
            yield cast(IO[bytes], io.BufferedReader(pa.input_stream(file, compression="zstd")))
        else:
            yield file


def _line(row: dict[str, Any] | Rejected) -> bytes | Rejected:
    return row if isinstance(row, Rejected) else orjson.dumps(row)
