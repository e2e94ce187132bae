"""Exact sums of what was spent, in equal buckets of time: the newest are kept, and older ones make room."""

from collections.abc import Sequence

# What is packed as a number ends at 64 bits; larger ones are written as text.
_LARGE = 1 << 63
# The newest bucket's number, then the sums up to it, from the oldest that is not 0.
WrittenRing = tuple[int, Sequence[int | str]]


class Ring:
    """Sums of whole amounts, one a bucket of `width` seconds, of the newest `size` buckets.

    Amounts may come in any order of their times; what is older than the oldest bucket is dropped.

    >>> ring = Ring(width=60, size=3)
    >>> for amount, at in ((5, 130.0), (2, 10.0), (1, 150.0)):
    ...     ring.add(amount, at)
    >>> ring.within(60, now=150.0), ring.within(150, now=150.0)
    (6, 8)
    """

    __slots__ = ("_newest", "_size", "_sums", "_width")

    def __init__(self, width: int, size: int) -> None:
        self._width, self._size = width, size
        self._newest = -1
        self._sums = [0] * size

    def add(self, amount: int, at: float) -> None:
        """Add `amount` to the bucket of `at` (epoch seconds, 0 or later)."""
        bucket = int(at // self._width)
        if bucket > self._newest:
            self._move(bucket)
        if bucket > self._newest - self._size:
            self._sums[bucket % self._size] += amount

    def within(self, seconds: float, now: float) -> int:
        """Sum up the last `seconds` before `now`; of the bucket that they begin in, its share by whole seconds.

        What lies in buckets after that of `now` is left out.
        """
        width, begin = self._width, now - seconds
        first, last = int(begin // width), int(now // width)
        share = int((first + 1) * width - begin)
        return self._at(first) * share // width + sum(map(self._at, range(first + 1, last + 1)))

    def sums(self, last: int) -> list[int]:
        """List as many buckets as are kept up to number `last`, the oldest first."""
        return [self._at(bucket) for bucket in range(last - self._size + 1, last + 1)]

    def written(self) -> WrittenRing:
        """Write the ring down."""
        sums = self.sums(self._newest)
        first = next((place for place, amount in enumerate(sums) if amount), self._size)
        return self._newest, [amount if -_LARGE <= amount < _LARGE else str(amount) for amount in sums[first:]]

    def read(self, written: WrittenRing) -> None:
        """Take up what `written` gave, dropping one's own."""
        self._newest, sums = written
        self._sums = [0] * self._size
        for back, amount in enumerate(reversed(sums[-self._size :])):
            self._sums[(self._newest - back) % self._size] = int(amount)

    def _at(self, bucket: int) -> int:
        known = self._newest - self._size < bucket <= self._newest
        return self._sums[bucket % self._size] if known else 0

    def _move(self, bucket: int) -> None:
        """Make room for the buckets up to this one."""
        for new in range(max(self._newest + 1, bucket - self._size + 1), bucket + 1):
            self._sums[new % self._size] = 0
        self._newest = bucket
