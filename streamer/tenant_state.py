"""What is written down of a tenant as a whole; what has a grain of its own is written beside it."""

import msgspec

from streamer.judges.cases import WrittenCases
from streamer.judges.policies import WrittenPolicies
from streamer.judges.watch_state import WrittenWatch
from streamer.windows.open import WrittenWindow


class WrittenWatermark(msgspec.Struct):
    """What is written down of a watermark; see `Watermark`."""

    lateness: float
    grace: float
    newest: float
    arrived: float
    value: float


class WrittenTenant(msgspec.Struct, omit_defaults=True):
    """Its watermark, up to where its windows are closed, its open windows, what its judges keep, and its repeats.

    `size` and `span` are the seconds of a window and those that ids were remembered for, by the configuration that it
    was written under; 0 in states of before they were written down.
    """

    watermark: WrittenWatermark
    closed: float
    late_parts: int
    windows: list[WrittenWindow]
    cases: WrittenCases
    watch: WrittenWatch
    policies: WrittenPolicies
    repeats: int = 0
    size: float = 0.0
    span: float = 0.0
