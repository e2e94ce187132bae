"""A budget over a period: fast burn, a soft and a hard line, and the pace at which it is used up."""

import math
from collections.abc import Callable
from typing import Literal

import msgspec

from detectors.burn import DAY, HOUR, STEP, Account, BurnAlert, BurnParams, Spending
from detectors.ring import WrittenRing

#: From weak to strong.
BudgetLine = Literal["burn", "soft", "hard"]
# The bounds (epoch seconds) of the period that a moment lies in, multiples of `STEP`.
Periods = Callable[[float], tuple[float, float]]
# The burn is looked at whenever so small a part of the limit more is spent.
_LOOKS = 1000


class BudgetTerms(msgspec.Struct, frozen=True):
    """What is agreed: the limit and the soft line, in whole units, and which burn is too fast."""

    limit: int
    soft: int
    burn: tuple[BurnParams, ...] = ()


class _Written(msgspec.Struct, array_like=True):
    """The state. Amounts are text: what is packed as a number ends at 64 bits."""

    start: float
    end: float
    first: float
    now: float
    spent: str
    look_at: str
    line: BudgetLine | Literal[""]
    drawn_at: str
    pair: int
    due: float
    terms: tuple[str, str]
    spending: tuple[WrittenRing, WrittenRing]


class BudgetDetector:
    """What is spent of a limit in the current period; a new period starts from zero.

    A budget of dollars, tokens, steps or tool calls is the same to it: amounts are whole numbers of the caller's unit.
    They may come out of order; those of a period before the current one, whose account is closed, still count for
    the burn. What was said stands until `ended` tells that it is over: with the period, fast burn when it has calmed,
    and a line also when the terms were changed and it now lies above what is spent.

    >>> def days(at):
    ...     return at // DAY * DAY, at // DAY * DAY + DAY
    >>> budget = BudgetDetector(BudgetTerms(limit=10, soft=8), days)
    >>> budget.add(7, 1.0), budget.add(1, 2.0), budget.add(5, 3.0), budget.ended(until=86400.0)
    (None, 'soft', 'hard', 86400.0)
    """

    def __init__(self, terms: BudgetTerms, periods: Periods) -> None:
        if terms.limit <= 0 or not 0 < terms.soft <= terms.limit:
            raise ValueError("a budget needs a limit above 0 and a soft line above 0 and up to the limit")
        self.terms, self._periods = terms, periods
        self._burn = BurnAlert(terms.burn)
        #: What was spent of late, across periods.
        self.spending = Spending()
        #: The current period's bounds, and the newest amount's time (epoch seconds).
        self.start = self.end = self.now = 0.0
        #: What the current period has used up.
        self.spent = 0
        #: The strongest line that stands, if one does, and the moment from which on `ended` has news of it.
        self.line: BudgetLine | Literal[""] = ""
        self.due = math.inf
        # The first amount's time, the spend at which to look again, and the line's amount or the pair that burnt.
        self._first, self._look_at, self._drawn_at, self._pair = 0.0, 0, 0, 0

    def add(self, amount: int, at: float) -> BudgetLine | None:
        """Spend `amount` at `at` (epoch seconds); give the line that is crossed, if it is stronger than what stands."""
        if at >= self.end:
            self._turn(at)
        self.spending.add(amount, at)
        if at < self.start:
            return None
        self.now = max(self.now, at)
        self.spent += amount
        return self._look() if self.spent >= self._look_at and self.line != "hard" else None

    def ended(self, until: float) -> float | None:
        """Give the moment up to `until` at which what stood was over, if it is."""
        while self.line and self.due <= until:
            if self._over():
                ended, self.line, self.due = self.due, "", math.inf
                self._look_at = self._next_look()
                return ended
            self.due = min(self.due + STEP, self.end) if self.line == "burn" else self.end
        return None

    @property
    def burning(self) -> BurnParams | None:
        """The pair of windows that burns too fast, while that stands."""
        pairs = self._burn.pairs
        return pairs[self._pair] if self.line == "burn" and self._pair < len(pairs) else None

    @property
    def known(self) -> float:
        """For how many seconds amounts have been coming."""
        return self.now - self._first

    @property
    def memory(self) -> float:
        """The seconds to take the pace from: a day, so that nights do not move it, or what is known of one."""
        return min(max(self.known, HOUR), DAY)

    def exhausted_at(self, seconds: float) -> float:
        """Give the moment at which all is used up at the pace of the last `seconds`; inf where nothing is spent."""
        left, pace = max(0, self.terms.limit - self.spent), self.spending.within(seconds, self.now)
        return self.now + left / pace * seconds if pace > 0 else math.inf

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        state = _Written(
            self.start,
            self.end,
            self._first,
            self.now,
            str(self.spent),
            str(self._look_at),
            self.line,
            str(self._drawn_at),
            self._pair,
            self.due,
            self._written_terms(),
            self.spending.written(),
        )
        return msgspec.msgpack.encode(state)

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote; where the terms were others, what stands is looked at anew."""
        state = msgspec.msgpack.decode(snapshot, type=_Written)
        self.start, self.end, self._first, self.now = state.start, state.end, state.first, state.now
        self.spent, self._look_at, self.line = int(state.spent), int(state.look_at), state.line
        self._drawn_at, self._pair, self.due = int(state.drawn_at), state.pair, state.due
        self.spending.read(state.spending)
        if state.terms != self._written_terms():
            self._look_at, self.due = self.spent, min(self.due, self.now)

    def _written_terms(self) -> tuple[str, str]:
        return str(self.terms.limit), str(self.terms.soft)

    def _turn(self, at: float) -> None:
        """Begin the period of `at`."""
        if not math.isfinite(at):
            raise ValueError(f"a time must be finite, not {at}")
        self._first = self._first or at
        self.start, self.end = self._periods(at)
        self.spent, self._look_at, self.line, self.due = 0, 0, "", math.inf

    def _look(self) -> BudgetLine | None:
        line = self._crossed()
        if line:
            self.line = line
            self._drawn_at = self._amount(line)
            self.due = min((self.now // STEP + 1) * STEP, self.end) if line == "burn" else self.end
        self._look_at = self._next_look()
        return line

    def _crossed(self) -> BudgetLine | None:
        """Find what is crossed and stronger than what stands."""
        if self.spent >= self.terms.limit:
            return "hard"
        if self.spent >= self.terms.soft:
            return "soft" if self.line != "soft" else None
        pair = None if self.line else self._burn.burning(self._account(self.now), self.spending)
        self._pair = self._pair if pair is None else pair
        return None if pair is None else "burn"

    def _next_look(self) -> int:
        if self.line == "soft":
            return self.terms.limit
        step = max(1, self.terms.limit // _LOOKS)
        return self.terms.soft if self.line == "burn" else min(self.spent + step, self.terms.soft)

    def _over(self) -> bool:
        if self.due >= self.end:
            return True
        if self.line == "burn":
            return self._burn.calmed(self._pair, self._account(self.due), self.spending)
        # Only new terms lift a line; a credit does not.
        return self._drawn_at < self._amount(self.line) and self.spent < self._amount(self.line)

    def _amount(self, line: str) -> int:
        return {"soft": self.terms.soft, "hard": self.terms.limit}.get(line, 0)

    def _account(self, now: float) -> Account:
        return Account(self.spent, self.terms.limit, self.start, self.end, now)
