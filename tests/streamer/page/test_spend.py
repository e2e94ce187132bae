"""What is spent, from rollups: exact sums, repeats and late parts, what is forgotten."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from streamer.page.spend import NANODOLLARS, Spend
from tests.streamer.page.build import LATER, WINDOW, rollup
from tests.streamer.samples import NOW


def spend(most: int = 100) -> Spend:
    return Spend(window=WINDOW, history=600, rate=20, most=most)


def total(found: Spend, key: str = "tenant=acme", metric: str = "usd") -> int:
    span = found.span(LATER)
    return found.series[key].total(metric, span.first, span.end)


@given(st.lists(st.decimals("0.000000001", "1000", places=9), min_size=1, max_size=20))
def test_sums_are_exact(amounts: list[Decimal]) -> None:
    found = spend()
    for number, amount in enumerate(amounts):
        found.take(rollup(usd=str(amount), at=-WINDOW * (30 - number)))
    assert total(found) == sum(amounts) * NANODOLLARS


def test_a_record_that_was_written_again_counts_once() -> None:
    found = spend()
    assert [found.take(rollup()), found.take(rollup())] == [True, False]
    assert total(found) == NANODOLLARS


def test_late_parts_count_each_once_and_are_told_as_late() -> None:
    found = spend()
    for part in (0, 1, 1, 2):
        found.take(rollup(part=part))
    assert total(found) == 3 * NANODOLLARS
    assert total(found, metric="late") == 2


def test_the_least_recently_active_series_is_forgotten() -> None:
    found = spend(most=2)
    for tenant, at in (("a", 0), ("b", 0), ("a", 10), ("c", 10)):
        found.take(rollup(tenant, at=at))
    assert (list(found.series), found.forgotten) == (["tenant=a", "tenant=c"], 1)


def test_the_rate_is_that_of_the_last_whole_slots() -> None:
    found = spend()
    for number in range(4):
        found.take(rollup(usd=str(number), at=number * WINDOW))
    series = found.series["tenant=acme"]
    latest = found.latest(series, NOW + 45)
    assert (series.total("usd", latest.first, latest.end), latest.seconds) == (5 * NANODOLLARS, 20)


def test_who_has_fallen_silent_spends_nothing_now() -> None:
    found = spend()
    found.take(rollup())
    series = found.series["tenant=acme"]
    latest = found.latest(series, NOW + 300)
    assert series.total("usd", latest.first, latest.end) == 0


def test_the_past_begins_with_the_first_record() -> None:
    found = spend()
    found.take(rollup())
    assert found.span(NOW + 25).seconds == 30
    assert found.span(NOW + 6000).seconds == 600
