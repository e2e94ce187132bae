"""Calls in a loop are found at the call that proves it, and agents at work are not taken for one."""

import math
import runpy
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, pairwise, repeat
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import ASKED, MADE, Circled, LoopDetector, LoopFinding, LoopParams, Repeated, Varied

ROOT = Path(__file__).parents[2]


def found(
    calls: Sequence[str], params: LoopParams | None = None, gap: float = 1.0, tool: str | None = None
) -> list[LoopFinding | None]:
    """The answers to calls that come `gap` seconds apart and cost 1 each; of `tool`, or each of its own."""
    detector, names = LoopDetector(params or LoopParams()), {name: n for n, name in enumerate(dict.fromkeys(calls))}
    return [detector.call(names[call], call if tool is None else tool, at * gap, at) for at, call in enumerate(calls)]


def first(answers: list[LoopFinding | None]) -> int | None:
    """Which call, counted from 1, proves a loop."""
    return next((number for number, answer in enumerate(answers, 1) if answer), None)


def in_runs(names: Iterable[str], lengths: Iterable[int]) -> list[str]:
    """Each name so many times in a row."""
    return list(chain.from_iterable(repeat(name, length) for name, length in zip(names, lengths, strict=False)))


def test_the_sixth_identical_call_proves_a_loop() -> None:
    answers = found("aaaaaa")
    assert first(answers) == 6
    assert answers[-1] == Repeated(length=6, since=0.0, spent_before=0)


def test_identical_calls_count_with_others_between_them() -> None:
    assert first(found("vwxyz" + "avawaxayazavaw")) == 5 + 11


@pytest.mark.parametrize("work", [2, 3, 4, 6])
@pytest.mark.parametrize("one_tool", [False, True])
def test_a_call_that_comes_back_after_each_piece_of_work_is_no_loop(work: int, one_tool: bool) -> None:
    """Tests are run after each edit, the next item is fetched after each that is done."""
    pieces = [call for number in range(40) for call in ("a", *(f"{number}-{other}" for other in range(work)))]
    assert first(found(pieces, tool="shell" if one_tool else None)) is None


def test_work_of_one_call_at_a_time_is_a_loop_when_what_follows_it_came_twelve_times() -> None:
    assert first(found("".join(f"a{chr(200 + number)}" for number in range(40)))) == 23


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_what_is_made_again_in_a_row_now_and_then_is_work_all_the_same(seed: int) -> None:
    """A test that is run once more as it is, one time in six at the most."""
    rng, calls = Random(seed), list[str]()
    for number in range(48):
        if number % 6 == 0:
            again = number + rng.randrange(6)
        calls += [f"{tool} {number}" for tool in ("read", "think", "edit")] + ["test"] * (1 + (number == again))
    assert first(found(calls)) is None


@pytest.mark.parametrize("ring", ["ab", "abc", "abcd"])
def test_the_tenth_call_proves_a_cycle(ring: str) -> None:
    answers = found("xyz" + ring * 6)
    assert first(answers) == 3 + 10
    assert answers[12] == Circled(length=10, since=3.0, spent_before=3, cycle=len(ring), one_tool=False)
    assert answers[13] is not None
    assert answers[13].length == 11


def test_longer_cycles_are_found_as_repeated_calls() -> None:
    assert first(found("abcde" * 6)) == 26


def test_a_few_calls_in_no_order_are_a_loop_when_each_of_them_comes_back() -> None:
    answers = found("xy" + "abcabbacab")
    assert first(answers) == 2 + 10
    assert answers[-1] == Varied(length=10, since=2.0, spent_before=2, kinds=3, one_tool=False)
    assert first(found("xy" + "abcabababa")) is None


def test_small_variations_of_one_tools_arguments_are_a_loop_though_one_of_them_came_once() -> None:
    answers = found("abcdabbcac", tool="search")
    assert first(answers) == 10
    assert answers[-1] == Varied(length=10, since=0.0, spent_before=0, kinds=4, one_tool=True)


@pytest.mark.parametrize("calls", ["avawaxayaz", "vawaxayaza", "aavwaaxyaz"])
def test_a_call_that_comes_again_between_ever_new_variations_of_it_is_a_loop(calls: str) -> None:
    assert first(found(calls, tool="search")) in (9, 10)


@pytest.mark.parametrize("calls", ["aabacdaaea", "bacdaaeaaf", "aaaabcadef"])
def test_of_any_tools_half_of_the_last_calls_prove_it_that_come_back_and_are_in_vain_twice(calls: str) -> None:
    answers = found(calls)
    assert (first(answers) or 99) <= 10
    assert next(answer for answer in answers if answer) == Repeated(
        length=5, since=float(calls.index("a")), spent_before=calls.index("a")
    )


