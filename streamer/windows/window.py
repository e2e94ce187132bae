"""Tumbling windows and the watermark that closes them; pure, by event time."""

import msgspec
from xxhash import xxh3_64_intdigest


class TumblingWindow(msgspec.Struct, frozen=True):
    """Windows of `size` seconds that touch and never overlap, aligned to the epoch."""

    size: float

    def start(self, at: float) -> float:
        """Give the start (epoch seconds) of the window that `at` falls into.

        >>> TumblingWindow(10.0).start(1000000019.5)
        1000000010.0
        """
        return at // self.size * self.size


class Watermark(msgspec.Struct):
    """How far a tenant's event time has come: nothing older than `value` is expected any more.

    Events move it to their own time less `lateness`. While none arrive it goes on at the pace of `now`, less
    `grace` more, so that windows of a tenant that fell silent close too. It never goes back, and it takes only
    differences of `now`, so that a replay of last month works like a live stream.
    """

    lateness: float
    grace: float
    newest: float = float("-inf")
    arrived: float = float("-inf")
    value: float = float("-inf")

    def observe(self, at: float, now: float) -> None:
        """Take in the time of an event (epoch seconds) that arrived at `now`."""
        if at > self.newest:
            self.newest, self.arrived = at, now
            self.value = max(self.value, at - self.lateness)

    def advance(self, now: float) -> None:
        """Let idle time count."""
        idle = now - self.arrived
        if idle > self.grace:
            self.value = max(self.value, self.newest - self.lateness + idle - self.grace)


def stagger(tenant: str, most: float) -> float:
    """Give how many seconds, from 0 to below `most`, a tenant's windows close after others': always the same.

    All windows end at the same moments; if they closed then too, all that happens at a close would happen at once.

    >>> stagger("acme", 4.0) == stagger("acme", 4.0) != stagger("globex", 4.0)
    True
    """
    return most * xxh3_64_intdigest(tenant.encode()) / 2**64
