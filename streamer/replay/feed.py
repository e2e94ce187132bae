"""From the sources to chunks of what they bring out: in this process, or in several that share the tenants."""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from multiprocessing import Pipe, get_context, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from xxhash import xxh3_64_intdigest

from streamer.config import Config
from streamer.errors import SourceUnreadable
from streamer.garbage import collect_seldom
from streamer.replay.extent import Extent
from streamer.replay.faults import Faults
from streamer.replay.items import Run
from streamer.replay.merge import Merge
from streamer.replay.places import TOPIC
from streamer.replay.run import Chunk, Shard, Totals, Word, joined
from streamer.replay.shared import hand_out, taken
from streamer.replay.sources import NO_PRESENT, read
from streamer.replay.topic import ReadTopic, topic_runs
from streamer.wiring import decoder_of

GoesOn = Callable[[], bool]
# Chunks that a process may be ahead of the one that puts them together.
_AHEAD = 4


class Job(msgspec.Struct, frozen=True):
    """What is to be replayed: sources in words that were expanded, by which configuration, and which part of it.

    `now` (epoch seconds) is the present: an event that claims to be of a later time is rejected.
    """

    sources: tuple[str, ...]
    config: Config
    begin: datetime | None = None
    end: datetime | None = None
    now: float = NO_PRESENT
    strict: bool = False

    @property
    def size(self) -> int:
        """How many bytes the files among the sources have."""
        return sum(Path(source).stat().st_size for source in self.sources if not _is_topic(source))

    def words(self, faults: Faults, extent: Extent, topics: ReadTopic = topic_runs) -> Iterator[Word]:
        """Read the events of all sources in the order of time; what is wrong with them is noted.

        Raises SourceUnreadable where nothing but faults is there, or nothing between the bounds, and at the first fault
        if the job is strict.
        """
        decoder, config = decoder_of(self.config, feedback=True), self.config

        def opened(source: str, extent: Extent | None = extent) -> Iterator[Run]:
            return read(source, decoder, config, self.now, extent, topics=topics)

        merge = Merge(self.sources, opened, partial(opened, extent=None))
        found = 0
        for words in faults.words(merge):
            within = self._within(words)
            found += len(within)
            yield from within
        faults.require_any()
        self._require_some(found, faults.good)
        for remark in merge.disorder():
            faults.remark(remark)
        if overlaps := merge.overlaps():
            more = f", and {len(overlaps) - 1} more" if len(overlaps) > 1 else ""
            faults.overlaps = f"sources overlap in time, and were merged: {overlaps[0]}{more}"

    def _require_some(self, found: int, read: int) -> None:
        """Raise SourceUnreadable where all that was read lies elsewhere: like faults alone, it would look quiet."""
        if read and not found:
            since = f"{self.begin:%Y-%m-%d %H:%M:%S %Z}" if self.begin else "the beginning"
            until = f"{self.end:%Y-%m-%d %H:%M:%S %Z}" if self.end else "the end"
            raise SourceUnreadable(f"{read:,} events were read, none between {since} and {until}")

    def _within(self, words: Sequence[Word]) -> Sequence[Word]:
        begin, end = self.begin, self.end
        if begin is None and end is None:
            return words
        return [w for w in words if (begin is None or w.time >= begin) and (end is None or w.time < end)]


