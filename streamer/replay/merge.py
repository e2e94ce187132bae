"""Several sources as one, in the order of their events' times."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush
from pathlib import Path

from pyarrow import ArrowException, parquet

from streamer.clock import utc
from streamer.events.rejected import Rejected
from streamer.events.skipped import Skipped
from streamer.replay.places import TOPIC
from streamer.replay.sources import Damage, Item

Opener = Callable[[str], Iterator[Item]]
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Stream:
    """One source that is being read: its next event, and how well it keeps to the order of time."""

    def __init__(self, source: str, number: int, items: Iterator[Item]) -> None:
        self.source, self.number, self._items = source, number, items
        self.first: datetime | None = None
        self.newest = _LONG_AGO
        self.behind, self.behind_row, self.farthest = 0, 0, 0.0
        self._head: Item | None = None

    def __lt__(self, other: "Stream") -> bool:
        return (self.at, self.number) < (other.at, other.number)

    @property
    def at(self) -> datetime:
        """The time of the next event; what has none goes before all others."""
        return _time_of(self._head) if self._head else _LONG_AGO

    def items(self, until: "Stream | None") -> Iterator[Item]:
        """Give items as long as none of `until` comes before them."""
        bound = until.at if until else None
        first = until is None or self.number < until.number
        head, self._head = self._head, None
        if head:
            yield head
        for item in self._items:
            at = self._note(item)
            if bound is not None and (at > bound or (at == bound and not first)):
                self._head = item
                return
            yield item

    @property
    def is_done(self) -> bool:
        """Whether nothing is left, once `items` has ended."""
        return self._head is None

    def _note(self, item: Item) -> datetime:
        at = _time_of(item)
        if at == _LONG_AGO:
            return at
        if at >= self.newest:
            self.first = self.first or at
            self.newest = at
        else:
            self.behind += 1
            self.behind_row = self.behind_row or item.row
            self.farthest = max(self.farthest, (self.newest - at).total_seconds())
        return at


class Merge:
    """Gives the items of all sources: each in its own order, and the sources by the times of their next events.

    A file is opened when its first event is due, and closed when it is read, so that a year of files needs no more
    memory than those that overlap.
    """

    def __init__(self, sources: Sequence[str], opener: Opener, glance: Opener | None = None) -> None:
        """Read by `opener`; the first events are looked up by `glance`, where that is to be done otherwise."""
        self._sources, self._opener, self._glance = sources, opener, glance or opener
        self._past: list[Stream] = []

    def __iter__(self) -> Iterator[Item]:
        waiting = sorted(self._waiting(), reverse=True)
        streams: list[Stream] = []
        while waiting or streams:
            while waiting and (not streams or _Coming(*waiting[-1]) < streams[0]):
                _, number, source = waiting.pop()
                heappush(streams, Stream(source, number, self._opener(source)))
            stream = heappop(streams)
            others = [*streams[:1], *(_Coming(*coming) for coming in waiting[-1:])]
            until = min(others, default=None)
            yield from stream.items(until)
            if stream.is_done:
                self._past.append(stream)
            else:
                heappush(streams, stream)

    def disorder(self) -> Iterator[str]:
        """Say which files are not in the order of time, as far as they were read."""
        for stream in sorted(self._past, key=lambda stream: stream.number):
            if stream.behind and not stream.source.startswith(TOPIC):
                yield (
                    f"{stream.source}: not in the order of time: {stream.behind:,} events are older than one before"
                    f" them, the first in row {stream.behind_row}, by up to {stream.farthest:,.1f} s"
                )

    def overlaps(self) -> list[str]:
        """Say which sources overlap in time, as far as they were read."""
        found, before = [], None
        for stream in sorted((s for s in self._past if s.first), key=lambda s: (s.first, s.number)):
            if before and stream.first and stream.first < before.newest:
                until = min(before.newest, stream.newest)
                found.append(f"{before.source} and {stream.source}, from {_spelled(stream.first)} to {_spelled(until)}")
            if before is None or stream.newest > before.newest:
                before = stream
        return found

    def _waiting(self) -> Iterator[tuple[datetime, int, str]]:
        if len(self._sources) == 1:
            yield _LONG_AGO, 0, self._sources[0]
            return
        for number, source in enumerate(self._sources):
            yield _begin(source, self._glance), number, source


class _Coming(Stream):
    """A source that is not open yet."""

    def __init__(self, at: datetime, number: int, source: str) -> None:
        super().__init__(source, number, iter(()))
        self._due = at

    @property
    def at(self) -> datetime:
        return self._due


def _begin(source: str, opener: Opener) -> datetime:
    """Find the time of a source's first event; what cannot be known cheaply is opened at once."""
    if source.startswith(TOPIC):
        return _LONG_AGO
    if source.endswith(".parquet") and (known := _least(Path(source))):
        return known
    items = opener(source)
    try:
        return next((at for item in items if (at := _time_of(item)) > _LONG_AGO), _LONG_AGO)
    finally:
        getattr(items, "close", lambda: None)()


def _least(path: Path) -> datetime | None:
    """Read the earliest time of a Parquet file from its foot."""
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if "time" not in names or not file.num_row_groups:
                return None
            place = next(n for n in range(len(file.schema)) if file.schema.column(n).path == "time")
            groups = (file.metadata.row_group(n).column(place).statistics for n in range(file.num_row_groups))
            least = [group.min for group in groups if group and group.has_min_max]
    except (ArrowException, OSError, StopIteration):
        return None
    found = min(least, default=None)
    return found if isinstance(found, datetime) and found.tzinfo else None


def _time_of(item: Item) -> datetime:
    decoded = item.decoded
    return _LONG_AGO if isinstance(decoded, Rejected | Skipped | Damage) else decoded.time


def _spelled(at: datetime) -> str:
    return utc(at.timestamp()).isoformat().replace("+00:00", "Z")
