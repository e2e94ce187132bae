"""Money is decimal, in US dollars, and every sum of it is exact."""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

CostKind = Literal["llm", "tool", "vector", "evaluation", "human_review", "saas"]
COST_KINDS: tuple[CostKind, ...] = ("llm", "tool", "vector", "evaluation", "human_review", "saas")
Split = Mapping[CostKind, Decimal]

ZERO = Decimal(0)
# One femtodollar. Sums of amounts with 15 decimals stay exact in Python's 28 digits up to 9 trillion dollars.
_UNIT = Decimal("1e-15")
_ROUNDING = Context(prec=60, rounding=ROUND_HALF_EVEN)


def dollars(amount: Decimal) -> Decimal:
    """Round an amount, once and at the door, to the femtodollar.

    >>> dollars(Decimal("0.00022000000000000003"))
    Decimal('0.000220000000000')
    """
    return amount.quantize(_UNIT, context=_ROUNDING)


def plain(amount: Decimal) -> Decimal:
    """Drop the trailing zeros, for records and people, without ever using an exponent.

    >>> plain(Decimal("100.500")), plain(Decimal("100"))
    (Decimal('100.5'), Decimal('100'))
    """
    short = amount.normalize(_ROUNDING)
    exponent = short.as_tuple().exponent
    return short.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else short
