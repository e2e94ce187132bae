"""The streams are the same each time, and hold what their labels say."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import mean, median, pstdev

import msgspec
import pytest
import xxhash

from benchmarks.quality.arrivals import Block, arrivals, season
from benchmarks.quality.background import RING, events_of
from benchmarks.quality.plantings import Planting
from benchmarks.quality.profiles import DAY, HOUR, PAIRS, Profile, Stream, draw_profile
from streamer.events.usage import UsageEvent
from streamer.pricing.book import PriceBook
from streamer.pricing.models import price_of

ROOT = Path(__file__).parents[3]
BEGIN = 1_780_272_000.0
START, END = BEGIN + HOUR / 4, BEGIN + HOUR * 3 / 4
STREAM = Stream(
    use_case="support",
    agent="triage",
    requests_per_second=0.5,
    models=PAIRS[0],
    dear=0.05,
    input_median=1000,
    input_sigma=0.6,
    output_median=100,
    cached=0.7,
    steps=2.0,
    tools=("read_file", "run_query"),
    tool_share=0.5,
    vector=0.3,
    evaluated=0.1,
    outcomes=0.8,
    errors=0.02,
)
OTHER = replace(STREAM, use_case="coding", agent="writer", requests_per_second=0.05)
PROFILE = Profile("acme", "test", "7/acme", BEGIN, HOUR, (STREAM, OTHER), wobble=0.1)
MARKS = tuple(START + 3 * n for n in range(24))


def planted(kind: str, variant: str, factor: float = 1.0, **more: object) -> list[UsageEvent]:
    fields = {"use_case": "support", "start": START, "end": END, **more}
    return events_of(PROFILE, [Planting(kind, variant, factor, "acme", **fields)])  # type: ignore[arg-type]


def within(events: Sequence[UsageEvent], use_case: str = "support") -> list[UsageEvent]:
    return [e for e in events if START + 60 <= e.time.timestamp() < END and e.use_case == use_case]


def requests(events: Sequence[UsageEvent]) -> int:
    return sum(event.requests for event in events if event.kind == "llm")


def tokens_a_request(events: Sequence[UsageEvent]) -> float:
    return median(event.tokens for event in events if event.kind == "llm")


@pytest.fixture(scope="module")
def clean() -> list[UsageEvent]:
    return events_of(PROFILE)


def test_events_are_sorted_and_named_once_and_all_of_the_tenant(clean):
    assert all(one.time <= other.time for one, other in pairwise(clean))
    assert len({event.id for event in clean}) == len(clean)
    assert {event.tenant for event in clean} == {"acme"}
    assert all(BEGIN <= event.time.timestamp() < PROFILE.end for event in clean)


def test_events_survive_being_written_and_checked(clean):
    for event in clean[:500]:
        assert msgspec.json.decode(msgspec.json.encode(event), type=UsageEvent) == event


def test_a_tenant_is_asked_as_often_as_its_profile_says(clean):
    assert requests(clean) == pytest.approx(0.55 * HOUR, rel=0.2)


def test_sessions_repeat_a_call_three_times_at_the_most(clean):
    calls = Counter((event.session, event.tool, event.tool_args_hash) for event in clean if event.kind == "tool")
    assert set(calls.values()) == {1, 2, 3}


@pytest.mark.processes
def test_events_are_the_same_in_any_process():
    program = (
        "import xxhash, msgspec\n"
        "from itertools import islice\n"
        "from benchmarks.quality.scenarios import scenarios\n"
        "made = list(islice(scenarios(5, quick=True), 2))\n"
        "text = msgspec.json.encode([(s.tenant, s.plantings, list(s.events())) for s in made])\n"
        "print(xxhash.xxh3_64_hexdigest(text))\n"
    )
    seen = set()
    for hash_seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(run.stdout)
    assert len(seen) == 1
    assert len(seen.pop().strip()) == len(xxhash.xxh3_64_hexdigest(b""))


@pytest.mark.parametrize("factor", [3.0, 5.0, 10.0])
def test_a_burst_has_so_many_times_the_requests_and_leaves_the_rest_alone(clean, factor):
    burst = planted("burst", "step", factor)
    assert requests(within(burst)) == pytest.approx(factor * requests(within(clean)), rel=0.15)
    assert within(burst, "coding") == within(clean, "coding")
    assert [e for e in burst if e.time.timestamp() < START] == [e for e in clean if e.time.timestamp() < START]


def test_a_gradual_burst_grows_over_a_third_of_its_time():
    burst = Planting("burst", "gradual", 10, "acme", START, START + 900)
    assert [burst.at(START + seconds) for seconds in (0, 150, 300, 899, 900)] == [1.0, 5.5, 10.0, 10.0, 1.0]


def test_a_drift_of_requests_grows_to_its_factor_by_and_by(clean):
    drift = planted("drift", "requests", 4.0)
    halves = [(START, START + HOUR / 4), (START + HOUR / 4, END)]
    grown = [_ratio(drift, clean, span) for span in halves]
    # the mean of 4 ** x over either half
    assert grown == pytest.approx([1.44, 2.89], rel=0.2)


@pytest.mark.parametrize("factor", [2.0, 4.0, 8.0])
def test_bloat_has_so_many_times_the_tokens_in_as_many_requests(clean, factor):
    bloat = planted("bloat", "tokens", factor)
    assert requests(within(bloat)) == requests(within(clean))
    assert tokens_a_request(within(bloat)) == pytest.approx(factor * tokens_a_request(within(clean)), rel=0.05)


def test_the_expensive_model_takes_over(clean):
    share = [
        _share(within(events), lambda e: e.model == PAIRS[0][1].name) for events in (clean, planted("mix", "model"))
    ]
    assert share == pytest.approx([0.05, 0.8], abs=0.03)


def test_the_cache_is_no_longer_hit(clean):
    hit = [_cached(within(events)) for events in (clean, planted("mix", "cache"))]
    assert hit == pytest.approx([0.7, 0.025], abs=0.05)


def test_evaluation_overtakes_what_it_evaluates(clean):
    spent = [_evaluation_over_work(within(events)) for events in (clean, planted("mix", "evaluation"))]
    assert spent[0] < 0.2
    assert spent[1] > 1


@pytest.mark.parametrize(("variant", "left"), [("none", 0.0), ("tenth", 0.1)])
def test_outcomes_stop_while_the_sessions_go_on(clean, variant, left):
    idle = planted("busywork", variant)
    outcomes = [sum(event.kind == "outcome" for event in within(events)) for events in (clean, idle)]
    assert outcomes[1] / outcomes[0] == pytest.approx(left, abs=0.05)
    assert requests(within(idle)) == pytest.approx(requests(within(clean)), rel=0.05)


def test_silence_has_no_events_in_its_scope_and_the_others_go_on(clean):
    silent = planted("silence", "use_case")
    assert not [e for e in silent if e.use_case == "support" and START <= e.time.timestamp() < END]
    assert within(silent, "coding") == within(clean, "coding")
    assert not [e for e in planted("silence", "tenant", use_case="") if START <= e.time.timestamp() < END]


@pytest.mark.parametrize(("variant", "distinct"), [("identical", 1), ("pair", 2), ("triple", 3)])
def test_loops_go_round_the_same_calls(variant, distinct):
    calls = _calls(variant)
    round_ = [(call.tool, call.tool_args_hash) for call in calls[:distinct]]
    assert len(set(round_)) == distinct
    assert [(call.tool, call.tool_args_hash) for call in calls] == (round_ * 24)[:24]
    assert [call.time.timestamp() for call in calls] == list(MARKS)


def test_a_varied_loop_has_other_calls_between_the_same():
    calls = Counter(call.tool_args_hash for call in _calls("varied"))
    assert 10 < max(calls.values()) < 24


def test_in_a_ring_agents_hand_over_in_turn():
    assert [call.agent for call in _calls("ring")] == list(RING) * 8


def test_a_growing_loop_has_ever_longer_contexts_and_next_to_no_output():
    steps = [event for event in _loop("growing") if event.kind == "llm"]
    assert all(one.input_tokens < other.input_tokens for one, other in pairwise(steps))
    assert max(step.output_tokens for step in steps) < 5


def test_all_models_have_a_price():
    assert all(price_of(model.provider, model.name, date(2026, 6, 1)) for pair in PAIRS for model in pair)


def test_arrivals_keep_their_rate_and_spread():
    times = list(arrivals(Random(1), [Block(0, 50_000, 0.2, 2.0), Block(50_000, 60_000, 0.0, 2.0)]))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) == pytest.approx(10_000, rel=0.1)
    assert pstdev(gaps) / mean(gaps) == pytest.approx(2.0, rel=0.1)


def test_days_swing_and_weekends_are_quieter():
    profile = replace(PROFILE, swing=0.5, phase=0.0, weekend=0.4)
    monday, saturday = BEGIN, BEGIN + 5 * DAY
    assert season(profile, monday + DAY / 2 + DAY / 4) == pytest.approx(0.5)
    assert season(profile, monday + DAY / 4) == pytest.approx(1.5)
    assert season(profile, saturday + DAY / 2) == pytest.approx(0.4)


def test_drawn_tenants_have_the_rate_that_is_asked_for():
    profile = draw_profile("acme", "test", "1", seconds=DAY, size="medium", rate=0.25)
    assert sum(stream.requests_per_second for stream in profile.streams) == pytest.approx(0.25)
    assert profile == draw_profile("acme", "test", "1", seconds=DAY, size="medium", rate=0.25)


def _loop(variant: str) -> list[UsageEvent]:
    events = planted("loop", variant, session="round", marks=MARKS)
    return [event for event in events if event.session == "round"]


def _calls(variant: str) -> list[UsageEvent]:
    return [event for event in _loop(variant) if event.kind == "tool"]


def _ratio(events: Sequence[UsageEvent], usual: Sequence[UsageEvent], span: tuple[float, float]) -> float:
    counts = [
        requests([e for e in some if e.use_case == "support" and span[0] <= e.time.timestamp() < span[1]])
        for some in (events, usual)
    ]
    return counts[0] / counts[1]


def _share(events: Sequence[UsageEvent], wanted: Callable[[UsageEvent], bool]) -> float:
    work = [event for event in events if event.kind == "llm"]
    return sum(map(wanted, work)) / len(work)


def _cached(events: Sequence[UsageEvent]) -> float:
    work = [event for event in events if event.kind == "llm"]
    return sum(event.cache_read_tokens for event in work) / sum(event.input_tokens for event in work)


def _evaluation_over_work(events: Sequence[UsageEvent]) -> float:
    return _usd(events, "evaluation") / _usd(events, "llm")


def _usd(events: Sequence[UsageEvent], kind: str) -> int:
    book = PriceBook()
    return sum(book.cost(event)[0] for event in events if event.kind == kind)
