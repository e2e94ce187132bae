"""What something costs that is let run and held in turn: from spans side by side, with the error. Pure."""

from collections.abc import Callable, Sequence
from random import Random
from statistics import fmean, stdev
from typing import NamedTuple

from benchmarks.units import Unit

_TRIMMED, _DRAWN = 0.05, 1000


class Span(NamedTuple):
    """From when to when (seconds, monotonic) it ran or was held, and the CPU seconds that it used."""

    began: float
    ended: float
    ran: bool
    cpu: float = 0.0


class Cost(NamedTuple):
    """A share of throughput, and its standard error."""

    share: float
    error: float


def turns(pairs: int, dice: Random) -> list[bool]:
    """Give when it runs and when it is held: once each in a pair, in an order that nothing else can keep step with."""
    return [runs for _ in range(pairs) for runs in ((True, False) if dice.random() < 0.5 else (False, True))]


def within(units: Sequence[Unit], span: Span) -> list[Unit]:
    """Give the units that lie in a span as a whole."""
    return [unit for unit in units if span.began <= unit.began and unit.ended <= span.ended]


def costs(units: Sequence[Unit], spans: Sequence[Span], took: Callable[[Unit], float]) -> list[float]:
    """Give for each two spans side by side the share of throughput that is lost in the one in which it ran.

    The means are of all units: what costs in gusts, as the answers to viewers do, is in the slowest of them.
    """
    found = []
    for pair in zip(spans[::2], spans[1::2], strict=True):
        means = {span.ran: fmean(map(took, within(units, span))) for span in pair}
        found.append(1 - means[False] / means[True])
    return found


def cost(found: Sequence[float]) -> Cost:
    """Give the share of throughput that is lost: the mean of pairs, without the outermost of either side.

    The error is that of pairs drawn anew from these.
    """
    dice = Random(1)
    drawn = [_trimmed(dice.choices(found, k=len(found))) for _ in range(_DRAWN)]
    return Cost(_trimmed(found), stdev(drawn))


def _trimmed(found: Sequence[float]) -> float:
    out = int(len(found) * _TRIMMED)
    return fmean(sorted(found)[out : len(found) - out])
