"""Remembers the events already counted, so that a producer's repeats change nothing."""

import struct
from array import array
from collections.abc import Iterator
from hashlib import blake2b

_ID = struct.Struct("<Q")


class SeenIds:
    """The ids (source and id together) of one tenant's events, kept for `span` seconds of event time.

    Ids are kept as 64-bit hashes in `PARTS` buckets of event time, so that what is forgotten is forgotten a bucket
    at a time, and only buckets that changed are written down. One id in 2**64 / (ids kept) is taken for a repeat
    that is none: with a million ids, one event in 18 million million.

    >>> seen = SeenIds(3600)
    >>> seen.add("gateway", "1", 1000.0), seen.add("gateway", "1", 1001.0), seen.add("other", "1", 1001.0)
    (True, False, True)
    """

    PARTS = 8

    def __init__(self, span: float) -> None:
        self._size = span / self.PARTS
        self._buckets: dict[int, set[int]] = {}
        self._changed: set[int] = set()

    def add(self, source: str, event_id: str, at: float) -> bool:
        """Remember an event of time `at` (epoch seconds); False if it was there already."""
        (name,) = _ID.unpack(blake2b(f"{source}\x00{event_id}".encode(), digest_size=8).digest())
        if any(name in bucket for bucket in self._buckets.values()):
            return False
        number = int(at // self._size)
        self._buckets.setdefault(number, set()).add(name)
        self._changed.add(number)
        return True

    def forget(self, before: float) -> None:
        """Drop the buckets that lie wholly more than the span before `before` (epoch seconds)."""
        oldest = int(before // self._size) - self.PARTS
        for number in [number for number in self._buckets if number < oldest]:
            del self._buckets[number]
            self._changed.add(number)

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def changes(self) -> Iterator[tuple[int, bytes | None]]:
        """Give the buckets that changed since the last call, None for dropped ones."""
        for number in sorted(self._changed):
            bucket = self._buckets.get(number)
            yield number, None if bucket is None else array("Q", sorted(bucket)).tobytes()
        self._changed.clear()

    def restore(self, number: int, bucket: bytes) -> None:
        """Take up one bucket that `changes` gave."""
        self._buckets[number] = set(array("Q", bucket))
