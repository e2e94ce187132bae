"""What every detector promises, held against each of them: `detectors.contract.Detector`, and calm in all weathers."""

import hashlib
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import (
    BudgetDetector,
    BudgetTerms,
    BurnParams,
    BusyworkDetector,
    BusyworkParams,
    CombinationBaseline,
    CombinationParams,
    Detector,
    Dispersion,
    DispersionParams,
    DriftDetector,
    DriftParams,
    HoursOfWeek,
    LoopDetector,
    LoopParams,
    OutlierParams,
    OutlierScorer,
    RateBaseline,
    RateParams,
    RatioBaseline,
    RatioParams,
    SilenceBaseline,
    SilenceParams,
    SurgeBaseline,
    SurgeParams,
)

ROOT = Path(__file__).parents[2]


class Subject(NamedTuple):
    """A detector as the suite sees it: how it is made, fed one number, and answers; and the most bytes of its state."""

    name: str
    make: Callable[[], Any]
    feed: Callable[[Any, int, float], object]
    most: int = 4096


def feed_rate(rate: RateBaseline, _: int, value: float) -> object:
    answer = (rate.expected, rate.ceiling, rate.score_one(value))
    rate.learn_one(value)
    return answer


def feed_loop(loop: LoopDetector, at: int, value: float) -> object:
    """A call, a step, or progress, whichever the value says."""
    number, spent = int(value % 5), int(value)
    if value % 2 < 1:
        return loop.call(number, f"t{number % 2}", float(at), spent)
    if value % 3 < 0.1:
        return loop.progress(float(at))
    return loop.step(f"a{number}", 100 * number, number, float(at), spent)


def feed_budget(budget: BudgetDetector, at: int, value: float) -> object:
    """A whole amount every seven minutes, and after each the question of what is over."""
    now = 420.0 * at
    ended = budget.ended(now)
    return ended, budget.add(int(value), now), budget.spent, budget.line, budget.due, budget.exhausted_at(budget.memory)


def feed_surge(surge: SurgeBaseline, at: int, value: float) -> object:
    """A window with arrivals, and now and then a gap before it."""
    answer = (surge.expected, surge.usual_cost, surge.evidence, surge.abnormal, surge.score, surge.run, surge.after(3))
    surge.pass_over(at % 7 - 4)
    surge.learn_one(value, value / 3)
    return answer


def feed_dispersion(dispersion: Dispersion, at: int, value: float) -> object:
    """A window with what was expected of it, and now and then a gap before it."""
    answer = dispersion.value
    dispersion.pass_over(at % 5, 2.0)
    dispersion.learn_one(value, 2.0)
    return answer


def feed_ratio(ratio: RatioBaseline, at: int, value: float) -> object:
    """A slice of a few things; a ratio is never 0."""
    answer = (ratio.expected, ratio.deviation, ratio.evidence, ratio.abnormal, ratio.calm, ratio.slow, ratio.score)
    ratio.learn_one(max(value, SMALLEST), 1 + at % 7)
    return answer


def feed_drift(drift: DriftDetector, at: int, value: float) -> object:
    """A level against a reference that goes up and down."""
    answer = (drift.deviation, drift.evidence, drift.abnormal, drift.calm, drift.score)
    drift.learn_one(value, 50.0 * (at % 5))
    return answer


def feed_silence(silence: SilenceBaseline, _: int, value: float) -> object:
    answer = silence.certain_after(value)
    silence.learn_one(value)
    return answer


def feed_hours(hours: HoursOfWeek, at: int, value: float) -> object:
    """One value an hour."""
    answer = hours.expected(3600.0 * at), hours.expected(3600.0 * at + 1234.5)
    hours.learn_one(3600.0 * at, value)
    return answer


def feed_combination(usual: CombinationBaseline, at: int, value: float) -> object:
    """A point that depends on the value."""
    answer = (usual.evidence, usual.abnormal, usual.calm, usual.score, usual.largest())
    usual.learn_one((math.log(max(value, SMALLEST)), float(at % 3), math.log1p(value)))
    return answer


SMALLEST = 5e-324


def months(at: float) -> tuple[float, float]:
    """Periods of thirty days."""
    return at // 2_592_000 * 2_592_000, (at // 2_592_000 + 1) * 2_592_000


