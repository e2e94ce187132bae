"""A context that grows while nothing comes out is found; one that grows while the agent answers or works is not."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Grown, LoopDetector, LoopFinding, LoopParams

# The tokens that a step reads and writes.
Tokens = tuple[int, int]


def fed(steps: Iterable[Tokens], gap: float = 1.0) -> list[LoopFinding | None]:
    """The answers to one agent's steps `gap` seconds apart that cost 1 each."""
    detector = LoopDetector(LoopParams())
    return [detector.step("a", *step, at=number * gap, spent=number) for number, step in enumerate(steps)]


def first(answers: list[LoopFinding | None]) -> int | None:
    """Which step, counted from 1, proves a loop."""
    return next((number for number, answer in enumerate(answers, 1) if answer), None)


def growing(count: int, given: int = 5, by: int = 300) -> list[Tokens]:
    return [(1000 + by * number, given) for number in range(count)]


def test_the_ninth_step_proves_it() -> None:
    answers = fed([(9000, 400), *growing(12)])
    assert first(answers) == 1 + 9
    assert answers[9] == Grown(length=9, since=1.0, spent_before=1, first=1000, last=3400)
    assert answers[10] == Grown(length=10, since=1.0, spent_before=1, first=1000, last=3700)


def test_a_context_that_grows_slowly_has_to_be_half_as_much_again() -> None:
    assert first(fed(growing(40, by=25))) == 21


def test_steps_that_say_something_are_none_of_it() -> None:
    assert first(fed(growing(60, given=21))) is None
    assert first(fed((taken, 300 if n % 8 == 7 else 5) for n, (taken, _) in enumerate(growing(60)))) is None
    assert first(fed(growing(60, given=20))) == 9


def test_a_context_that_shrinks_begins_anew() -> None:
    answers = fed(growing(8) + growing(9))
    assert first(answers) == 17
    assert answers[-1] == Grown(length=9, since=8.0, spent_before=8, first=1000, last=3400)


def test_retries_and_steps_of_unknown_length_neither_count_nor_end_it() -> None:
    steps = [step for pair in zip(growing(9), [(0, 0)] * 9, growing(9), strict=True) for step in pair]
    assert first(fed(steps)) == 25


def test_a_person_may_have_spoken_in_a_pause() -> None:
    assert first(fed(growing(60), gap=20.0)) == 9
    assert first(fed(growing(60), gap=20.1)) is None


@pytest.mark.parametrize("tool", ["read_file", ""])
def test_an_agent_that_reads_file_after_file_is_in_no_loop(tool: str) -> None:
    """With calls of their own, or with something unknown that may be one."""
    detector = LoopDetector(LoopParams())
    for number, (taken, written) in enumerate(growing(40)):
        assert detector.step("a", taken, written, 2.0 * number, 0) is None
        if tool:
            assert detector.call(number, tool, 2.0 * number + 1, 0) is None
        else:
            detector.progress(2.0 * number + 1)


def test_calls_that_were_made_before_are_no_progress() -> None:
    detector = LoopDetector(LoopParams(repeats=30, window=16))
    for number, (taken, written) in enumerate(growing(10)):
        grown = detector.step("a", taken, written, 2.0 * number, 0)
        detector.call(1, "again", 2.0 * number + 1, 0)
    assert isinstance(grown, Grown)
    assert grown.length == 9


STEPS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from([0, 5, 5, 5, 30])), max_size=60)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_every_answer_is_that_of_the_definition(steps: list[Tokens]) -> None:
    detector = LoopDetector(LoopParams(growth_steps=3, growth_factor=2))
    for number, step in enumerate(steps):
        answer = detector.step("", *step, at=float(number), spent=-number)
        assert answer == grown(steps[: number + 1])


def grown(steps: list[Tokens]) -> Grown | None:
    """What the newest step proves: the steps since the last that said something or read less, without retries."""
    begin = max((n for n, (_, given) in enumerate(steps, 1) if given > 20), default=0)
    kept = [(n, taken) for n, (taken, _) in enumerate(steps) if n >= begin and taken]
    falls = [place for place in range(1, len(kept)) if kept[place][1] < kept[place - 1][1]]
    rises: list[tuple[int, int]] = []
    for n, taken in kept[falls[-1] if falls else 0 :]:
        if not rises or taken > rises[-1][1]:
            rises.append((n, taken))
    if len(rises) < 3 or rises[-1][0] != len(steps) - 1 or rises[-1][1] < 2 * rises[0][1]:
        return None
    since, tokens = rises[0]
    return Grown(length=len(rises), since=float(since), spent_before=-since, first=tokens, last=rises[-1][1])


@settings(max_examples=100, deadline=None)
@given(STEPS, st.integers(0, 60))
def test_a_restart_changes_no_answer(steps: list[Tokens], restart: int) -> None:
    params = LoopParams(growth_steps=3)
    detector, again = LoopDetector(params), LoopDetector(params)
    for number, step in enumerate(steps):
        if number == restart:
            again.restore(detector.snapshot())
        answer = detector.step("", *step, at=float(number), spent=10**30)
        if number >= restart:
            assert again.step("", *step, at=float(number), spent=10**30) == answer
            assert again.snapshot() == detector.snapshot()
