"""Tumbling windows and the watermark that closes them; pure, by event time."""

from mypy_extensions import mypyc_attr
from xxhash import xxh3_64_intdigest

_NEVER, _FOREVER = float("-inf"), float("inf")
# Sums of moments are rounded to about a microsecond.
_ROUNDING = 1e-3


@mypyc_attr(acyclic=True)
class TumblingWindow:
    """Windows of `size` seconds that touch and never overlap, aligned to the epoch."""

    __slots__ = ("size",)

    def __init__(self, size: float) -> None:
        self.size = size

    def start(self, at: float) -> float:
        """Give the start (epoch seconds) of the window that `at` falls into.

        >>> TumblingWindow(10.0).start(1000000019.5)
        1000000010.0
        """
        return at // self.size * self.size


@mypyc_attr(acyclic=True)
class Watermark:
    """How far a tenant's event time has come: nothing older than `value` is expected any more.

    Events move it to their own time less `lateness`. While none arrive it goes on at the pace of `now`, less
    `grace` more, so that windows of a tenant that fell silent close too. It never goes back, and it takes only
    differences of `now`, so that a replay of last month works like a live stream.
    """

    __slots__ = ("arrived", "grace", "lateness", "newest", "value")

    def __init__(self, lateness: float, grace: float) -> None:
        self.lateness, self.grace = lateness, grace
        #: The time of the newest event, when it arrived, and how far event time has come, in epoch seconds.
        self.newest = self.arrived = self.value = _NEVER

    def observe(self, at: float, now: float) -> None:
        """Take in the time of an event (epoch seconds) that arrived at `now`."""
        if at > self.newest:
            self.newest, self.arrived = at, now
            reached = at - self.lateness
            self.value = max(self.value, reached)

    def advance(self, now: float) -> None:
        """Let idle time count."""
        idle = now - self.arrived
        if idle > self.grace:
            self.value = max(self.value, self.newest - self.lateness + idle - self.grace)

    def reaches(self, value: float) -> float:
        """Give the moment (of `now`) before which idle time does not take it to `value`; infinite if it never does.

        >>> mark = Watermark(lateness=5.0, grace=2.0)
        >>> mark.observe(100.0, now=1000.0)
        >>> round(mark.reaches(110.0), 2)
        1017.0
        """
        if self.newest == _NEVER:
            return _FOREVER
        idle = self.grace + value - (self.newest - self.lateness)
        return _NEVER if self.value >= value else self.arrived + idle - _ROUNDING


def stagger(tenant: str, most: float) -> float:
    """Give how many seconds, from 0 to below `most`, a tenant's windows close after others': always the same.

    All windows end at the same moments; if they closed then too, all that happens at a close would happen at once.

    >>> stagger("acme", 4.0) == stagger("acme", 4.0) != stagger("globex", 4.0)
    True
    """
    return most * xxh3_64_intdigest(tenant.encode()) / 2**64
