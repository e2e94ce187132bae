"""Money is decimal, in US dollars, and every sum of it is exact.

Inside, amounts are whole numbers of femtodollars (1e-15 dollars): the same decimals, and quicker to add.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import reduce
from typing import Literal

CostKind = Literal["llm", "tool", "vector", "evaluation", "human_review", "saas"]
COST_KINDS: tuple[CostKind, ...] = ("llm", "tool", "vector", "evaluation", "human_review", "saas")
Split = Mapping[CostKind, Decimal]

ZERO = Decimal(0)
FEMTODOLLARS = 10**15
_UNIT, _UNITS = Decimal("1e-15"), Decimal("1e15")
# Wide enough for any amount that the front door lets in.
_ROUNDING = Context(prec=80, rounding=ROUND_HALF_EVEN)
# Looked up once: each event and each rollup comes through here.
_multiplied, _rounded, _normalized = _ROUNDING.multiply, _ROUNDING.to_integral_value, _ROUNDING.normalize
_added, _subtracted = _ROUNDING.add, _ROUNDING.subtract


def femtodollars(amount: Decimal) -> int:
    """Turn dollars into femtodollars, rounded once and at the door, halves to the even one.

    >>> femtodollars(Decimal("0.00022000000000000003"))
    220000000000
    """
    return int(_rounded(_multiplied(amount, _UNITS)))


def product(one: Decimal, two: Decimal) -> Decimal:
    """Multiply amounts exactly, as far as anything that the front door lets in has digits.

    >>> product(Decimal("1.5"), Decimal("0.00000000000000000000000000000001"))
    Decimal('1.5E-32')
    """
    return _multiplied(one, two)


def added(amounts: Iterable[Decimal]) -> Decimal:
    """Add amounts up, exactly; the sums of Python itself round beyond 28 digits, which is 10**13 dollars.

    >>> added([Decimal("99999999999999.000000000000001"), Decimal(1)])
    Decimal('100000000000000.000000000000001')
    """
    return reduce(_added, amounts, ZERO)


def less(amount: Decimal, other: Decimal) -> Decimal:
    """Take an amount from another one, exactly.

    >>> less(Decimal("100000000000000.000000000000001"), Decimal(1))
    Decimal('99999999999999.000000000000001')
    """
    return _subtracted(amount, other)


def quotient(femto: int, parts: int) -> int:
    """Divide femtodollars by a number above 0, rounded to a whole one, halves to the even one.

    >>> quotient(5, 2), quotient(7, 2), quotient(-5, 2), quotient(5, 3)
    (2, 4, -2, 2)
    """
    whole, rest = divmod(femto, parts)
    return whole + (2 * rest > parts or (2 * rest == parts and whole % 2))


def dollars(femto: int) -> Decimal:
    """Give femtodollars as dollars, without idle zeros and without an exponent.

    >>> dollars(100_500_000_000_000_000), dollars(100 * FEMTODOLLARS), dollars(0)
    (Decimal('100.5'), Decimal('100'), Decimal('0'))
    """
    whole, rest = divmod(femto, FEMTODOLLARS)
    return _normalized(_multiplied(Decimal(femto), _UNIT)) if rest else Decimal(whole)


def plain(amount: Decimal) -> Decimal:
    """Drop the trailing zeros, for records and people, without ever using an exponent.

    >>> plain(Decimal("100.500")), plain(Decimal("100"))
    (Decimal('100.5'), Decimal('100'))
    """
    short = _normalized(amount)
    exponent = short.as_tuple().exponent
    return short.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else short
