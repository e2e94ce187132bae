"""Ratios are taken over sessions, a slice at a time, so that one long session counts as one."""

import math
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import DetectConfig
from streamer.events.usage import UsageEvent
from streamer.judges.params import model_params
from streamer.judges.ratio_state import RATIOS, RatiosState
from streamer.judges.ratios import Ratios
from streamer.judges.slice import Slice
from streamer.pricing.money import femtodollars
from streamer.windows.shape import shapes_of
from streamer.windows.totals import Totals
from tests.streamer.samples import event

CONFIG = model_params(DetectConfig(), 10.0).ratios
SESSIONS = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=2), st.integers(1, 10**6), max_size=30)
REQUESTS = st.builds(
    event,
    session=st.sampled_from(["", "s", "t", "u"]),
    input_tokens=st.integers(0, 10**6),
    output_tokens=st.integers(0, 10**4),
    cache_read_tokens=st.integers(0, 100),
    kind=st.sampled_from(["llm", "llm", "evaluation", "tool"]),
    cost_usd=st.integers(0, 10**6).map(lambda number: Decimal(number).scaleb(-6)),
)
WINDOWS = st.lists(st.lists(REQUESTS, max_size=5), max_size=25)


def totals_of(events: list[UsageEvent]) -> tuple[dict[str, Totals], Totals]:
    """The totals of each session of a window, and all of them."""
    sessions, whole = dict[str, Totals](), Totals()
    for one in events:
        cost = (femtodollars(one.cost_usd or Decimal(0)), "given")
        for totals in (sessions.setdefault(one.session, Totals()), whole):
            totals.add(one, cost)  # type: ignore[arg-type]
    return sessions, whole


def sliced(*windows: list[UsageEvent]) -> Slice:
    found = Slice()
    for events in windows:
        sessions, whole = totals_of(events)
        found.add(whole, shapes_of(sessions))
    return found


def learned(windows: list[list[UsageEvent]], ratios: Ratios | None = None, first: int = 0) -> Ratios:
    """Windows that are far enough apart for each to be a slice, where it has enough units."""
    ratios = ratios or Ratios(CONFIG)
    for number, events in enumerate(windows, first):
        sessions, whole = totals_of(events)
        ratios.learn(whole, list(shapes_of(sessions)), 6 * (number + 1), 6)
    return ratios


@settings(max_examples=60, deadline=None)
@given(SESSIONS, st.integers(1, 50))
def test_the_size_is_the_geometric_mean_over_sessions_however_many_requests_each_has(
    sizes: dict[str, int], times: int
) -> None:
    events = [event(session=name, input_tokens=size) for name, size in sizes.items()]
    one = dict(sliced(events).ratios())
    many = dict(sliced(*[events] * times).ratios())
    if not sizes:
        assert one == {}
        return
    mean = math.exp(sum(map(math.log, sizes.values())) / len(sizes))
    assert one["size"] == pytest.approx(mean, rel=1e-9)
    # Past a bound sessions are no longer told apart.
    if len(sizes) <= 16:
        assert many["size"] == pytest.approx(mean, rel=1e-9)


def test_a_slice_of_many_sessions_takes_no_more_room_than_one_of_a_few() -> None:
    windows = [[event(session=f"session-{n}", input_tokens=10) for n in range(count)] for count in (50, 5000)]
    packed = [len(msgspec.msgpack.encode(sliced(window).written())) for window in windows]
    assert packed[1] <= packed[0] + 16


def test_requests_without_a_session_count_one_by_one() -> None:
    found = sliced([event(input_tokens=10), event(input_tokens=10), event(session="s", input_tokens=1000)])
    assert found.units == 3
    assert dict(found.ratios())["size"] == pytest.approx((10 * 10 * 1000) ** (1 / 3))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_what_is_not_cached_is_a_share_of_the_input(tokens: int, cached: int) -> None:
    found = dict(sliced([event(input_tokens=tokens, cache_read_tokens=min(cached, tokens))]).ratios())
    if cached < tokens:
        assert found["uncached"] == pytest.approx(1 - cached / tokens)
    else:
        assert "uncached" not in found


