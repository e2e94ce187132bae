"""What is remembered and written down of one session.

By itself, for msgspec's structs cannot be compiled, and what has them cannot either (docs/decisions/0035).
"""

import msgspec

# Who has told of a call: the answer that asked for it, the call itself, or both.
ASKED, MADE, BOTH = 1, 2, 3


class Call(msgspec.Struct, gc=False):
    """One tool call: its identity, its time (epoch seconds), what the session had spent before it, and who told."""

    identity: int
    at: float
    spent: int
    teller: int = MADE


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
    # Who told of each of the calls and handovers, a byte each; of what was written before that is not known.
    tellers: bytes = b""
    handover_tellers: bytes = b""