@pytest.mark.parametrize(
    "calls", ["avawaxayaz", "vawaxayaza", "bacdaeaafa", "bcdeaaaaaf", "aabcdaaefgha", "aaaabcdefgha"]
)
def test_what_only_comes_back_or_is_only_retried_or_is_long_past_is_no_loop_of_five(calls: str) -> None:
    assert first(found(calls)) is None


def test_a_call_made_seven_times_of_ten_is_nearly_always_known_by_the_tenth() -> None:
    rng, told = Random(0), 0
    for _ in range(500):
        told += (first(found(["a" if rng.random() < 0.7 else f"{n}" for n in range(10)])) or 99) <= 10
    # Of 20,000 such rows of calls it is 0.919.
    assert told >= 440


def test_a_loop_of_one_tools_calls_knows_where_others_came_before() -> None:
    detector = LoopDetector(LoopParams())
    for at, call in enumerate("xababababa"):
        answer = detector.call(ord(call), "other" if call == "x" else "search", float(at), at)
    assert answer == Varied(length=9, since=1.0, spent_before=1, kinds=2, one_tool=True)


KINDS = st.integers(2, 4)


@settings(max_examples=100, deadline=None)
@given(KINDS, st.integers(0, 40), st.booleans(), st.integers(0, 9))
def test_whatever_came_before_a_cycle_is_known_at_its_tenth_call(
    kinds: int, before: int, one_tool: bool, turn: int
) -> None:
    cycle = [f"cycle-{(turn + n) % kinds}" for n in range(10)]
    answer = first(found([*map(str, range(before)), *cycle], tool="t" if one_tool else None))
    assert answer is not None
    assert before + 9 <= answer <= before + 10


@settings(max_examples=100, deadline=None)
@given(KINDS, st.integers(0, 2**32))
def test_of_so_few_calls_no_order_is_kept_up_for_long(kinds: int, seed: int) -> None:
    rng = Random(seed)
    assert (first(found([f"{rng.randrange(kinds)}" for _ in range(40)], tool="search")) or 99) <= 21


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 120), st.booleans(), st.data())
def test_different_calls_are_never_a_loop(count: int, one_tool: bool, data: st.DataObject) -> None:
    calls = data.draw(st.permutations([f"file-{n}" for n in range(count)]))
    assert first(found(calls, tool="read" if one_tool else None)) is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 4), max_size=40), st.booleans())
def test_jobs_that_are_polled_and_calls_that_are_retried_are_no_loop(lengths: list[int], one_tool: bool) -> None:
    calls = in_runs(map(str, range(99)), lengths)
    assert first(found(calls, tool="status" if one_tool else None)) is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 3), max_size=40), st.booleans())
def test_nor_are_they_where_a_source_tells_of_each_call_twice(retries: list[int], one_tool: bool) -> None:
    """Once with the request that asks for it, once when it is done, by another hash."""
    calls = in_runs(range(99), retries)  # type: ignore[arg-type]
    twice = [f"{call}-{told}" for call in calls for told in ("asked", "done")]
    assert first(found(twice, tool="t" if one_tool else None)) is None


@pytest.mark.parametrize("before", ["", "y", "s", "ys", "ss", "sss", "xyzs"])
@pytest.mark.parametrize("after", ["g", "gw", "gwh", "ghw"])
def test_a_job_that_is_polled_four_times_with_waits_between_is_no_loop(before: str, after: str) -> None:
    assert first(found(before + "wp" * 4 + after)) is None


def test_calls_further_apart_than_the_span_are_no_loop() -> None:
    assert first(found("a" * 50, LoopParams(span=900), gap=181.0)) is None
    assert first(found("a" * 50, LoopParams(span=900), gap=180.0)) == 6


def test_calls_beyond_the_memory_are_forgotten() -> None:
    rare = [name for number in range(20) for name in ("a", *(f"{number}-{other}" for other in range(7)))]
    assert first(found(rare, LoopParams(memory=32))) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abcdef"), min_size=40, max_size=60), st.integers(2, 8))
def test_so_many_calls_within_the_memory_are_always_found(calls: list[str], repeats: int) -> None:
    for number, answer in enumerate(found(calls, LoopParams(repeats=repeats)), 1):
        if calls[max(0, number - 32) : number].count(calls[number - 1]) >= 2 * repeats:
            assert answer is not None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abcdef"), min_size=40, max_size=60), st.permutations("abcdef"))
