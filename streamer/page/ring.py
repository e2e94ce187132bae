"""The last so many slots of one number over time, in a fixed amount of memory."""

from array import array


class Ring:
    """Whole numbers by the number of their slot (epoch seconds over the slot's length); only the newest are kept.

    >>> ring = Ring(3)
    >>> ring.add(10, 5), ring.add(12, 7), ring.values(9, 13)
    (None, None, [0, 5, 0, 7])
    >>> ring.add(14, 1), ring.add(10, 99), ring.total(10, 15)
    (None, None, 8)
    """

    __slots__ = ("_last", "_slots", "_sum")

    def __init__(self, slots: int) -> None:
        self._slots = array("q", bytes(8 * slots))
        self._last: int | None = None
        self._sum = 0

    def add(self, slot: int, amount: int) -> None:
        """Add to a slot; one that is older than those that are kept changes nothing."""
        size = len(self._slots)
        last = slot if self._last is None else self._last
        if slot > last:
            self._forget(max(last + 1, slot - size + 1), slot + 1)
        self._last = max(last, slot)
        if slot > self._last - size:
            self._slots[slot % size] += amount
            self._sum += amount

    def values(self, first: int, end: int) -> list[int]:
        """Give the slots from `first` to before `end`; 0 where nothing is kept."""
        if self._last is None:
            return [0] * (end - first)
        size, last = len(self._slots), self._last
        return [self._slots[slot % size] if last - size < slot <= last else 0 for slot in range(first, end)]

    def total(self, first: int, end: int) -> int:
        """Sum up the slots from `first` to before `end`."""
        if self._last is None:
            return 0
        oldest = self._last - len(self._slots) + 1
        if end > self._last and first - oldest < self._last - first:
            # Nearly all that is kept: it is quicker to leave out the few that are older.
            return self._sum - sum(self.values(oldest, first))
        return sum(self.values(first, end))

    def _forget(self, first: int, end: int) -> None:
        size = len(self._slots)
        for slot in range(first, end):
            self._sum -= self._slots[slot % size]
            self._slots[slot % size] = 0
