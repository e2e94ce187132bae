"""Every gap between stream and bill is taken apart, exactly, by what explains it."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from streamer.pricing.money import ZERO
from streamer.reconcile.bill import Bill, Charge, Kind
from streamer.reconcile.compare import REASONS, Cell, reconcile
from streamer.reconcile.stream import Key, Spent

DAY = date(2026, 10, 1)
USD = st.decimals(-1000, 1000, places=12)
DAYS = st.sampled_from([DAY + timedelta(days=number) for number in range(3)])
MODELS, TENANTS = st.sampled_from(["", "m", "n"]), st.sampled_from(["", "acme", "beta"])
COUNTS = st.integers(0, 10**9)
CHARGES = st.builds(
    Charge,
    day=DAYS,
    service=st.sampled_from(["", "OpenAI", "Bedrock"]),
    model=MODELS,
    tenant=TENANTS,
    kind=st.sampled_from(["usage", "credit", "other"]),
    usd=USD,
    tokens=st.one_of(st.none(), COUNTS.map(Decimal)),
)
SPENT = st.dictionaries(
    st.tuples(DAYS, MODELS, TENANTS), st.builds(Spent, st.integers(1, 100), COUNTS, st.integers(0, 3), USD), max_size=6
)


def charge(usd: str, tokens: int | None = None, kind: Kind = "usage", day: date = DAY, model: str = "m") -> Charge:
    return Charge(day, "OpenAI", model, "acme", kind, Decimal(usd), None if tokens is None else Decimal(tokens))


def spent(usd: str, tokens: int = 0, unpriced: int = 0) -> Spent:
    return Spent(1, tokens, unpriced, Decimal(usd))


def cells(stream: dict[Key, Spent], *charges: Charge) -> list[Cell]:
    return reconcile(stream, Bill(list(charges))).cells


def because(stream: Spent | None, *charges: Charge) -> dict[str, Decimal]:
    (cell,) = cells({(DAY, "m", "acme"): stream} if stream else {}, *charges)
    return dict(cell.because)


@given(SPENT, st.lists(CHARGES, max_size=12))
def test_the_parts_of_every_gap_add_up_to_it_to_the_last_decimal(stream: dict[Key, Spent], rows: list[Charge]) -> None:
    found = reconcile(stream, Bill(rows))
    for cell in found.cells:
        assert cell.gap == cell.bill - cell.stream == sum(cell.because.values(), ZERO)
    assert found.gap == found.bill - found.stream == sum(found.because.values(), ZERO)
    assert found.bill == sum((row.usd for row in rows), ZERO)
    assert found.stream == sum((one.usd for one in stream.values()), ZERO)
    assert set(found.because) <= set(REASONS)


def test_the_same_tokens_at_another_price_are_a_price_difference() -> None:
    assert because(spent("2", tokens=1000), charge("1.5", 600), charge("1.3", 400)) == {"price": Decimal("0.8")}


def test_more_tokens_at_the_same_price_are_a_difference_of_volume() -> None:
    assert because(spent("2", tokens=1000), charge("3", 1500)) == {"volume": Decimal(1)}


def test_both_differ_and_both_are_said() -> None:
    assert because(spent("2", tokens=1000), charge("6", 1500)) == {"volume": Decimal(2), "price": Decimal(2)}


def test_a_third_is_no_reason_to_lose_anything() -> None:
    parts = because(spent("1", tokens=2), charge("1", 3))
    assert sum(parts.values()) == 0
    assert parts == {"volume": Decimal("0.333333333333333"), "price": Decimal("-0.333333333333333")}


def test_what_one_side_has_alone_is_said() -> None:
    assert because(None, charge("3", 10)) == {"not_in_stream": Decimal(3)}
    found = cells({(DAY, "m", "acme"): spent("2", 10)}, charge("1", 1, day=DAY + timedelta(days=1)))
    assert [cell.because for cell in found] == [{"not_in_bill": Decimal(-2)}, {"not_in_stream": Decimal(1)}]


def test_days_after_the_last_of_the_bill_are_not_yet_billed() -> None:
    late = (DAY + timedelta(days=1), "m", "acme")
    found = cells({(DAY, "m", "acme"): spent("1", 5), late: spent("2", 5)}, charge("1", 5))
    assert [cell.because for cell in found] == [{}, {"not_yet_billed": Decimal(-2)}]


def test_a_day_that_a_bill_of_several_days_passes_over_is_not_in_it() -> None:
    between, last = DAY + timedelta(days=1), DAY + timedelta(days=2)
    stream = {(day, "m", "acme"): spent("2", 5) for day in (DAY, between, last)}
    found = cells(stream, charge("2", 5), charge("2", 5, day=last))
    assert [cell.because for cell in found] == [{}, {"not_in_bill": Decimal(-2)}, {}]


def test_usage_without_a_price_here_explains_a_higher_bill() -> None:
    assert because(spent("1", tokens=10, unpriced=2), charge("3", 10)) == {"unpriced": Decimal(2)}
    assert because(spent("3", tokens=10, unpriced=2), charge("1", 10)) == {"price": Decimal(-2)}


def test_credits_and_taxes_are_parts_of_their_own() -> None:
    rows = (charge("3", 10), charge("-0.5", kind="credit"), charge("0.6", kind="other"))
    assert because(spent("3", 10), *rows) == {"credits": Decimal("-0.5"), "other_charges": Decimal("0.6")}


def test_a_bill_without_tokens_leaves_a_gap_unexplained() -> None:
    assert because(spent("3", 10), charge("4")) == {"unexplained": Decimal(1)}
    assert because(spent("3", 10), charge("3.9", 10), charge("0.1")) == {"unexplained": Decimal(1)}


def test_a_row_of_nothing_that_tells_no_tokens_leaves_the_others_what_they_tell() -> None:
    assert because(spent("3", 10), charge("4", 10), charge("0")) == {"price": Decimal(1)}


def test_where_the_bill_names_no_model_or_tenant_they_are_taken_together() -> None:
    stream = {(DAY, "m", "acme"): spent("1", 10), (DAY, "n", "beta"): spent("2", 10), (DAY, "", "beta"): spent("4")}
    whole = Charge(DAY, "OpenAI", "", "", "usage", Decimal(7), None)
    (cell,) = cells(stream, whole)
    assert (cell.stream, cell.bill, cell.gap, cell.service) == (7, 7, 0, "OpenAI")
