"""How fast a budget burns: sums over short and long windows, and the alert on both of them together."""

import math
from collections.abc import Sequence
from itertools import accumulate

import msgspec

from detectors.ring import Ring, WrittenRing

HOUR, DAY = 3600, 86_400
# Buckets of five minutes for two hours, and of an hour for eight days and the day before them.
STEP = 300
_FINE, _COARSE = 2 * HOUR // STEP + 1, 9 * 24 + 4
# What begins alike on two of these days is a habit.
_HABIT_DAYS = 7


class BurnParams(msgspec.Struct, frozen=True):
    """When a pair of windows (in seconds, the long one up to a day, the short one up to two hours) burns too fast.

    Both must burn `factor` times as fast as an even pace over the period would, and the long one at least `share` of
    the limit.
    """

    long: float
    short: float
    factor: float
    share: float


class Account(msgspec.Struct, frozen=True):
    """How a budget stands: spend and limit in whole units, times in epoch seconds."""

    spent: int
    limit: int
    start: float
    end: float
    now: float

    def even(self, seconds: float) -> float:
        """Give what an even pace over the period would spend in `seconds`."""
        return self.limit * seconds / (self.end - self.start)


class Spending:
    """What was spent of late, exact, by event time; whatever the period, for a night does not end with the month."""

    __slots__ = ("_coarse", "_fine")

    def __init__(self) -> None:
        self._fine, self._coarse = Ring(STEP, _FINE), Ring(HOUR, _COARSE)

    def add(self, amount: int, at: float) -> None:
        """Book `amount` at `at` (epoch seconds)."""
        self._fine.add(amount, at)
        self._coarse.add(amount, at)

    def within(self, seconds: float, now: float) -> int:
        """Sum up the last `seconds`, up to eight days."""
        return (self._fine if seconds <= 2 * HOUR else self._coarse).within(seconds, now)

    def habit(self, seconds: float, now: float) -> int:
        """Give the most that was spent within `seconds`, up to a day, on the second-busiest of the seven days before.

        The windows are laid by whole hours, and are so much longer that none of `seconds` can fall between two.
        """
        last, hours = int(now // HOUR), math.ceil(seconds / HOUR) + 1
        total = [0, *accumulate(self._coarse.sums(last))]
        spans = [total[end] - total[end - hours] for end in range(len(total) - 24 * (_HABIT_DAYS + 1), len(total) - 24)]
        days = [max(spans[day * 24 : day * 24 + 24]) for day in range(_HABIT_DAYS)]
        return sorted(days)[-2]

    def written(self) -> tuple[WrittenRing, WrittenRing]:
        """Write all sums down."""
        return self._fine.written(), self._coarse.written()

    def read(self, written: tuple[WrittenRing, WrittenRing]) -> None:
        """Take up what `written` gave."""
        self._fine.read(written[0])
        self._coarse.read(written[1])


class BurnAlert:
    """Burn-rate alerting over several pairs of windows, after the Site Reliability Workbook (Google, 2018), chapter 5.

    The long window says that it matters, the short one that it goes on. Money differs from errors in that a healthy
    use case may use up all of its budget, and in office hours: 8 hours on 5 days a week are 4 to 5 times the even pace.
    So three things are asked besides. The projection: with what is spent, and the long window's pace carried on, the
    budget lasts for less than three quarters of the rest of the period. The share: see `BurnParams`. The habit: the
    long window burns by a quarter more than as long a window did on the second-busiest of the seven days before, so
    that a batch that runs every night is told of twice and then no more, and yet one runaway is no habit.

    Once told, a pair is calm when over three short windows it burns at less than three quarters of its factor.
    """

    def __init__(self, pairs: Sequence[BurnParams]) -> None:
        self.pairs = tuple(pairs)

    def burning(self, account: Account, spending: Spending) -> int | None:
        """Give the number of the first pair that burns too fast, if any."""
        return next((number for number, pair in enumerate(self.pairs) if self._burns(pair, account, spending)), None)

    def calmed(self, number: int, account: Account, spending: Spending) -> bool:
        """Tell whether the pair that was told of is calm; one that is no longer configured is."""
        if number >= len(self.pairs):
            return True
        pair = self.pairs[number]
        seconds = min(3 * pair.short, pair.long)
        return spending.within(seconds, account.now) < 0.75 * pair.factor * account.even(seconds)

    def _burns(self, pair: BurnParams, account: Account, spending: Spending) -> bool:
        short, long = (spending.within(seconds, account.now) for seconds in (pair.short, pair.long))
        least = max(pair.factor * account.even(pair.long), pair.share * account.limit)
        if long < least or short < pair.factor * account.even(pair.short):
            return False
        # In whole numbers, which never grow too large.
        lasts, rest = (account.limit - account.spent) * int(pair.long), int(account.end - account.now) * long
        return 4 * lasts < 3 * rest and 4 * long > 5 * spending.habit(pair.long, account.now)
