"""A loop is found at the call that proves it, and real agents at work are not taken for one."""

import runpy
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import LoopDetector, LoopFinding, LoopParams

ROOT = Path(__file__).parents[2]


def found(calls: Sequence[str], params: LoopParams | None = None, gap: float = 1.0) -> list[LoopFinding | None]:
    """The answers to calls that come `gap` seconds apart and cost 1 each."""
    detector, names = LoopDetector(params or LoopParams()), {name: n for n, name in enumerate(dict.fromkeys(calls))}
    return [detector.observe(names[call], at * gap, at) for at, call in enumerate(calls)]


def first(answers: list[LoopFinding | None]) -> int | None:
    """Which call, counted from 1, proves a loop."""
    return next((number for number, answer in enumerate(answers, 1) if answer), None)


def test_the_sixth_identical_call_proves_a_loop() -> None:
    answers = found("aaaaaa")
    assert first(answers) == 6
    assert answers[-1] == LoopFinding(repeats=6, since=0.0, spent_before=0, cycle=1)


def test_identical_calls_count_with_others_between_them() -> None:
    assert first(found("axaybzaacadae")) == 12


def test_the_eighth_call_proves_a_cycle_of_two() -> None:
    answers = found("abababab")
    assert first(answers) == 8
    assert answers[-1] == LoopFinding(repeats=4, since=0.0, spent_before=0, cycle=2)


@pytest.mark.parametrize(("ring", "proof"), [("abc", 12), ("abcd", 16)])
def test_agents_in_a_ring_are_found_in_the_fourth_round(ring: str, proof: int) -> None:
    answers = found("xy" + ring * 5)
    assert first(answers) == 2 + proof
    finding = answers[1 + proof]
    assert finding is not None
    assert (finding.cycle, finding.since, finding.spent_before) == (len(ring), 2.0, 2)


def test_longer_rings_are_found_as_repeated_calls() -> None:
    assert first(found("abcde" * 6)) == 26


def test_calls_further_apart_than_the_span_are_no_loop() -> None:
    assert first(found("a" * 50, LoopParams(span=900), gap=181.0)) is None
    assert first(found("a" * 50, LoopParams(span=900), gap=180.0)) == 6


def test_calls_beyond_the_memory_are_forgotten() -> None:
    rare = [name for number in range(20) for name in ("a", *(f"{number}-{other}" for other in range(7)))]
    assert first(found(rare, LoopParams(memory=32))) is None


@settings(max_examples=60, deadline=None)
@given(st.permutations(list("abcdefghij")), st.lists(st.sampled_from("abcdefghij"), max_size=20))
def test_less_than_six_of_a_kind_and_no_cycle_is_no_loop(start: list[str], rest: list[str]) -> None:
    calls = start + rest
    answer = first(found(calls))
    if answer is not None:
        seen = calls[:answer]
        cycled = any(seen[-4 * cycle :] == seen[-cycle:] * 4 for cycle in (2, 3, 4))
        assert seen.count(seen[-1]) >= 6 or cycled


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abcdef"), max_size=60), st.integers(2, 8))
def test_so_many_calls_within_the_memory_are_always_found(calls: list[str], repeats: int) -> None:
    for number, answer in enumerate(found(calls, LoopParams(repeats=repeats)), 1):
        if calls[max(0, number - 32) : number].count(calls[number - 1]) >= repeats:
            assert answer is not None


CALLS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from([0.0, 1.0, 1.0, 30.0, 200.0, -1.0, -50.0]), st.integers(-5, 5)),
    max_size=80,
)
PARAMS = st.builds(
    LoopParams,
    repeats=st.integers(2, 6),
    memory=st.integers(6, 32),
    cycle_repeats=st.integers(2, 4),
    longest_cycle=st.integers(1, 4),
    span=st.sampled_from([40.0, 900.0]),
)
Call = tuple[int, float, int]


def proven(calls: list[Call], params: LoopParams) -> LoopFinding | None:
    """What the newest of all remembered calls proves, by the definition of a loop."""
    names = [identity for identity, _, _ in calls]
    same = [call for call in calls if call[0] == names[-1]]
    if len(same) >= params.repeats:
        return LoopFinding(len(same), same[0][1], same[0][2], 1)
    for cycle in range(2, params.longest_cycle + 1):
        length = cycle * params.cycle_repeats
        if len(names) >= length and names[-length:] == names[-cycle:] * params.cycle_repeats:
            return LoopFinding(params.cycle_repeats, calls[-length][1], calls[-length][2], cycle)
    return None


@settings(max_examples=200, deadline=None)
@given(CALLS, PARAMS, st.integers(0, 80))
def test_every_answer_is_that_of_the_definition_also_after_a_restart(
    steps: list[Call], params: LoopParams, restart: int
) -> None:
    """Times that go back among them: a call is forgotten with those before it."""
    times = accumulate(gap for _, gap, _ in steps)
    detector, remembered = LoopDetector(params), list[Call]()
    for number, ((identity, _, spent), at) in enumerate(zip(steps, times, strict=True)):
        remembered = [*remembered, (identity, at, spent)][-params.memory :]
        while remembered[0][1] < at - params.span:
            remembered.pop(0)
        if number == restart:
            snapshot, detector = detector.snapshot(), LoopDetector(params)
            detector.restore(snapshot)
        assert detector.observe(identity, at, spent) == proven(remembered, params)


def test_what_a_session_had_spent_can_be_any_whole_number() -> None:
    """The caller's unit may be a small one: 10**27 are a trillion dollars in femtodollars."""
    detector, again = LoopDetector(LoopParams(repeats=2)), LoopDetector(LoopParams(repeats=2))
    detector.observe(1, 0.0, -(10**27))
    again.restore(detector.snapshot())
    assert again.observe(1, 1.0, 0) == LoopFinding(repeats=2, since=0.0, spent_before=-(10**27), cycle=1)


def test_real_agents_at_work_are_in_no_loop(shared_data: Path) -> None:
    events_of = runpy.run_path(str(ROOT / "examples" / "trace_events.py"))["events_of"]
    sessions: dict[str, list[str]] = defaultdict(list)
    for event in events_of(shared_data / "traces" / "taubench_airline_gpt4o.jsonl"):
        calls = sessions[event["session"]]
        if event["kind"] == "tool":
            calls.append(f"{event['tool']}\x00{event['tool_args_hash']}")
    assert len(sessions) == 100
    assert {session: first(found(calls)) for session, calls in sessions.items()} == dict.fromkeys(sessions)