class Feed:
    """The chunks of a job, by as many processes as are asked for; the same chunks by however many.

    Each process reads all files, and meters its own tenants only: reading is cheap beside metering, and all share
    one clock that way. Topics are read once, and handed to each. When the chunks are through, `totals` says what
    became of everything.
    """

    def __init__(self, job: Job, workers: int = 1) -> None:
        self._job, self._workers = job, workers
        self.extent, self.totals = Extent(), Totals()
        self.extent.expect(job.size)

    def chunks(self, goes_on: GoesOn) -> Iterator[Chunk]:
        """Give the chunks as long as it `goes_on`, and then what was open."""
        yield from self._alone(goes_on) if self._workers == 1 else self._together(goes_on)

    def _alone(self, goes_on: GoesOn) -> Iterator[Chunk]:
        faults = Faults(self._job.strict)
        shard = Shard(self._job.config, faults)
        for chunk in shard.chunks(self._job.words(faults, self.extent), goes_on):
            yield msgspec.structs.replace(chunk, read=self.extent.done)
        self.totals = shard.totals()

    def _together(self, goes_on: GoesOn) -> Iterator[Chunk]:
        with ExitStack() as stack:
            handed: dict[str, list[Connection]] = {source: [] for source in self._job.sources if _is_topic(source)}
            with _unheard_by_children():
                lines = [stack.enter_context(self._line(number, handed)) for number in range(self._workers)]
            for source, takers in handed.items():
                hand_out(source, self._job.config.kafka, self.extent, takers)
            for _ in range(_AHEAD):
                _say(lines, go_on=True)
            while True:
                chunk = joined([_heard(line) for line in lines])
                # Files are read by each process, topics by this one.
                yield msgspec.structs.replace(chunk, read=chunk.read + self.extent.done)
                if chunk.last:
                    break
                _say(lines, go_on=goes_on())
            parts = [_heard(line) for line in lines]
        for part in parts:
            self.totals.add(part)
        # All have read everything: one of them is enough to say what was wrong with it.
        self.totals.faults = parts[0].faults
        for part in parts[1:]:
            if failed := part.faults.rejected["failed"]:
                self.totals.faults.rejected["failed"] += failed

    def _line(self, number: int, handed: Mapping[str, list[Connection]]) -> "_Line":
        topics = {source: Pipe(duplex=False) for source in handed}
        for source, (_, end) in topics.items():
            handed[source].append(end)
        return _Line(self._job, Share(number, self._workers), {source: begin for source, (begin, _) in topics.items()})


@contextmanager
def _unheard_by_children() -> Iterator[None]:
    """Keep Ctrl-C, which goes to all processes of a terminal, from those that begin here, and for this one until then.

    They have what is blocked from the process that begins them.
    """
    # Which would let it through again, where it has to begin first.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _is_topic(source: str) -> bool:
    return source.startswith(TOPIC)


class Share(NamedTuple):
    """The tenants of one of so many processes."""

    number: int
    of: int

    def has(self, tenant: str) -> bool:
        """Tell whether a tenant is among them."""
        return bool(xxh3_64_intdigest(tenant.encode()) % self.of == self.number)


class _Line:
    """A process, and the line to it; from `topics` it takes the records of each topic."""

    def __init__(self, job: Job, share: Share, topics: Mapping[str, Connection]) -> None:
        context = get_context("forkserver")
        # What every process needs is imported once.
        context.set_forkserver_preload([__name__])
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, job, share, topics), daemon=True)
        self._process.start()
        for end in (theirs, *topics.values()):
            end.close()

    def __enter__(self) -> "_Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self._process.join(timeout=5)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()


def _say(lines: list[_Line], *, go_on: bool) -> None:
    for line in lines:
        try:
            line.connection.send(go_on)
        except OSError:  # it has come to its end, and says so in what is to be heard of it
            continue


def _heard(line: _Line) -> Any:
    try:
        said = line.connection.recv()
    except (EOFError, OSError):
        raise SourceUnreadable("a process that read the sources has died") from None
    if isinstance(said, Exception):
        raise said
    return said


def _work(connection: Connection, job: Job, share: Share, topics: Mapping[str, Connection]) -> None:
    collect_seldom()
    try:
        faults, extent = Faults(job.strict), Extent()
        extent.expect(job.size)
        shard = Shard(job.config, faults, share.has)
        for chunk in shard.chunks(job.words(faults, extent, taken(topics)), connection.recv):
            connection.send(msgspec.structs.replace(chunk, read=extent.done))
        connection.send(shard.totals())
    except EOFError:  # nobody listens any more
        return
    except Exception as error:
        connection.send(error)
