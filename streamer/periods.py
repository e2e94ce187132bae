"""The periods that budgets are agreed for: calendar months and quarters, in UTC; and what tells where they end."""

from datetime import UTC, datetime
from typing import Literal

from streamer.clock import utc

PeriodName = Literal["month", "quarter"]
# A day and its night: less says nothing of a month.
_TELLS = 86_400.0
_MONTHS: dict[PeriodName, int] = {"month": 1, "quarter": 3}


def bounds(period: PeriodName, at: float) -> tuple[float, float]:
    """Give the start and the end (epoch seconds) of the month or quarter that `at` lies in.

    >>> [str(utc(bound))[:10] for bound in bounds("quarter", 1795300000.0)]
    ['2026-10-01', '2027-01-01']
    """
    moment, months = utc(at), _MONTHS[period]
    first = (moment.month - 1) // months * months
    return _start(moment.year, first), _start(moment.year, first + months)


def title(period: PeriodName, start: float) -> str:
    """Name the period that begins at `start`.

    >>> title("month", bounds("month", 1795300000.0)[0]), title("quarter", bounds("quarter", 1795300000.0)[0])
    ('November', 'Q4')
    """
    moment = utc(start)
    return f"{moment:%B}" if period == "month" else f"Q{(moment.month + 2) // 3}"


def tells_the_end(seconds: float) -> bool:
    """Tell whether so many seconds of usage are enough to project a period's end from; shown nowhere if not.

    >>> tells_the_end(600.0), tells_the_end(2 * 86_400.0)
    (False, True)
    """
    return seconds >= _TELLS


def _start(year: int, month: int) -> float:
    """Give the start of a month, counted from 0; the 12th is the next year's first."""
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()