def budget() -> BudgetDetector:
    burn = (BurnParams(3600, 300, 14.4, 0.02), BurnParams(86_400, 7200, 3, 0.1))
    return BudgetDetector(BudgetTerms(100_000, 80_000, burn), months)


def feed_busywork(busywork: BusyworkDetector, at: int, value: float) -> object:
    """Outcomes now and then, none for a while of each two hundred slices."""
    outcomes = 0 if at % 200 > 150 else int(min(value, 1e9)) // 50
    return busywork.observe(int(value), outcomes), busywork.standing, busywork.usual


def feed_outlier(scorer: OutlierScorer, at: int, value: float) -> object:
    return scorer.observe(60.0 * at, value)


SMALL = OutlierParams(spans=(1, 8), periods=(), blocks=8)
SUBJECTS = [
    Subject("rate", lambda: RateBaseline(RateParams(half_life=20, warm_up=5, excess=10)), feed_rate),
    Subject("loop", lambda: LoopDetector(LoopParams()), feed_loop),
    Subject("budget", budget, feed_budget),
    Subject("busywork", lambda: BusyworkDetector(BusyworkParams(longest=16, warm_up=10)), feed_busywork),
    # Ten views in sixteen blocks, and an hour of the week each: what it is judged by on NAB.
    Subject("outlier", lambda: OutlierScorer(OutlierParams()), feed_outlier, most=8192),
    Subject("small outlier", lambda: OutlierScorer(SMALL), feed_outlier, most=2048),
    Subject("ratio", lambda: RatioBaseline(RatioParams(half_life=20, warm_up=5)), feed_ratio),
    Subject("surge", lambda: SurgeBaseline(SurgeParams(half_life=20, warm_up=5)), feed_surge),
    Subject("dispersion", lambda: Dispersion(DispersionParams(spans=(2, 5))), feed_dispersion),
    Subject("drift", lambda: DriftDetector(DriftParams(half_life=20)), feed_drift),
    Subject("silence", lambda: SilenceBaseline(SilenceParams(warm_up=5)), feed_silence),
    Subject("hours", HoursOfWeek, feed_hours),
    Subject(
        "combination", lambda: CombinationBaseline(CombinationParams(3, half_life=20, warm_up=5)), feed_combination
    ),
]
BY_NAME = {subject.name: subject for subject in SUBJECTS}
every = pytest.mark.parametrize("subject", SUBJECTS, ids=[subject.name for subject in SUBJECTS])
VALUES = st.lists(st.floats(0, 1e9, allow_subnormal=False), max_size=50)


def fed(subject: Subject, values: list[float]) -> Any:
    detector = subject.make()
    for at, value in enumerate(values):
        subject.feed(detector, at, value)
    return detector


def noise(count: int) -> list[float]:
    """The same noise in every process."""
    rng = random.Random(7)
    return [rng.lognormvariate(4, 1) for _ in range(count)]


@every
def test_it_keeps_the_contract(subject: Subject) -> None:
    detector: Detector = subject.make()
    assert isinstance(detector.snapshot(), bytes)


@every
@settings(max_examples=40, deadline=None)
@given(values=VALUES)
def test_a_snapshot_is_restored_to_the_byte(subject: Subject, values: list[float]) -> None:
    detector = fed(subject, values)
    again = subject.make()
    again.restore(detector.snapshot())
    assert again.snapshot() == detector.snapshot() == fed(subject, values).snapshot()


@every
@settings(max_examples=40, deadline=None)
@given(before=VALUES, own=VALUES, after=VALUES)
def test_a_restored_one_drops_its_own_state_and_answers_the_same(
    subject: Subject, before: list[float], own: list[float], after: list[float]
) -> None:
    detector, again = fed(subject, before), fed(subject, own)
    again.restore(detector.snapshot())
    for at, value in enumerate(after, start=len(before)):
        assert subject.feed(again, at, value) == subject.feed(detector, at, value)
    assert again.snapshot() == detector.snapshot()


