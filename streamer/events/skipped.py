"""What a record may hold that is neither usage nor a mistake."""

from typing import Literal

import msgspec

Cause = Literal[
    "no_usage",  # nothing that is counted: a span about no model and no tool, a bucket without results
    "repeated",  # its usage is that of another span, which counts
    "told_elsewhere",  # a gateway, or its clients, tell of the same call: events.told_elsewhere
]


class Skipped(msgspec.Struct, frozen=True):
    """One item that was understood and left out; `item` is its place in a batch."""

    cause: Cause
    item: int = 0
