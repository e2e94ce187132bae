"""Totals are sums: in any order, and in any parts that are put together later."""

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.events.usage import UsageEvent
from streamer.pricing.book import Cost
from streamer.pricing.money import COST_KINDS, FEMTODOLLARS
from streamer.windows.entity import TENANT
from streamer.windows.gauge import NO_CEILINGS, Gauge
from streamer.windows.totals import COUNTS, METRICS, Totals, value_of
from tests.streamer.samples import event

# Events often give no number; of so many numbers 0 is hardly ever drawn.
COUNT = st.just(0) | st.integers(0, 10**9)
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
# What is not priced costs nothing.
COSTS: st.SearchStrategy[Any] = st.tuples(
    st.integers(-(10**6) * FEMTODOLLARS, 10**6 * FEMTODOLLARS), st.sampled_from(["given", "computed"])
) | st.sampled_from([(0, "unpriced"), (0, "free"), (0, "given")])
PRICED = st.lists(st.tuples(EVENTS, COSTS), max_size=12)
Priced = list[tuple[UsageEvent, Cost]]


def total(priced: Priced, *gauges: Gauge) -> Totals:
    totals = Totals(gauges)
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
    untouched = repr(second.written())
    merged.merge(second)
    assert merged == total(priced)
    assert repr(second.written()) == untouched


@settings(max_examples=40, deadline=None)
@given(PRICED)
def test_the_six_kinds_add_up_to_the_whole(priced: Priced) -> None:
    totals = total(priced)
    assert sum(totals.usd_by_kind.values()) == totals.usd
    assert totals.usd == sum(femto for usage, (femto, _) in priced if usage.kind != "outcome")
    assert set(totals.usd_by_kind) <= set(COST_KINDS)


@settings(max_examples=40, deadline=None)
@given(PRICED)
def test_given_are_the_dollars_that_senders_said(priced: Priced) -> None:
    said = [femto for usage, (femto, origin) in priced if origin == "given" and usage.kind != "outcome"]
    assert total(priced).given == sum(said)


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
    assert totals.unpriced == sum(origin == "unpriced" for usage, (_, origin) in priced if usage.kind != "outcome")
    assert totals.counts() == tuple(getattr(totals, name) for name in COUNTS)


@settings(max_examples=40, deadline=None)
@given(PRICED)
def test_what_is_written_is_read_again_whatever_the_gauges_are(priced: Priced) -> None:
    gauge, again = Gauge(TENANT, NO_CEILINGS), Gauge(TENANT, NO_CEILINGS)
    totals, read = total(priced, gauge), Totals((again,))
    read.read(totals.written())
    assert read == totals
    # A window holds no totals without events.
    if priced:
        assert shown(again) == shown(gauge)


@settings(max_examples=40, deadline=None)
@given(PRICED)
def test_a_gauge_shows_what_is_judged_of_the_totals_below_it_and_how_many_events(priced: Priced) -> None:
    gauge = Gauge(TENANT, NO_CEILINGS)
    one, other = Totals((gauge,)), Totals((gauge,))
    for number, (usage, cost) in enumerate(priced):
        (one, other)[number % 2].add(usage, cost)
    whole = total(priced)
    assert shown(gauge) == [*(whole.judged(metric) for metric in METRICS), whole.events]


def shown(gauge: Gauge) -> list[int]:
    """The five metrics of a gauge, and its events."""
    return [*(getattr(gauge, metric) for metric in METRICS), gauge.events]


@settings(max_examples=40, deadline=None)
@given(PRICED)
def test_calls_that_give_no_number_are_judged_as_one_and_published_as_they_came(priced: Priced) -> None:
    totals = total(priced)
    requests = [usage.requests or int(usage.kind == "llm") for usage, _ in priced]
    calls = [usage.tool_calls or int(usage.kind == "tool") for usage, _ in priced]
    assert (totals.judged("requests"), totals.judged("tool_calls")) == (sum(requests), sum(calls))
    assert totals.judged("steps") == totals.steps
    assert (totals.requests, totals.tool_calls) == (
        sum(usage.requests for usage, _ in priced),
        sum(usage.tool_calls for usage, _ in priced),
    )


@settings(max_examples=40, deadline=None)
@given(PRICED)
def test_what_the_models_see_is_never_negative(priced: Priced) -> None:
    """A window of credits has a negative total of dollars; a rate of spend has not."""
    totals = total(priced)
    assert all(value_of(totals, metric) >= 0 for metric in METRICS)
    assert value_of(totals, "tokens") == totals.tokens
    assert value_of(totals, "usd") == max(0.0, totals.usd / FEMTODOLLARS)


def test_two_totals_share_nothing() -> None:
    one, other = Totals(), Totals()
    one.add(event(), (1, "given"))
    assert other == Totals()
    assert other.usd_by_kind == {}
