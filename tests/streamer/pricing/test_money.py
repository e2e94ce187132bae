"""Money is rounded once, at the door; after that every sum is exact."""

from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.pricing.money import dollars, plain

AMOUNTS = st.decimals(-(10**8), 10**8, allow_nan=False, allow_infinity=False)


@settings(max_examples=100, deadline=None)
@given(AMOUNTS)
def test_an_amount_is_rounded_to_the_femtodollar_and_rounded_only_once(amount: Decimal) -> None:
    rounded = dollars(amount)
    assert abs(rounded - amount) <= Decimal("0.5e-15")
    assert dollars(rounded) == rounded
    assert rounded.as_tuple().exponent == -15


def test_halves_go_to_the_even_femtodollar() -> None:
    assert dollars(Decimal("0.5e-15")) == 0
    assert dollars(Decimal("1.5e-15")) == Decimal("2e-15")


@settings(max_examples=100, deadline=None)
@given(st.lists(AMOUNTS, max_size=30), st.integers())
def test_the_order_of_a_sum_makes_no_difference(amounts: list[Decimal], seed: int) -> None:
    rounded = [dollars(amount) for amount in amounts]
    shuffled = Random(seed).sample(rounded, len(rounded))
    units = sum(int(amount.scaleb(15)) for amount in rounded)
    assert sum(rounded, Decimal(0)) == sum(shuffled, Decimal(0)) == Decimal(units).scaleb(-15)


@settings(max_examples=100, deadline=None)
@given(AMOUNTS.map(dollars))
def test_a_plain_amount_is_the_same_amount_without_exponent_or_idle_zeros(amount: Decimal) -> None:
    short = plain(amount)
    assert short == amount
    assert "E" not in f"{short:f}"
    exponent = short.as_tuple().exponent
    assert isinstance(exponent, int)
    assert exponent <= 0
    if exponent < 0:
        assert short.as_tuple().digits[-1]


def test_round_hundreds_are_written_in_full() -> None:
    assert str(plain(Decimal("1E+5"))) == "100000"
    assert str(plain(Decimal("0E-15"))) == "0"
