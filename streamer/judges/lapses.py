"""Ends what is judged in slices where nothing comes any more: an agent that was renamed or switched off fills none."""

import math

from streamer.judges.book import Book, Standing
from streamer.judges.models import Registry
from streamer.records import AnomalyKind

# What only further usage of the same entity would end.
_IN_SLICES: frozenset[AnomalyKind] = frozenset({"drift", "bloat", "mix"})
# So long, in seconds, that neither a night nor a batch that runs once a day ends a case.
_DAY = 86_400.0


class Lapses:
    """Cases of entities that had nothing for more than a day; `size` is a window's length in seconds."""

    def __init__(self, size: float, registry: Registry, book: Book) -> None:
        self._size, self._registry, self._book = size, registry, book
        self._most = round(_DAY / size) + 1

    def on_time(self, number: int, end: float) -> None:
        """End at `end` what has lapsed by window `number`; what comes back is weighed anew."""
        for case in self._book.snapshot():
            if number >= self._lapses(case):
                self._book.close(case, end)
                self._registry.settle(case.entity)

    @property
    def since(self) -> float:
        """The start (epoch seconds) of the window in which the first case lapses; infinite if none does."""
        return min((self._lapses(case) for case in self._book.standing.values()), default=math.inf) * self._size

    def _lapses(self, case: Standing) -> float:
        models = self._registry.get(case.entity)
        return models.horizons.last + self._most if models and case.kind in _IN_SLICES else math.inf
