"""Money is rounded once, at the door, to whole femtodollars; after that every sum is exact."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.pricing.money import FEMTODOLLARS, dollars, femtodollars, plain

# As far as the front door lets amounts in, and with more digits than any is rounded to.
AMOUNTS = st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False)
FEMTO = st.integers(-(10**30), 10**30)
FEMTODOLLAR = Decimal("1e-15")


@settings(max_examples=100, deadline=None)
@given(AMOUNTS)
def test_an_amount_is_rounded_to_the_femtodollar_and_rounded_only_once(amount: Decimal) -> None:
    femto = femtodollars(amount)
    assert abs(dollars(femto) - amount) <= FEMTODOLLAR / 2
    assert femtodollars(dollars(femto)) == femto


@settings(max_examples=200, deadline=None)
@given(FEMTO)
@example(0)
@example(-1)
@example(-FEMTODOLLARS)
def test_femtodollars_and_dollars_are_the_same_amount_there_and_back(femto: int) -> None:
    amount = dollars(femto)
    assert femtodollars(amount) == femto
    assert amount.scaleb(15, Context(prec=60)) == femto


@settings(max_examples=200, deadline=None)
@given(FEMTO)
def test_dollars_are_written_without_exponent_or_idle_zeros(femto: int) -> None:
    written = str(dollars(femto))
    assert "E" not in f"{dollars(femto):f}"
    assert written == str(plain(dollars(femto)))
    whole, point, rest = f"{dollars(femto):f}".partition(".")
    assert whole.lstrip("-").isdecimal()
    assert not point or (rest and rest[-1] != "0")


@settings(max_examples=200, deadline=None)
@given(AMOUNTS)
def test_rounding_is_that_of_decimal_to_the_fifteenth_place(amount: Decimal) -> None:
    rounded = amount.quantize(FEMTODOLLAR, context=Context(prec=80, rounding=ROUND_HALF_EVEN))
    assert dollars(femtodollars(amount)) == rounded


def test_halves_go_to_the_even_femtodollar() -> None:
    halves = ["0.5e-15", "1.5e-15", "2.5e-15", "-0.5e-15", "-1.5e-15"]
    assert [femtodollars(Decimal(half)) for half in halves] == [0, 2, 2, 0, -2]


def test_what_is_far_below_a_femtodollar_is_nothing() -> None:
    assert femtodollars(Decimal("1e-9999999")) == femtodollars(Decimal("-0")) == 0
    assert str(dollars(femtodollars(Decimal("-1e-9999999")))) == "0"


@settings(max_examples=100, deadline=None)
@given(st.lists(AMOUNTS, max_size=30), st.integers())
def test_the_order_of_a_sum_makes_no_difference(amounts: list[Decimal], seed: int) -> None:
    rounded = [femtodollars(amount) for amount in amounts]
    shuffled = Random(seed).sample(rounded, len(rounded))
    context = Context(prec=60)
    exact = Decimal(0)
    for femto in shuffled:
        exact = context.add(exact, dollars(femto))
    assert dollars(sum(rounded)) == dollars(sum(shuffled)) == exact


@settings(max_examples=100, deadline=None)
@given(AMOUNTS.map(femtodollars).map(dollars))
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
    assert str(plain(Decimal("1E+5"))) == str(dollars(100_000 * FEMTODOLLARS)) == "100000"
    assert str(plain(Decimal("0E-15"))) == str(dollars(0)) == "0"
