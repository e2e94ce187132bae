"""What longer horizons hold: the last slot of theirs and this one; and what is written down of all."""

import msgspec

from streamer.windows.totals import METRICS, Metric

# One number a metric, in the order of METRICS; dollars in dollars.
Values = tuple[float, ...]
NOTHING: Values = (0.0,) * len(METRICS)


class Slot(msgspec.Struct, array_like=True):
    """What the last aligned slot of a horizon held in all, and what this one holds so far.

    Of both the part that a case has told of; empty where none has.
    """

    before: Values = NOTHING
    so_far: Values = NOTHING
    told_before: Values = ()
    told: Values = ()

    def turn(self, slots: int) -> None:
        """Let so many slots begin, 1 or more."""
        self.before, self.told_before = (self.so_far, self.told) if slots == 1 else (NOTHING, ())
        self.so_far, self.told = NOTHING, ()

    def news(self) -> "Slot":
        """Give what no case has told of."""
        return Slot(_less(self.before, self.told_before), _less(self.so_far, self.told))


class HorizonsState(msgspec.Struct, array_like=True):
    """What is written down of `Horizons`."""

    first: int
    last: int
    slots: list[Slot]
    baselines: list[dict[Metric, bytes]]


def _less(all_: Values, part: Values) -> Values:
    return tuple(a - b for a, b in zip(all_, part, strict=True)) if part else all_
