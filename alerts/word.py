"""A person's word on what was told, as the alert side knows it, and the memory of which were heard."""

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from alerts.alert import Label

# So many words are remembered, the latest; so many seconds at most.
MOST_WORDS, LONGEST = 10_000, 604_800.0


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says, as `text` tells others of it.

    `scope` are the labels that it names, `until` (epoch seconds) how long it holds.

    It is about the `incident`, or the `anomaly` (an alert's id), or, where neither is named, about all in its scope.
    """

    id: str
    at: datetime
    verdict: str
    by: str = ""
    text: str = ""
    incident: str = ""
    anomaly: str = ""
    scope: dict[Label, str] = {}
    until: float | None = None

    @property
    def key(self) -> str:
        """Name what makes it the same word: its id, and the anomaly that it is about."""
        return f"{self.id}/{self.anomaly}"


class Heard:
    """The words that were heard, so that each counts once."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._dirty: set[str] = set()

    def add(self, word: Word, now: float) -> bool:
        """Note a word at `now` (epoch seconds); False if it was heard before."""
        if word.key in self._at:
            return False
        self._at[word.key] = now
        self._dirty.add(word.key)
        if len(self._at) > MOST_WORDS:
            self._drop(next(iter(self._at)))
        return True

    @property
    def due(self) -> float:
        """The moment (epoch seconds) from which on the oldest is forgotten; infinite without any."""
        return next(iter(self._at.values()), float("inf")) + LONGEST

    def tick(self, now: float) -> None:
        """Forget what was heard long ago."""
        while self._at and now - next(iter(self._at.values())) > LONGEST:
            self._drop(next(iter(self._at)))

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the words that were added or forgotten since the last call, written down; None for forgotten ones."""
        for key in sorted(self._dirty):
            yield key, msgspec.msgpack.encode(self._at[key]) if key in self._at else None
        self._dirty.clear()

    def restore(self, words: Mapping[str, bytes]) -> None:
        """Take up the words that `changes` gave."""
        found = {key: msgspec.msgpack.decode(state, type=float) for key, state in words.items()}
        self._at = dict(sorted(found.items(), key=lambda one: (one[1], one[0])))

    def _drop(self, key: str) -> None:
        del self._at[key]
        self._dirty.add(key)