def test_what_calls_and_tools_are_named_makes_no_difference(calls: list[str], others: list[str]) -> None:
    renamed = [f"{others['abcdef'.index(call)]} by another name" for call in calls]
    assert found(renamed) == found(calls)
    assert found(renamed, tool="a") == found(calls, tool="b")


CALLS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from("tttu"),
        st.sampled_from([0.0, 1.0, 1.0, 1.0, 30.0, 200.0, -1.0, -50.0]),
        st.integers(-5, 5),
    ),
    min_size=20,
    max_size=80,
)
PARAMS = st.builds(
    LoopParams,
    repeats=st.integers(2, 9),
    memory=st.integers(9, 32),
    window=st.integers(4, 9),
    longest_cycle=st.integers(2, 4),
    span=st.sampled_from([40.0, 900.0]),
)
Told = tuple[int, float, int]


def proven(calls: list[Told], tools: list[str], params: LoopParams) -> LoopFinding | None:
    """What the newest of all remembered calls proves, by the definition of a loop; `tools` are those of all calls."""
    same = [call for call in calls if call[0] == calls[-1][0]]
    if len(same) == 1:
        return None
    streak = len(tools) - max((n for n, tool in enumerate(tools, 1) if tool != tools[-1]), default=0)
    few = proven_by_few(calls, streak, params)
    names = [call[0] for call in calls]
    enough = len(same) >= params.repeats or stumbles(names, params)
    if few is None and enough and (3 * in_vain(names) >= len(same) - 1 or len(same) >= 2 * params.repeats):
        return Repeated(length=len(same), since=same[0][1], spent_before=same[0][2])
    return few


def in_vain(names: list[int]) -> int:
    """How often the newest call was made again with nothing new between."""
    places = [place for place, name in enumerate(names) if name == names[-1]]
    return sum(set(names[one + 1 : other]) <= set(names[:one]) for one, other in pairwise(places))


def stumbles(names: list[int], params: LoopParams) -> bool:
    last = [name == names[-1] for name in names[-params.window :]]
    pairs = list(pairwise(last[last.index(True) :]))
    return last.count(True) == params.repeats - 1 and (False, True) in pairs and (True, True) in pairs


def proven_by_few(calls: list[Told], streak: int, params: LoopParams) -> LoopFinding | None:
    names = [identity for identity, _, _ in calls]
    last, one_tool = names[-params.window :], streak >= params.window - 1
    if len(last) >= params.window - 1 and one_tool and params.repeats - 1 <= last.count(names[-1]) < len(last):
        return varied(calls, min(len(last), streak), streak)
    back = {name: returns(last, name) for name in last}
    comes_back = min(back.values()) >= 1 or (one_tool and sum(back.values()) >= 2)
    if len(last) < params.window or len(back) > params.longest_cycle or moved_on(last) or not comes_back:
        return None
    for cycle in range(2, params.longest_cycle + 1):
        if goes_round(last, cycle):
            length = max(n for n in range(len(last), len(names) + 1) if goes_round(names[-n:], cycle))
            _, since, spent = calls[-length]
            return Circled(length=length, since=since, spent_before=spent, cycle=cycle, one_tool=streak >= length)
    return varied(calls, params.window, streak)


def varied(calls: list[Told], least: int, streak: int) -> Varied:
    kinds = {identity for identity, _, _ in calls[-least:]}
    length = max(n for n in range(1, len(calls) + 1) if {identity for identity, _, _ in calls[-n:]} == kinds)
    _, since, spent = calls[-length]
    return Varied(length=length, since=since, spent_before=spent, kinds=len(kinds), one_tool=streak >= length)


def moved_on(names: list[int]) -> bool:
    return any(not set(names[:cut]) & set(names[cut:]) for cut in range(1, len(names)))


def returns(names: list[int], name: int) -> int:
    """How often it comes after another one, having come before."""
    return sum(names[n] == name != names[n - 1] and name in names[:n] for n in range(1, len(names)))


def goes_round(names: list[int], cycle: int) -> bool:
    return all(names[n] == names[n - cycle] for n in range(cycle, len(names)))


