"""How much there is to read, and how far reading has come."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple


class Extent:
    """Bytes of all sources together; of a topic its records stand for about as many."""

    #: What a record of a topic counts for.
    RECORD = 300

    def __init__(self) -> None:
        self.total = self._past = 0
        self._open: dict[int, IO[bytes]] = {}

    def expect(self, size: int) -> None:
        """Note that so many bytes more are to be read."""
        self.total += size

    def advance(self, size: int) -> None:
        """Note that so many bytes were read."""
        self._past += size

    @property
    def done(self) -> int:
        """Bytes that were read so far."""
        return min(self.total, self._past + sum(file.tell() for file in self._open.values()))

    @contextmanager
    def reading(self, path: Path) -> Iterator[IO[bytes]]:
        """Open a file, and follow how far it is read."""
        with path.open("rb") as file:
            # Of a pipe nobody knows how far it is.
            if file.seekable():
                self._open[id(file)] = file
            try:
                yield file
            finally:
                self._open.pop(id(file), None)
                self._past += path.stat().st_size


class Progress(NamedTuple):
    """How far a replay has come: bytes of so many, events, and the time of the data (epoch seconds)."""

    read: int
    size: int
    events: int
    at: float


Watcher = Callable[[Progress], object]


class Control(NamedTuple):
    """What a command has to say while sources are read: whether to go on, and who is told how far it is."""

    goes_on: Callable[[], bool] = lambda: True
    watch: Watcher = lambda _: None
