"""What the next checkpoint takes down: what somebody waits for, a slice of the rest, or all."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from streamer.kafka.ahead import Ahead
from streamer.kafka.stage import Out, Record, Stage
from streamer.kafka.waiting import Waiting

Change = tuple[str, bytes | None]


class Taken(NamedTuple):
    """What a checkpoint writes, and from where on records are to be read after it; `ahead` of which it has already."""

    outs: list[Out]
    changes: list[Change]
    position: int
    ahead: bytes = b""


class Slices:
    """Takes a stage with one source down owner by owner.

    Each owner is written with all that came of it and the mark of each record that changed it, so any set of owners
    makes a checkpoint that is exact. The position follows in rounds: when a round begins, all who changed are lined up;
    when they are through, the state has all that came before its beginning.
    """

    def __init__(self, stage: Stage, waiting: Waiting) -> None:
        self._stage, self._waiting = stage, waiting
        self._ahead = Ahead(0)
        self._position = self._goal = 0
        self._line: deque[str] = deque()

    def begin(self, position: int, ahead: bytes = b"") -> None:
        """Go on at a position, whatever was before."""
        self._position = self._goal = position
        self._ahead = Ahead(position, ahead)
        self._line.clear()

    @property
    def under_way(self) -> bool:
        """Whether a round is not through."""
        return bool(self._line)

    def missing(self, records: Iterable[Record]) -> list[Record]:
        """Leave out the records that the state has."""
        return [record for record in records if not self._ahead.holds(record.offset)]

    @property
    def end(self) -> int:
        """The offset from which on the state has no record."""
        return self._ahead.end

    def all(self, reached: int) -> Taken:
        """Take everything down; all before `reached` is applied."""
        outs, changes = self._waiting.all(), list(self._stage.changes())
        self._line.clear()
        return self._at(reached, outs, changes)

    def hurried(self, reached: int) -> Taken:
        """Take down those whom somebody waits for."""
        return self._ended(reached, *self._down(sorted(self._waiting.hurried)))

    def slice(self, reached: int, enough: Callable[[], bool]) -> Taken:
        """Take down those whom somebody waits for, and of the round until `enough` says so."""
        if not self._line:
            self._line.extend(sorted({*self._stage.owners(), *self._waiting.owners}))
            self._goal = reached
        return self._ended(reached, *self._down(self._next(sorted(self._waiting.hurried), enough)))

    def _next(self, first: Iterable[str], enough: Callable[[], bool]) -> Iterator[str]:
        yield from first
        while self._line:
            yield self._line.popleft()
            if enough():
                return

    def _down(self, owners: Iterable[str]) -> tuple[list[Out], list[Change]]:
        outs: list[Out] = []
        changes: list[Change] = []
        for owner in owners:
            mine, offsets = self._waiting.taken(owner)
            outs += mine
            changes += self._stage.changes(owner)
            self._ahead.add(offsets)
        return outs, changes

    def _ended(self, reached: int, outs: list[Out], changes: list[Change]) -> Taken:
        if not self._stage.owners() and not self._waiting.owners:
            # Nothing is left of anybody: what is nobody's can go, too.
            rest = self.all(reached)
            return rest._replace(outs=outs + rest.outs, changes=changes + rest.changes)
        if self._line:
            return self._at(self._position, outs, changes)
        return self._at(self._goal, outs + self._waiting.passed(self._goal), changes)

    def _at(self, position: int, outs: list[Out], changes: list[Change]) -> Taken:
        self._position = position
        if not self._line:
            self._goal = position
        self._ahead.move(position)
        return Taken(outs, changes, position, self._ahead.written())
