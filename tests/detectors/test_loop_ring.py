"""Agents that hand over to each other without progress are found; those that get on, or talk with people, are not."""

from collections.abc import Callable, Iterable
from itertools import cycle, islice, pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import LoopDetector, LoopFinding, LoopParams, Ringed

# An agent, and the tokens that its step reads and writes.
Step = tuple[str, int, int]
# Neither grows, nor is small: nothing but the handovers can be a loop.
SAME = (500, 60)


def fed(steps: Iterable[Step], gap: float = 1.0) -> list[LoopFinding | None]:
    """The answers to steps `gap` seconds apart that cost 1 each."""
    detector = LoopDetector(LoopParams())
    return [detector.step(*step, at=number * gap, spent=number) for number, step in enumerate(steps)]


def first(answers: list[LoopFinding | None]) -> int | None:
    """Which step, counted from 1, proves a loop."""
    return next((number for number, answer in enumerate(answers, 1) if answer), None)


def turns(agents: str, count: int, tokens: Callable[[int], tuple[int, int]] = lambda number: SAME) -> list[Step]:
    """So many steps of agents in turn."""
    return [(agent, *tokens(number)) for number, agent in enumerate(islice(cycle(agents), count))]


@pytest.mark.parametrize("agents", ["ab", "abc", "abcd", "hahb", "aabb"])
def test_the_eighth_handover_proves_a_ring_whose_steps_are_as_long_as_those_before(agents: str) -> None:
    steps = turns(agents, 40)
    answers = fed(steps)
    proof = first(answers)
    assert proof is not None
    handovers = sum(one[0] != other[0] for one, other in pairwise(steps[:proof]))
    assert handovers == 8
    finding = answers[proof - 1]
    assert isinstance(finding, Ringed)
    assert (finding.length, sorted(finding.agents)) == (8, sorted(set(agents)))


def test_a_ring_begins_with_the_last_step_before_the_first_handover() -> None:
    answers = fed(turns("p", 5) + turns("cp", 8))
    assert answers[-1] == Ringed(length=8, since=4.0, spent_before=4, agents=("p", "c"))
    assert first(answers) == len(answers)


def test_only_a_handover_proves_a_ring() -> None:
    answers = fed([*turns("ab", 9), ("a", *SAME), ("b", *SAME)])
    assert [answer is not None for answer in answers[8:]] == [True, False, True]


