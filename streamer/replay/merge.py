"""Several sources as one, in the order of their events' times."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import accumulate
from pathlib import Path

from pyarrow import ArrowException, parquet

from streamer.clock import utc
from streamer.replay.items import LONG_AGO, Run, merged
from streamer.replay.places import TOPIC, spelled

Opener = Callable[[str], Iterator[Run]]
# Up to where sources are merged: a time, and the number of the source that has it.
Horizon = tuple[datetime, int]


class Stream:
    """One source that is being read: the items that are next, and how well it keeps to the order of time.

    An item's key is its time or that of a newer one before it, so that each source stays in its own order.
    """

    def __init__(self, source: str, number: int, runs: Iterator[Run]) -> None:
        self.source, self.number, self._runs = source, number, runs
        self.first: datetime | None = None
        self.newest = LONG_AGO
        self.behind, self.behind_row, self.farthest = 0, 0, 0.0
        self._run, self._keys, self._place = Run((), (), source), list[datetime](), 0

    @property
    def horizon(self) -> Horizon:
        """Up to where it is known what is next."""
        return self._keys[-1], self.number

    def fill(self) -> bool:
        """Read on where nothing waits; tells whether there is anything left."""
        while self._place == len(self._run):
            run = next(self._runs, None)
            if run is None:
                return False
            self._run, self._keys, self._place = run, self._noted(run), 0
        return True

    def take(self, until: Horizon) -> tuple[Run, list[datetime]]:
        """Give the items up to a horizon, and their keys."""
        begin, cut = self._place, bisect_right if self.number <= until[1] else bisect_left
        self._place = cut(self._keys, until[0], begin)
        return self._run.part(begin, self._place), self._keys[begin : self._place]

    def _noted(self, run: Run) -> list[datetime]:
        """Note which items are older than one before them; gives the keys."""
        times = run.times
        if self.first is None:
            self.first = next((at for at in times if at > LONG_AGO), None)
        if times and self.newest <= times[0] and times == sorted(times):
            self.newest = times[-1]
            return times
        newest = list(accumulate(times, max, initial=self.newest))
        self._note_late(run, newest)
        self.newest = newest[-1]
        return newest[1:]

    def _note_late(self, run: Run, newest: Sequence[datetime]) -> None:
        for at, before, row in zip(run.times, newest, run.rows, strict=False):
            if LONG_AGO < at < before:
                self.behind += 1
                self.behind_row = self.behind_row or row
                self.farthest = max(self.farthest, (before - at).total_seconds())


class Merge:
    """Gives the items of all sources: each in its own order, and the sources by the times of their next events.

    A file is opened when its first event is due, and closed when it is read, so that a year of files needs no more
    memory than those that overlap. As much as is known to come next is given at a time.
    """

    def __init__(self, sources: Sequence[str], opener: Opener, glance: Opener | None = None) -> None:
        """Read by `opener`; the first events are looked up by `glance`, where that is to be done otherwise."""
        self._sources, self._opener, self._glance = sources, opener, glance or opener
        self._past: list[Stream] = []

    def __iter__(self) -> Iterator[Run]:
        waiting = sorted(self._waiting(), reverse=True)
        streams: list[Stream] = []
        while waiting or streams:
            horizon = min((stream.horizon for stream in streams), default=None)
            while waiting and (horizon is None or waiting[-1][:2] <= horizon):
                _, number, source = waiting.pop()
                stream = Stream(source, number, self._opener(source))
                if self._goes_on(stream):
                    insort(streams, stream, key=lambda stream: stream.number)
                    horizon = min(stream.horizon, horizon or stream.horizon)
            if horizon:
                yield _merged([stream.take(horizon) for stream in streams])
                streams = [stream for stream in streams if self._goes_on(stream)]

    def _goes_on(self, stream: Stream) -> bool:
        if stream.fill():
            return True
        self._past.append(stream)
        return False

    def disorder(self) -> Iterator[str]:
        """Say which files are not in the order of time, as far as they were read."""
        for stream in sorted(self._past, key=lambda stream: stream.number):
            if stream.behind and not stream.source.startswith(TOPIC):
                yield (
                    f"{spelled(stream.source)}: not in the order of time: {stream.behind:,} events are older than one"
                    f" before them, the first in row {stream.behind_row}, by up to {stream.farthest:,.1f} s"
                )

    def overlaps(self) -> list[str]:
        """Say which sources overlap in time, as far as they were read."""
        found, before = [], None
        for stream in sorted((s for s in self._past if s.first), key=lambda s: (s.first, s.number)):
            if before and stream.first and stream.first < before.newest:
                until = min(before.newest, stream.newest)
                names = f"{spelled(before.source)} and {spelled(stream.source)}"
                found.append(f"{names}, from {_moment(stream.first)} to {_moment(until)}")
            if before is None or stream.newest > before.newest:
                before = stream
        return found

    def _waiting(self) -> Iterator[tuple[datetime, int, str]]:
        if len(self._sources) == 1:
            yield LONG_AGO, 0, self._sources[0]
            return
        for number, source in enumerate(self._sources):
            yield _begin(source, self._glance), number, source


def _merged(parts: list[tuple[Run, list[datetime]]]) -> Run:
    found = [part for part in parts if len(part[0])]
    if len(found) == 1:
        return found[0][0]
    return merged([run for run, _ in found], [key for _, keys in found for key in keys])


def _begin(source: str, opener: Opener) -> datetime:
    """Find the time of a source's first event; what cannot be known cheaply is opened at once."""
    if source.startswith(TOPIC):
        return LONG_AGO
    if source.lower().endswith(".parquet") and (known := _least(Path(source))):
        return known
    runs = opener(source)
    try:
        return next((at for run in runs for at in run.times if at > LONG_AGO), LONG_AGO)
    finally:
        getattr(runs, "close", lambda: None)()


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
    except (ArrowException, OSError, StopIteration, UnicodeEncodeError):
        return None
    found = min(least, default=None)
    return found if isinstance(found, datetime) and found.tzinfo else None


def _moment(at: datetime) -> str:
    return utc(at.timestamp()).isoformat().replace("+00:00", "Z")
