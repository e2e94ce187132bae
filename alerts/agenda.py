"""What is to be looked at when: the next time of each name, without a look at those whose time has not come."""

from heapq import heappop, heappush

SOON = float("-inf")


class Agenda:
    """One time a name; the latest that was put holds.

    >>> agenda = Agenda()
    >>> agenda.put("a", 5.0), agenda.put("b", 3.0), agenda.put("a", 9.0)
    (None, None, None)
    >>> agenda.due(6.0), agenda.due(9.0)
    (['b'], ['a'])
    """

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def put(self, name: str, at: float) -> None:
        """Look at `name` at `at` (epoch seconds); never, if that is infinity."""
        if self._at.get(name) == at:
            return
        self._at[name] = at
        if at < float("inf"):
            heappush(self._heap, (at, name))

    def drop(self, name: str) -> None:
        """Look at `name` no more."""
        self._at.pop(name, None)

    @property
    def next(self) -> float:
        """The moment (epoch seconds) before which nothing is to be looked at; infinite if nothing is at all."""
        return self._heap[0][0] if self._heap else float("inf")

    def due(self, now: float) -> list[str]:
        """Take out what is to be looked at by `now`, the earliest first."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            at, name = heappop(self._heap)
            if self._at.get(name) == at:
                del self._at[name]
                found.append(name)
        return found