@every
def test_a_snapshot_is_not_changed_by_what_comes_later(subject: Subject) -> None:
    detector = fed(subject, noise(40))
    snapshot = detector.snapshot()
    copy = bytes(bytearray(snapshot))
    subject.feed(detector, 41, 3.0)
    assert snapshot == copy != detector.snapshot()


def digest() -> str:
    """The bytes of all detectors after the same noise, as one hash."""
    return hashlib.sha256(b"".join(fed(subject, noise(500)).snapshot() for subject in SUBJECTS)).hexdigest()


@pytest.mark.processes
@pytest.mark.parametrize("seed", ["0", "1234"])
def test_the_bytes_are_the_same_in_another_process(seed: str) -> None:
    code = "from tests.detectors.test_contract import digest; print(digest())"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, check=True)
    assert run.stdout.decode().strip() == digest()


@every
def test_memory_is_bounded(subject: Subject) -> None:
    detector, most = subject.make(), 0
    for at, value in enumerate(noise(10_000)):
        subject.feed(detector, at, value)
        if at % 100 == 0:
            most = max(most, len(detector.snapshot()))
    assert most <= subject.most


@every
@pytest.mark.parametrize(
    "values",
    [
        [5.0] * 300,
        [0.0] * 300,
        [1e300] * 300,
        [0.0, sys.float_info.max] * 100,
        [sys.float_info.max] * 300,
        [5e-324] * 300,
        [100.0] * 50 + [0.0] * 200 + [100.0] * 50,
    ],
    ids=["constant", "zero", "huge", "huge and zero", "largest", "smallest", "gap"],
)
def test_nothing_that_it_is_fed_breaks_it(subject: Subject, values: list[float]) -> None:
    fed(subject, values)


@every
def test_times_with_gaps_and_going_back_break_nothing(subject: Subject) -> None:
    detector = subject.make()
    for at in (0, 1, 10**9, 5, 10**9, 0):
        subject.feed(detector, at, 3.0)


@every
@settings(max_examples=40, deadline=None)
@given(past=VALUES, one=VALUES, other=VALUES)
def test_an_answer_knows_nothing_of_the_future(
    subject: Subject, past: list[float], one: list[float], other: list[float]
) -> None:
    def answers(future: list[float]) -> list[object]:
        detector = subject.make()
        return [subject.feed(detector, at, value) for at, value in enumerate(past + future)][: len(past)]

    assert answers(one) == answers(other)


RATES = st.floats(0, sys.float_info.max)


@settings(max_examples=100, deadline=None)
@given(st.lists(RATES, max_size=40), RATES)
def test_a_score_lies_between_0_and_1_and_scoring_learns_nothing(values: list[float], value: float) -> None:
    rate = fed(BY_NAME["rate"], values)
    before = rate.snapshot()
    assert 0 <= rate.score_one(value) <= 1
    assert rate.expected >= 0
    assert not math.isnan(rate.ceiling)
    assert rate.snapshot() == before


@settings(max_examples=60, deadline=None)
@given(VALUES, RATES, RATES)
def test_a_higher_value_has_no_lower_score(values: list[float], low: float, high: float) -> None:
    rate = fed(BY_NAME["rate"], values)
    assert rate.score_one(min(low, high)) <= rate.score_one(max(low, high))


@pytest.mark.parametrize("value", [-1.0, -1e-9, math.nan, math.inf, -math.inf])
def test_a_rate_that_is_none_is_refused_and_changes_nothing(value: float) -> None:
    rate = fed(BY_NAME["rate"], noise(20))
    before = rate.snapshot()
    with pytest.raises(ValueError, match="finite number of 0 or more"):
        rate.learn_one(value)
    with pytest.raises(ValueError, match="finite number of 0 or more"):
        rate.score_one(value)
    assert rate.snapshot() == before


@given(st.integers(2, 1000))
def test_a_loops_score_lies_between_one_half_and_1(repeats: int) -> None:
    loop = LoopDetector(LoopParams(repeats=2))
    findings = [loop.call(1, "t", float(at), 0) for at in range(min(repeats, 40))]
    scores = [finding.score for finding in findings if finding]
    assert scores == sorted(scores)
    assert all(0.5 <= score <= 1 for score in scores)


proving = pytest.mark.parametrize("name", ["ratio", "drift", "combination"])


