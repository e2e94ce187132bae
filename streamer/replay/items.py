"""What is read of a source: events, rejections and damages with their places, some in a row at a time."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from streamer.events.decoder import Decoded
from streamer.events.rejected import Rejected
from streamer.events.skipped import Skipped
from streamer.events.usage import UsageEvent
from streamer.feedback import Feedback
from streamer.replay.places import spelled

#: The time of what has none: before all others.
LONG_AGO = datetime.min.replace(tzinfo=UTC)
_WORDS = frozenset({UsageEvent, Feedback})


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
        return f"{spelled(self.source)}, row {self.row}" + (f", item {inside + 1}" if inside else "")


class Run:
    """Items in a row. Nearly all are good events, of which nobody asks the place: so they are no `Item` each.

    `source` names where all of them stand, or where each of them does.
    """

    def __init__(self, decoded: Sequence[Decoded | Damage], rows: Sequence[int], source: str | Sequence[str]) -> None:
        self.decoded, self.rows, self._source = decoded, rows, source

    def __len__(self) -> int:
        return len(self.decoded)

    def __iter__(self) -> Iterator[Item]:
        return map(Item, self.decoded, self.sources, self.rows)

    @property
    def sources(self) -> Sequence[str]:
        """Where each item stands."""
        return [self._source] * len(self) if isinstance(self._source, str) else self._source

    @cached_property
    def is_clean(self) -> bool:
        """Whether there are events and feedback only."""
        return _WORDS.issuperset(map(type, self.decoded))

    @cached_property
    def times(self) -> list[datetime]:
        """The times of all items, `LONG_AGO` for those that have none."""
        if self.is_clean:
            return [word.time for word in self.decoded]  # type: ignore[union-attr]
        return [_time_of(decoded) for decoded in self.decoded]

    def part(self, begin: int, end: int) -> "Run":
        """Give the items from one place to before another."""
        if begin == 0 and end == len(self):
            return self
        source = self._source if isinstance(self._source, str) else self._source[begin:end]
        return Run(self.decoded[begin:end], self.rows[begin:end], source)


def joined(items: Sequence[Item]) -> Run:
    """Make a run of items that stand anywhere."""
    return Run([item.decoded for item in items], [item.row for item in items], [item.source for item in items])


def merged(runs: Sequence[Run], keys: Sequence[Any]) -> Run:
    """Put several runs into one, in the order of the items' keys; of equal ones the earlier run's come first."""
    order = sorted(range(len(keys)), key=keys.__getitem__)
    decoded, rows, sources = (list(chain.from_iterable(lists)) for lists in zip(*map(_columns, runs), strict=True))
    return Run([decoded[at] for at in order], [rows[at] for at in order], [sources[at] for at in order])


def _columns(run: Run) -> tuple[Sequence[Any], ...]:
    return run.decoded, run.rows, run.sources


def _time_of(decoded: Decoded | Damage) -> datetime:
    return LONG_AGO if isinstance(decoded, Rejected | Skipped | Damage) else decoded.time
