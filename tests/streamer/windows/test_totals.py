"""Totals are sums: in any order, and in any parts that are put together later."""

from decimal import Decimal
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.events.usage import UsageEvent
from streamer.pricing.book import Cost
from streamer.pricing.money import COST_KINDS, dollars
from streamer.windows.totals import COUNTS, METRICS, Totals
from tests.streamer.samples import event

COUNT = st.integers(0, 10**9)
EVENTS: st.SearchStrategy[UsageEvent] = st.builds(
    event,
    kind=st.sampled_from([*COST_KINDS, "outcome"]),
    input_tokens=COUNT,
    output_tokens=COUNT,
    cache_read_tokens=COUNT,
    cache_write_tokens=COUNT,
    reasoning_tokens=COUNT,
    steps=COUNT,
    tool_calls=COUNT,
    requests=COUNT,
    status=st.sampled_from(["ok", "error"]),
)
COSTS = st.builds(
    Cost,
    st.decimals(-(10**6), 10**6, allow_nan=False, allow_infinity=False).map(dollars),
    st.sampled_from(["given", "computed", "unpriced"]),
)
PRICED = st.lists(st.tuples(EVENTS, COSTS), max_size=12)
Priced = list[tuple[UsageEvent, Cost]]


def total(priced: Priced) -> Totals:
    totals = Totals()
    for usage, cost in priced:
        totals.add(usage, cost)
    return totals


@settings(max_examples=40, deadline=None)
@given(PRICED, st.integers())
def test_order_makes_no_difference(priced: Priced, seed: int) -> None:
    assert total(priced) == total(Random(seed).sample(priced, len(priced)))


@settings(max_examples=40, deadline=None)
@given(PRICED, st.integers(0, 12))
def test_merging_two_parts_is_adding_all(priced: Priced, cut: int) -> None:
    merged, second = total(priced[:cut]), total(priced[cut:])
    untouched = msgspec.msgpack.encode(second)
    merged.merge(second)
    assert merged == total(priced)
    assert msgspec.msgpack.encode(second) == untouched


@settings(max_examples=40, deadline=None)
@given(PRICED)
def test_the_six_kinds_add_up_to_the_whole(priced: Priced) -> None:
    totals = total(priced)
    assert sum(totals.usd_by_kind.values(), Decimal(0)) == totals.usd
    assert totals.usd == sum((cost.usd for usage, cost in priced if usage.kind != "outcome"), Decimal(0))
    assert set(totals.usd_by_kind) <= set(COST_KINDS)


@settings(max_examples=40, deadline=None)
@given(PRICED)
def test_counts_are_the_events_own(priced: Priced) -> None:
    totals = total(priced)
    own = [name for name in COUNTS if name not in ("events", "errors", "outcomes", "unpriced")]
    for name in own:
        assert getattr(totals, name) == sum(getattr(usage, name) for usage, _ in priced)
    assert totals.events == len(priced)
    assert totals.errors == sum(usage.status == "error" for usage, _ in priced)
    assert totals.outcomes == sum(usage.kind == "outcome" for usage, _ in priced)
    assert totals.unpriced == sum(cost.origin == "unpriced" for _, cost in priced)


@settings(max_examples=40, deadline=None)
@given(PRICED)
def test_what_the_models_see_is_never_negative(priced: Priced) -> None:
    """A window of credits has a negative total of dollars; a rate of spend has not."""
    totals = total(priced)
    assert all(totals.value(metric) >= 0 for metric in METRICS)
    assert totals.value("tokens") == totals.tokens
    assert totals.value("usd") == max(0.0, float(totals.usd))


def test_two_totals_share_nothing() -> None:
    one, other = Totals(), Totals()
    one.add(event(), Cost(Decimal(1), "given"))
    assert other == Totals()
    assert other.usd_by_kind == {}
