"""A budget and the lines on it: said once when a soft line and once when the hard line is crossed."""

from decimal import Decimal
from typing import Literal

import msgspec

BudgetLine = Literal["soft", "hard"]


class _State(msgspec.Struct):
    period: str = ""
    spent: Decimal = Decimal(0)
    crossed: list[BudgetLine] = []


class BudgetDetector:
    """What is spent of `limit` in the current period; a new period starts from zero.

    `soft` is the share of the limit (0 to 1) at which to warn. A budget of dollars, tokens, steps or tool calls is
    the same to it: the unit is the caller's.

    >>> budget = BudgetDetector(Decimal(10), soft=Decimal("0.8"))
    >>> budget.add(Decimal(7), "2026-11"), budget.add(Decimal(1), "2026-11"), budget.add(Decimal(5), "2026-11")
    (None, 'soft', 'hard')
    """

    def __init__(self, limit: Decimal, soft: Decimal = Decimal("0.8")) -> None:
        if limit <= 0 or not 0 < soft <= 1:
            raise ValueError("a budget needs a limit above 0 and a soft line above 0 and up to 1")
        self.limit = limit
        self._lines: dict[BudgetLine, Decimal] = {"hard": limit, "soft": limit * soft}
        self._state = _State()

    @property
    def spent(self) -> Decimal:
        """What the current period has used up."""
        return self._state.spent

    @property
    def period(self) -> str:
        """The current period's name, empty before the first amount."""
        return self._state.period

    def add(self, amount: Decimal, period: str) -> BudgetLine | None:
        """Spend `amount` in `period` (names sort by time); give the highest line that this crosses for the first time.

        Amounts of an earlier period than the current one change nothing: that account is closed.
        """
        state = self._state
        if period > state.period:
            state = self._state = _State(period)
        elif period < state.period:
            return None
        state.spent += amount
        new: list[BudgetLine] = [line for line, at in self._lines.items() if state.spent >= at]
        new = [line for line in new if line not in state.crossed]
        state.crossed += new
        return new[0] if new else None

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        return msgspec.msgpack.encode(self._state)

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        self._state = msgspec.msgpack.decode(snapshot, type=_State)
