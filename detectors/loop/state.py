"""What is remembered and written down of one session.

By itself, for msgspec's structs cannot be compiled, and what has them cannot either (docs/decisions/0035).
"""

import msgspec


class Call(msgspec.Struct, frozen=True, gc=False):
    """One tool call: its identity, its time (epoch seconds), and what the session had spent before it."""

    identity: int
    at: float
    spent: int


# The calls as (identity, time, spent), the tool of the last ones, and how many in a row they are. Spend is text, for
# what is packed as a number ends at 64 bits.
WrittenCalls = tuple[list[tuple[int, float, str]], str, int]
# How many steps, the tokens that the first and the last one read, when the first one was, the spend before it (text).
WrittenGrowth = tuple[int, int, int, float, str]
# The last agent; the agents with the tokens that each one's last step read and wrote; how many handovers there were,
# and for each kind of step where the stretch began in which none says more: that number, the time, the spend.
WrittenRing = tuple[str, list[tuple[str, int, int]], int, list[tuple[int, float, str]]]


class WrittenDetector(msgspec.Struct, array_like=True):
    """All of it."""

    calls: WrittenCalls
    ring: WrittenRing
    growth: WrittenGrowth
    handovers: WrittenCalls | None
    latest: float
