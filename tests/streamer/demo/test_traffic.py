"""The demo's traffic: seeded, within its span, with loops and bursts on demand, and refusable."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from itertools import pairwise

import pytest
from genai_prices import Usage, calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.demo.profiles import PROFILES, TenantProfile
from streamer.demo.traffic import Admit, Event, Traffic, draw, rfc3339

SEEDS = st.integers(min_value=0, max_value=2**32)
NOON = 1_790_000_000.0


def loop_calls(events: list[Event], session: str) -> list[Event]:
    return [event for event in events if event["session"] == session and event["kind"] == "tool"]


def note(asked: list[Event], answer: bool) -> Admit:
    """A gateway that keeps what it was asked about and always answers the same."""

    def admit(event: Event) -> bool:
        asked.append(event)
        return answer

    return admit


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_the_same_seed_gives_the_same_events_however_the_span_is_cut(seed: int) -> None:
    whole = Traffic(seed=seed).due(NOON, NOON + 20)
    cut = Traffic(seed=seed)
    parts = [event for second in range(20) for event in cut.due(NOON + second, NOON + second + 1)]
    assert parts == whole


def test_another_seed_gives_other_ids() -> None:
    ids = [{event["id"] for event in Traffic(seed=seed).due(NOON, NOON + 20)} for seed in (1, 2)]
    assert not ids[0] & ids[1]


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.floats(min_value=0, max_value=2e9), st.floats(min_value=0, max_value=20))
def test_events_lie_within_the_span_and_are_sorted(seed: int, since: float, seconds: float) -> None:
    traffic = Traffic(seed=seed)
    traffic.due(since, since + 5)
    start, end = since + 5, since + 5 + seconds
    times = [event["time"] for event in traffic.due(start, end)]
    assert times == sorted(times)
    assert all(start - 1e-6 <= datetime.fromisoformat(time).timestamp() < end for time in times)


def test_ids_are_unique_and_events_are_json() -> None:
    events = Traffic(seed=1).due(NOON, NOON + 60)
    assert len({event["id"] for event in events}) == len(events)
    assert json.loads(json.dumps(events)) == events


def test_five_tenants_make_30_to_60_events_a_second() -> None:
    traffic = Traffic(seed=1)
    traffic.due(NOON - 120, NOON)
    events = traffic.due(NOON, NOON + 120)
    assert 30 < len(events) / 120 < 60
    assert {event["tenant"] for event in events} == {profile.tenant for profile in PROFILES}
    assert {event["kind"] for event in events} == {"llm", "tool", "evaluation", "vector"}


def test_rate_multiplies_the_events() -> None:
    slow, fast = (len(Traffic(seed=1, rate=rate).due(NOON, NOON + 120)) for rate in (1, 3))
    assert 2.3 < fast / slow < 3.7


@pytest.mark.parametrize("profile", [profile for profile in PROFILES if profile.model], ids=lambda p: p.model)
def test_every_model_has_a_price(profile: TenantProfile) -> None:
    usage = Usage(input_tokens=1000, output_tokens=100)
    assert calc_price(usage, model_ref=profile.model, provider_id=profile.provider).total_price > 0


def test_a_tool_call_follows_an_llm_step_and_is_no_request() -> None:
    calls = [event for event in Traffic(seed=1).due(NOON, NOON + 60) if event["kind"] == "tool"]
    assert calls
    assert all(call["tool_calls"] == 1 and call["requests"] == 0 for call in calls)
    assert all(len(bytes.fromhex(call["tool_args_hash"])) == 16 for call in calls)


@pytest.mark.slow
def test_ordinary_sessions_hardly_repeat_a_call() -> None:
    calls = [event for event in Traffic(seed=1).due(NOON, NOON + 600) if event["kind"] == "tool"]
    repeats = Counter((call["session"], call["tool_args_hash"]) for call in calls)
    assert max(repeats.values()) < 6


def test_a_loop_repeats_one_call_at_its_pace_until_it_is_stopped() -> None:
    traffic = Traffic(seed=1)
    session = traffic.start_loop("acme", NOON + 10)
    calls = loop_calls(traffic.due(NOON, NOON + 40), session)
    assert 54 <= len(calls) <= 66
    assert len({(call["tool"], call["tool_args_hash"]) for call in calls}) == 1
    assert calls[0]["time"] >= rfc3339(NOON + 10)
    traffic.stop_loop(session)
    assert not [event for event in traffic.due(NOON + 40, NOON + 80) if event["session"] == session]


def test_a_loop_leaves_the_other_sessions_as_they_were() -> None:
    traffic = Traffic(seed=1)
    session = traffic.start_loop("acme", NOON)
    others = [event for event in traffic.due(NOON, NOON + 30) if event["session"] != session]
    assert others == Traffic(seed=1).due(NOON, NOON + 30)


def test_a_loop_that_should_have_begun_in_the_past_begins_at_once() -> None:
    traffic = Traffic(seed=1)
    traffic.due(NOON, NOON + 10.3)
    session = traffic.start_loop("initech", NOON)
    first, second = (e for e in traffic.due(NOON + 10.3, NOON + 10.7) if e["session"] == session)
    assert (first["kind"], second["kind"]) == ("llm", "tool")


def test_an_agent_without_tools_cannot_loop() -> None:
    with pytest.raises(ValueError, match="globex"):
        Traffic().start_loop("globex", NOON)


def test_refused_requests_are_counted_and_not_emitted_while_the_loop_retries() -> None:
    traffic = Traffic(seed=1)
    session = traffic.start_loop("acme", NOON)
    events = traffic.due(NOON, NOON + 30, lambda event: event["session"] != session)
    assert not [event for event in events if event["session"] == session]
    assert 54 <= traffic.refused["acme", "triage", session] <= 66
    assert loop_calls(traffic.due(NOON + 30, NOON + 40), session)


def test_a_refused_session_backs_off_and_gives_up() -> None:
    traffic = Traffic(seed=1)
    asked: list[Event] = []
    assert not [e for e in traffic.due(NOON, NOON + 90, note(asked, False)) if e["requests"]]
    first = asked[0]["session"]
    times = [datetime.fromisoformat(e["time"]).timestamp() for e in asked if e["session"] == first]
    assert [round(later - earlier) for earlier, later in pairwise(times)] == [2, 4, 8, 16, 32]
    assert traffic.refused[asked[0]["tenant"], asked[0]["agent"], first] == 6


def test_admission_is_asked_in_time_order_about_requests_only() -> None:
    asked: list[Event] = []
    events = Traffic(seed=1).due(NOON, NOON + 30, note(asked, True))
    assert asked == [event for event in events if event["requests"] == 1]


def test_a_burst_multiplies_the_arrivals_of_its_tenant_alone() -> None:
    traffic, calm = Traffic(seed=1), Traffic(seed=1)
    traffic.start_burst("globex", NOON + 10, NOON + 70, factor=5)
    events, usual = traffic.due(NOON, NOON + 100), calm.due(NOON, NOON + 100)

    def count(events: list[Event], since: float, until: float) -> int:
        spans = (e for e in events if rfc3339(since) <= e["time"] < rfc3339(until))
        return sum(e["tenant"] == "globex" for e in spans)

    assert 4 < count(events, NOON + 10, NOON + 70) / count(usual, NOON + 10, NOON + 70) < 6
    assert count(events, NOON + 70, NOON + 100) == count(usual, NOON + 70, NOON + 100)
    assert [e for e in events if e["tenant"] != "globex"] == [e for e in usual if e["tenant"] != "globex"]


def test_a_burst_cannot_thin_the_traffic() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Traffic().start_burst("globex", NOON, NOON + 1, factor=0.5)


def test_a_skipped_span_is_neither_emitted_nor_asked_about() -> None:
    asked: list[Event] = []
    traffic = Traffic(seed=1)
    traffic.due(NOON, NOON + 1)
    traffic.due(NOON + 10, NOON + 12, note(asked, True))
    assert asked
    assert asked[0]["time"] >= rfc3339(NOON + 10)


@given(st.floats(min_value=0, max_value=1, exclude_max=True))
def test_a_drawn_value_lies_between_the_least_and_the_greatest(share: float) -> None:
    assert 3 <= draw((3, 10, 500), share) <= 500