def test_lengths_that_differ_by_a_tenth_or_by_two_tokens_are_the_same() -> None:
    assert first(fed(turns("ab", 40, lambda n: (500, 100 + n // 2 % 2 * 10)))) == 9
    assert first(fed(turns("ab", 40, lambda n: (500, 3 + n // 2 % 2 * 2)))) == 9


def test_short_answers_of_one_length_are_the_same_where_they_answer_as_much() -> None:
    assert first(fed(turns("ab", 60, lambda n: (500, 5)))) == 9
    assert first(fed(turns("ab", 60, lambda n: (500 + n // 2 % 2 * 50, 5)))) == 9
    assert first(fed(turns("ab", 60, lambda n: (500 + n // 2 % 2 * 55, 5)))) == 17


def test_twice_as_many_handovers_prove_it_where_little_is_said_each_time() -> None:
    assert first(fed(turns("ab", 60, lambda n: (500, 2 + n // 2 % 2 * 18)))) == 17
    assert first(fed(turns("ab", 60, lambda n: (0, 0)))) == 17


def test_five_times_as_many_prove_it_where_much_is_said() -> None:
    assert first(fed(turns("ab", 60, lambda n: (500, 60 + n // 2 % 2 * 100)))) == 41


def test_a_step_that_says_much_ends_what_was_said_again_and_again() -> None:
    steps = turns("ab", 60)
    steps[7] = ("b", 500, 300)
    answers = fed(steps)
    # The step after it, by the same agent, is of another length once more.
    assert first(answers) == 10 + 8
    assert answers[17] == Ringed(length=8, since=9.0, spent_before=9, agents=("a", "b"))


def test_one_agent_is_no_ring_and_five_are_none() -> None:
    assert first(fed(turns("a", 100))) is None
    assert first(fed(turns("abcde", 100))) is None


def test_agents_without_a_name_are_no_ring() -> None:
    assert first(fed(("", *SAME) for _ in range(100))) is None


def test_an_agent_that_reads_less_than_before_or_far_more_works_at_something_new() -> None:
    """A batch goes through two agents in one session, who say as much of each piece."""
    rng = Random(7)
    pieces = [200 + round(rng.lognormvariate(6, 1)) for _ in range(200)]
    assert first(fed((agent, piece, 5) for piece in pieces for agent in ("extract", "check"))) is None


def test_steps_that_failed_end_nothing() -> None:
    assert first(fed(turns("ab", 60, lambda n: SAME if (n + 1) % 5 else (0, 0)))) == 17


def test_a_person_may_have_spoken_in_a_pause() -> None:
    steps = turns("rb", 100)
    assert first(fed(steps, gap=20.0)) == 9
    assert first(fed(steps, gap=20.1)) is None


def test_planner_and_executor_that_make_new_calls_are_no_ring() -> None:
    detector = LoopDetector(LoopParams())
    for turn in range(30):
        assert detector.step("planner", *SAME, at=3.0 * turn, spent=0) is None
        assert detector.step("executor", *SAME, at=3.0 * turn + 1, spent=0) is None
        assert detector.call(turn, "do", 3.0 * turn + 2, 0) is None


def test_calls_that_were_made_before_are_no_progress() -> None:
    detector = LoopDetector(LoopParams())
    for turn in range(9):
        proof = detector.step("planner", *SAME, at=3.0 * turn, spent=0)
        detector.step("executor", *SAME, at=3.0 * turn + 1, spent=0)
        detector.call(turn % 4, f"t{turn % 4}", 3.0 * turn + 2, 0)
    assert isinstance(proof, Ringed)
    # From after the last new call on, which was the fourth.
    assert proof.since == 3.0 * 4


def test_what_may_be_progress_ends_a_ring() -> None:
    detector = LoopDetector(LoopParams())
    for number, step in enumerate(turns("ab", 100)):
        if number % 8 == 0:
            detector.progress(float(number))
        assert detector.step(*step, at=float(number), spent=0) is None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "b", "c", ""]),
        st.sampled_from([0, 500, 500, 520, 800]),
        st.sampled_from([0, 10, 60, 60, 200]),
    ),
    min_size=30,
    max_size=60,
)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_what_agents_are_named_makes_no_difference(steps: list[Step]) -> None:
    names = {"": "", "a": "zoe", "b": "a", "c": "b"}
    answers = fed((names[agent], taken, given) for agent, taken, given in steps)
    for answer, other in zip(answers, fed(steps), strict=True):
        if isinstance(other, Ringed):
            other = Ringed(  # noqa: PLW2901
                length=other.length,
                since=other.since,
                spent_before=other.spent_before,
                agents=tuple(names[agent] for agent in other.agents),
            )
        assert answer == other


@settings(max_examples=100, deadline=None)
@given(STEPS, st.integers(0, 60))
def test_a_restart_changes_no_answer(steps: list[Step], restart: int) -> None:
    detector, again = LoopDetector(LoopParams(ring_handovers=2)), LoopDetector(LoopParams(ring_handovers=2))
    for number, step in enumerate(steps):
        if number == restart:
            again.restore(detector.snapshot())
        answer = detector.step(*step, at=float(number), spent=10**30)
        if number >= restart:
            assert again.step(*step, at=float(number), spent=10**30) == answer
            assert again.snapshot() == detector.snapshot()


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_a_ring_has_as_many_handovers_as_are_asked_for(steps: list[Step]) -> None:
    for number, answer in enumerate(fed(steps), 1):
        if isinstance(answer, Ringed):
            agents = [agent for agent, *_ in steps[int(answer.since) : number] if agent]
            handovers = sum(one != other for one, other in pairwise(agents))
            assert answer.length >= 8
            assert handovers - answer.length in (0, 1)