@proving
@settings(max_examples=60, deadline=None)
@given(values=st.lists(RATES, max_size=60))
def test_a_score_of_evidence_lies_between_0_and_1_and_one_half_is_where_it_suffices(
    name: str, values: list[float]
) -> None:
    subject = BY_NAME[name]
    detector = subject.make()
    for at, value in enumerate(values):
        subject.feed(detector, at, value)
        assert 0 <= detector.score <= 1
        assert detector.abnormal == (detector.score >= 0.5)
        assert detector.calm == (detector.score == 0)
        assert not (detector.abnormal and detector.calm)


@proving
def test_what_is_forgiven_is_no_longer_abnormal(name: str) -> None:
    subject = BY_NAME[name]
    detector = subject.make()
    for at, value in enumerate([100.0] * 40 + [1e9] * 60):
        subject.feed(detector, at, value)
        if detector.abnormal:
            break
    assert detector.abnormal
    detector.forgive()
    assert detector.calm


@pytest.mark.parametrize("name", ["ratio", "drift"])
@settings(max_examples=60, deadline=None)
@given(values=VALUES, low=RATES, high=RATES)
def test_a_higher_value_brings_no_less_evidence(name: str, values: list[float], low: float, high: float) -> None:
    subject = BY_NAME[name]
    one, other = fed(subject, values), fed(subject, values)
    subject.feed(one, len(values), min(low, high))
    subject.feed(other, len(values), max(low, high))
    assert one.evidence <= other.evidence


@settings(max_examples=60, deadline=None)
@given(VALUES, RATES, RATES)
def test_silence_of_a_faster_stream_is_certain_no_later(gaps: list[float], slow: float, fast: float) -> None:
    silence = fed(BY_NAME["silence"], gaps)
    assert silence.certain_after(max(slow, fast)) <= silence.certain_after(min(slow, fast))


IMPOSSIBLE = [math.nan, math.inf, -math.inf]
# By name: what a detector must refuse, given a number that is none.
REFUSED: list[tuple[str, str, Callable[[Any, float], object]]] = [
    ("ratio", "a ratio", lambda ratio, none: ratio.learn_one(none, 5)),
    ("ratio", "a count", lambda ratio, none: ratio.learn_one(5.0, none)),
    ("ratio", "a ratio of 0", lambda ratio, _: ratio.learn_one(0.0, 5)),
    ("ratio", "a negative count", lambda ratio, _: ratio.learn_one(5.0, -1)),
    ("drift", "a level", lambda drift, none: drift.learn_one(none, 5.0)),
    ("drift", "a reference", lambda drift, none: drift.learn_one(5.0, none)),
    ("silence", "a gap", lambda silence, none: silence.learn_one(none)),
    ("silence", "a rate", lambda silence, none: silence.certain_after(none)),
    ("hours", "a level", lambda hours, none: hours.learn_one(0.0, none)),
    ("hours", "an hour", lambda hours, none: hours.learn_one(none, 5.0)),
    ("hours", "a time", lambda hours, none: hours.expected(none)),
    ("combination", "a point", lambda usual, none: usual.learn_one((0.0, none, 0.0))),
    ("combination", "too short a point", lambda usual, _: usual.learn_one((0.0, 0.0))),
]


@pytest.mark.parametrize("none", IMPOSSIBLE)
@pytest.mark.parametrize(
    ("name", "feed"), [(name, feed) for name, _, feed in REFUSED], ids=[f"{name}: {what}" for name, what, _ in REFUSED]
)
def test_what_is_no_number_is_refused_and_changes_nothing(
    name: str, feed: Callable[[Any, float], object], none: float
) -> None:
    detector = fed(BY_NAME[name], noise(20))
    before = detector.snapshot()
    with pytest.raises(ValueError, match="finite number"):
        feed(detector, none)
    assert detector.snapshot() == before


@pytest.mark.parametrize("name", ["drift", "silence", "hours"])
def test_a_negative_number_is_refused_and_changes_nothing(name: str) -> None:
    detector = fed(BY_NAME[name], noise(20))
    before = detector.snapshot()
    with pytest.raises(ValueError, match="finite number"):
        BY_NAME[name].feed(detector, 20, -1.0)
    assert detector.snapshot() == before
