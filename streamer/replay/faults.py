"""What was wrong with the sources: said with file and row, counted, and never in the way of the rest."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from streamer.errors import SourceUnreadable
from streamer.events.rejected import Rejected
from streamer.events.skipped import Skipped
from streamer.events.usage import UsageEvent
from streamer.feedback import Feedback
from streamer.replay.items import Damage, Item, Run

# So many of a kind are named; of more only their number is told.
_MOST_NAMED = 10


class Faults(msgspec.Struct):
    """Rows that were rejected, sources that broke off, and what is remarkable about the sources besides.

    `rejected` counts by reason; `named` holds the first of them in words. With `strict` the first one is raised as
    SourceUnreadable. `good` is how many events and words of people there were.
    """

    strict: bool = False
    good: int = 0
    rejected: Counter[str] = msgspec.field(default_factory=Counter)
    named: list[str] = []
    damaged: list[str] = []
    remarks: list[str] = []
    overlaps: str = ""

    def words(self, runs: Iterable[Run]) -> Iterator[Sequence[UsageEvent | Feedback]]:
        """Give the events and feedback among items, some at a time."""
        for run in runs:
            words: Sequence[Any] = run.decoded if run.is_clean else list(self._good(run))
            self.good += len(words)
            yield words

    def fail(self, event: UsageEvent, error: Exception) -> None:
        """Note an event that an error of ours kept from being counted."""
        self.rejected["failed"] += 1
        self._name(f"event {event.id!r} of {event.time.isoformat()}: failed: {type(error).__name__}")

    def remark(self, text: str) -> None:
        """Note what is odd about the sources though every row could be read."""
        if self.strict:
            raise SourceUnreadable(text)
        self.remarks.append(text)

    def require_any(self) -> None:
        """Raise SourceUnreadable where there are faults alone: an empty answer would look like a quiet month."""
        if not self.good and (self.damaged or self.rejected):
            raise SourceUnreadable("\n".join([*self.lines(), "no event at all could be read"]))

    def lines(self) -> Iterator[str]:
        """Say all of it, in lines; of much the first, for the summary has the rest."""
        yield from _first(self.damaged, len(self.damaged), "sources that cannot be read to their end")
        yield from _first(self.named, self.rejected.total(), "rows rejected")
        yield from _first(self.remarks, len(self.remarks), "such sources")
        if self.overlaps:
            yield self.overlaps

    def _good(self, items: Iterable[Item]) -> Iterator[UsageEvent | Feedback]:
        for item in items:
            decoded = item.decoded
            if isinstance(decoded, Rejected):
                self._reject(item, decoded)
            elif isinstance(decoded, Damage):
                self._break_off(item, decoded)
            elif not isinstance(decoded, Skipped):
                yield decoded

    def _reject(self, item: Item, rejected: Rejected) -> None:
        self.rejected[rejected.reason] += 1
        if self.strict or len(self.named) < _MOST_NAMED:
            self._name(f"{item.place}: {rejected.reason}: {rejected.detail}")

    def _break_off(self, item: Item, damage: Damage) -> None:
        said = f"{item.place}: cannot be read from here on: {damage.detail}"
        if self.strict:
            raise SourceUnreadable(said)
        self.damaged.append(said)

    def _name(self, said: str) -> None:
        if self.strict:
            raise SourceUnreadable(said)
        if len(self.named) < _MOST_NAMED:
            self.named.append(said)


def _first(lines: Sequence[str], of: int, what: str) -> Iterator[str]:
    yield from lines[:_MOST_NAMED]
    if (more := of - len(lines[:_MOST_NAMED])) > 0:
        yield f"and {more:,} more {what}"
