"""The seconds of a replay: time passes in each of them, and costs nothing where nothing is due."""

from collections.abc import Callable, Iterator
from math import ceil, floor, inf


class Seconds:
    """Whole seconds from the first event on, and how many of them have `passed`.

    >>> seconds = Seconds()
    >>> seconds.begin(100.5)
    >>> list(seconds.until(103.0, due=lambda: 0.0)), list(seconds.until(9000.0, due=lambda: 7000.0))[:2]
    ([101.5, 102.5], [7000.5, 7001.5])
    >>> list(seconds.until(20_000.0, due=lambda: 30_000.0))
    [19999.5]
    """

    def __init__(self) -> None:
        #: The first event's time (epoch seconds); minus infinity before that.
        self.since = -inf
        self.passed = 0

    def begin(self, at: float) -> None:
        """Begin at the time of the first event (epoch seconds); later calls change nothing."""
        if self.since == -inf:
            self.since = at

    @property
    def next(self) -> float:
        """When the next one will have passed (epoch seconds)."""
        return self.since + self.passed + 1

    def until(self, at: float, due: Callable[[], float]) -> Iterator[float]:
        """Let all up to `at` pass; gives those (epoch seconds) by which something is due, and the last of all.

        What is due is asked after each. The last one is given so that everybody knows how late it is.
        """
        last = floor(at - self.since) if at > self.since else 0
        while self.passed < last:
            soonest = max(due(), self.next)
            self.passed = min(ceil(min(soonest, at) - self.since), last)
            if soonest <= self.since + self.passed or self.passed == last:
                yield self.since + self.passed
