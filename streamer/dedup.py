"""Remembers the events already counted, so that a producer's repeats change nothing."""

import math
from array import array
from collections.abc import Iterator, Mapping
from typing import ClassVar

from librt.strings import read_i64_be
from mypy_extensions import mypyc_attr
from xxhash import xxh3_64_digest

from streamer.id_set import IdSet

# Which stretch of event time, and which chunk of it.
Place = tuple[int, int]


@mypyc_attr(acyclic=True)
class SeenIds:
    """The ids (source and id together) of one tenant's events, kept for `span` seconds of event time.

    Ids are kept as 64-bit hashes (XXH3) in `PARTS` stretches of event time, so that a stretch is forgotten as a whole,
    and each stretch in chunks of `chunk`, so that little is written again where one id was added. One id in
    2**64 / (ids kept) is taken for a repeat that is none: with a million ids, one event in 18 million million. Beyond
    `most` ids the oldest chunk is forgotten early.

    >>> seen = SeenIds(3600)
    >>> seen.add("gateway", "1", 1000.0), seen.add("gateway", "1", 1001.0), seen.add("other", "1", 1001.0)
    (True, False, True)
    """

    PARTS: ClassVar[int] = 8
    CHUNK: ClassVar[int] = 1024

    def __init__(self, span: float, most: int = 1_000_000, chunk: int = CHUNK) -> None:
        self._size, self._most, self._full = self._length(span), most, chunk
        self._known = IdSet()
        # By stretch, and by chunk in the order in which they were filled; only the last of a stretch may have room.
        self._stretches: dict[int, dict[int, array[int]]] = {}
        self._newest = -(2**62)
        self._changed: set[Place] = set()
        # Where the last id went, for the next one will nearly always go there too.
        self._stretch, self._room, self._chunk = self._newest, 0, array("q")
        self._squeezed = 0

    def add(self, source: str, event_id: str, at: float) -> bool:
        """Remember an event of time `at` (epoch seconds); False if it was there already."""
        name = read_i64_be(xxh3_64_digest(f"{source}\x00{event_id}".encode()), 0)
        if not self._known.add(name):
            return False
        number = int(at // self._size)
        if number != self._stretch or not self._room:
            self._turn_to(number)
        self._chunk.append(name)
        self._room -= 1
        return True

    def __len__(self) -> int:
        return len(self._known)

    def squeezed(self) -> int:
        """Give how many ids were forgotten early since the last call."""
        squeezed, self._squeezed = self._squeezed, 0
        return squeezed

    def changes(self) -> Iterator[tuple[Place, bytes | None]]:
        """Give the chunks that changed since the last call, None for dropped ones."""
        for number, chunk in sorted(self._changed):
            names = self._stretches.get(number, {}).get(chunk)
            yield (number, chunk), None if names is None else names.tobytes()
        self._changed.clear()
        self._room = 0  # so that the next id marks its chunk as changed

    def restore(self, chunks: Mapping[Place, bytes], span: float = 0.0, newest: float = math.inf) -> None:
        """Take up the chunks that `changes` gave, under a `span` that was perhaps another (0: it was this one).

        No id is of a time after `newest` (epoch seconds).
        """
        size = self._length(span) or self._size
        for place, names in sorted(chunks.items()):
            number, chunk = place if size == self._size else self._moved(place, size, newest)
            self._stretches.setdefault(number, {})[chunk] = array("q", names)
            for name in self._stretches[number][chunk]:
                self._known.add(name)
            self._newest = max(self._newest, number)

    def _length(self, span: float) -> float:
        return span / self.PARTS

    def _moved(self, place: Place, size: float, newest: float) -> Place:
        """Find a place for a chunk of a stretch that was `size` seconds long, as late as one of its ids may be."""
        number = int(min((place[0] + 1) * size, newest) // self._size)
        moved = number, len(self._stretches.get(number, ()))
        self._changed |= {place, moved}
        return moved

    def _turn_to(self, number: int) -> None:
        """Find the chunk that ids of a stretch go to now."""
        if number > self._newest:
            self._newest = number
            self._forget(number - self.PARTS)
        self._make_room()
        # Not further back, or whoever sends times of all ages makes as many stretches.
        place = max(number, self._newest - self.PARTS)
        chunks = self._stretches.setdefault(place, {})
        last = next(reversed(chunks), 0)
        if last in chunks and len(chunks[last]) >= self._full:
            last += 1
        self._chunk = chunks.setdefault(last, array("q"))
        self._stretch, self._room = number, self._full - len(self._chunk)
        self._changed.add((place, last))

    def _forget(self, before: int) -> None:
        """Drop the stretches that lie wholly more than the span back."""
        for number in [number for number in self._stretches if number < before]:
            for chunk in list(self._stretches[number]):
                self._drop(number, chunk)

    def _make_room(self) -> None:
        while len(self._known) > self._most:
            number = min(self._stretches)
            chunk = next(iter(self._stretches[number]))
            self._squeezed += len(self._stretches[number][chunk])
            self._drop(number, chunk)

    def _drop(self, number: int, chunk: int) -> None:
        for name in self._stretches[number].pop(chunk):
            self._known.discard(name)
        self._changed.add((number, chunk))
        if not self._stretches[number]:
            del self._stretches[number]