def test_evaluation_is_held_against_everything_else() -> None:
    spent = [("llm", "2"), ("tool", "1"), ("evaluation", "6")]
    found = dict(sliced([event(kind=kind, cost_usd=Decimal(usd)) for kind, usd in spent]).ratios())
    assert found["evaluation"] == pytest.approx(2)


def test_a_slice_is_judged_when_it_has_enough_units_and_a_minute_has_passed() -> None:
    ratios = Ratios(CONFIG)
    judged = []
    for number in range(30):
        sessions, whole = totals_of([event(session=f"s{number // 2}", input_tokens=10)])
        if ratios.learn(whole, list(shapes_of(sessions)), number, 6):
            judged.append(number)
    assert len(judged) >= 3
    assert all(later - earlier >= 6 for earlier, later in pairwise(judged))


@settings(max_examples=40, deadline=None)
@given(WINDOWS, WINDOWS)
def test_what_was_written_and_read_goes_on_as_if_it_had_not_been(
    before: list[list[UsageEvent]], after: list[list[UsageEvent]]
) -> None:
    """Whichever ratio was seen first: they are written in one order."""
    ratios, again = learned(before), Ratios(CONFIG)
    packed = msgspec.msgpack.encode(ratios.written())
    again.read(msgspec.msgpack.decode(packed, type=RatiosState))
    assert msgspec.msgpack.encode(again.written()) == packed
    for found in (ratios, again):
        learned(after, found, len(before))
    assert msgspec.msgpack.encode(again.written()) == msgspec.msgpack.encode(ratios.written())
    assert [again.usual(name) for name in RATIOS] == [ratios.usual(name) for name in RATIOS]


def test_answers_tell_in_each_window_of_a_session_and_sizes_in_the_first_alone() -> None:
    """A context is drawn once a session and goes on growing; answers are each request's own."""
    ratios = learned([[event(session="one", input_tokens=1000, output_tokens=100)]] * 30)
    assert (ratios.baselines["size"].seen, ratios.baselines["overall"].seen, ratios.baselines["output"].seen) == (
        1,
        1,
        30,
    )


def test_what_grows_as_a_whole_is_told_as_so_many_times_the_usual_size() -> None:
    usual = [[event(session=f"u{n}", input_tokens=900, output_tokens=100)] for n in range(30)]
    larger = [[event(session=f"l{n}", input_tokens=2700, output_tokens=300)] for n in range(30)]
    ratios = learned(larger, learned(usual), len(usual))
    assert ratios.baselines["overall"].abnormal
    assert ratios.expected("overall") == ratios.baselines["size"].expected
    assert ratios.of_late("overall") == pytest.approx(3000, rel=0.05)


def test_answers_may_begin_after_the_first_window_of_a_session() -> None:
    windows = [[event(session=f"s{n}", input_tokens=10) for n in range(5)]]
    ratios = learned([*windows, [event(session=f"s{n}", input_tokens=10, output_tokens=5) for n in range(5)]] * 3)
    assert "overall" not in ratios.baselines
    assert ratios.found["output"] == pytest.approx(5)


def test_larger_is_what_has_more_tokens_or_a_higher_price_than_is_normal() -> None:
    usual = [[event(session=f"s{n}", input_tokens=1000, cost_usd=Decimal("0.01")) for n in range(5)]] * 30
    ratios = learned(usual)
    assert not Ratios(CONFIG).larger(1e9, 1, 1e9)
    assert not ratios.larger(tokens=10_000, requests=10, usd=0.1)
    assert ratios.larger(tokens=50_000, requests=10, usd=0.5)
    assert ratios.larger(tokens=10_000, requests=10, usd=0.5)