@settings(max_examples=300, deadline=None)
@given(CALLS, PARAMS, st.integers(0, 80))
def test_every_answer_is_that_of_the_definition_also_after_a_restart(
    steps: list[tuple[int, str, float, int]], params: LoopParams, restart: int
) -> None:
    """Times that go back among them: a call is forgotten with those before it."""
    times = accumulate(gap for _, _, gap, _ in steps)
    detector, remembered, tools = LoopDetector(params), list[Told](), list[str]()
    for number, ((identity, tool, _, spent), at) in enumerate(zip(steps, times, strict=True)):
        remembered = [*remembered, (identity, at, spent)][-params.memory :]
        tools.append(tool)
        while remembered[0][1] < at - params.span:
            remembered.pop(0)
        if number == restart:
            snapshot, detector = detector.snapshot(), LoopDetector(params)
            detector.restore(snapshot)
        assert detector.call(identity, tool, at, spent) == proven(remembered, tools, params)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 4), st.booleans(), st.integers(0, 80))
def test_calls_that_are_told_by_answers_and_by_themselves_are_proven_as_if_told_once(
    calls: list[int], batch: int, answers_first: bool, restart: int
) -> None:
    """Also where each teller sends some at a time, whoever is first, and after a restart."""
    once, twice = LoopDetector(LoopParams()), LoopDetector(LoopParams())
    tellers, told = (ASKED, MADE) if answers_first else (MADE, ASKED), 0
    for begin in range(0, len(calls), batch):
        part = list(enumerate(calls[begin : begin + batch], begin))
        expected = [once.call(call, f"t{call}", float(at), at) for at, call in part]
        assert [twice.call(call, f"t{call}", float(at), at, tellers[0]) for at, call in part] == expected
        for _, call in part:
            told += 1
            if told == restart:
                snapshot, twice = twice.snapshot(), LoopDetector(LoopParams())
                twice.restore(snapshot)
            assert twice.call(call, f"t{call}", float(part[-1][0]), 0, tellers[1]) is None


def test_handovers_that_are_told_by_answers_and_by_themselves_are_proven_as_if_told_once() -> None:
    once, twice = LoopDetector(LoopParams()), LoopDetector(LoopParams())
    for at in range(12):
        assert twice.hand_over(1, "t", float(at), 0, ASKED) == once.hand_over(1, "t", float(at), 0)
        assert twice.hand_over(1, "t", at + 0.5, 0, MADE) is None


def test_of_what_an_earlier_release_wrote_down_nobody_knows_who_told() -> None:
    before, after = LoopDetector(LoopParams(repeats=3)), LoopDetector(LoopParams(repeats=3))
    before.call(1, "t", 0.0, 0)
    old = msgspec.msgpack.encode(msgspec.msgpack.decode(before.snapshot())[:5])
    after.restore(old)
    assert after.call(1, "t", 1.0, 0, ASKED) is None
    assert after.call(1, "t", 2.0, 0, ASKED) == Repeated(length=3, since=0.0, spent_before=0)


def test_what_a_session_had_spent_can_be_any_whole_number() -> None:
    """The caller's unit may be a small one: 10**27 are a trillion dollars in femtodollars."""
    detector, again = LoopDetector(LoopParams(repeats=2)), LoopDetector(LoopParams(repeats=2))
    detector.call(1, "t", 0.0, -(10**27))
    again.restore(detector.snapshot())
    assert again.call(1, "t", 1.0, 0) == Repeated(length=2, since=0.0, spent_before=-(10**27))


@pytest.mark.parametrize("at", [math.nan, math.inf, -math.inf])
def test_a_time_that_is_none_is_refused_and_changes_nothing(at: float) -> None:
    detector = LoopDetector(LoopParams())
    detector.call(1, "t", 1.0, 0)
    before = detector.snapshot()
    with pytest.raises(ValueError, match="finite"):
        detector.call(1, "t", at, 0)
    with pytest.raises(ValueError, match="finite"):
        detector.step("a", 1, 1, at, 0)
    with pytest.raises(ValueError, match="finite"):
        detector.progress(at)
    assert detector.snapshot() == before


def test_real_agents_at_work_are_in_no_loop(shared_data: Path) -> None:
    """Whether their calls are told by their tools' names, or as calls of one tool that does all."""
    events_of = runpy.run_path(str(ROOT / "examples" / "trace_events.py"))["events_of"]
    sessions: dict[str, list[str]] = defaultdict(list)
    for event in events_of(shared_data / "traces" / "taubench_airline_gpt4o.jsonl"):
        calls = sessions[event["session"]]
        if event["kind"] == "tool":
            calls.append(f"{event['tool']}\x00{event['tool_args_hash']}")
    assert len(sessions) == 100
    for tool in (None, "any"):
        assert {session: first(found(calls, tool=tool)) for session, calls in sessions.items()} == dict.fromkeys(
            sessions
        )
