"""What people excused is not told again unless it is stronger, and not for ever."""

from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.judges.policies import Policies, WrittenPolicies
from streamer.records import Scope

SERIES = "tenant=acme#requests"
DAY = 86_400.0
SCORES = st.floats(0.5, 0.99)
TIMES = st.floats(0, 400 * DAY)
Verdict = Literal["expected", "false_alarm"]
VERDICTS: st.SearchStrategy[Verdict] = st.sampled_from(["expected", "false_alarm"])


@given(SCORES, TIMES)
def test_without_a_word_from_people_everything_is_told(score: float, at: float) -> None:
    assert Policies().allows(SERIES, Scope(), score, at)


@given(SCORES, TIMES, VERDICTS)
def test_the_same_again_is_not_told_and_only_of_that_series(score: float, at: float, verdict: Verdict) -> None:
    policies = Policies()
    policies.excuse(SERIES, verdict, score, at)
    assert not policies.allows(SERIES, Scope(), score, at)
    assert not policies.allows(SERIES, Scope(), 0.5, at)
    assert policies.allows("tenant=acme#usd", Scope(), score, at)


@given(st.floats(0.5, 0.8), TIMES, VERDICTS)
def test_what_is_clearly_stronger_is_told(score: float, at: float, verdict: Verdict) -> None:
    policies = Policies()
    policies.excuse(SERIES, verdict, score, at)
    assert policies.allows(SERIES, Scope(), 0.99, at)


@given(SCORES, TIMES, VERDICTS)
def test_an_excuse_fades(score: float, at: float, verdict: Verdict) -> None:
    policies = Policies()
    policies.excuse(SERIES, verdict, score, at)
    assert policies.allows(SERIES, Scope(), 0.51, at + 3650 * DAY)
    allowed = [policies.allows(SERIES, Scope(), score, at + day * DAY) for day in range(0, 400, 5)]
    assert allowed == sorted(allowed)


@given(SCORES, SCORES, VERDICTS, VERDICTS)
def test_a_weaker_excuse_takes_nothing_from_a_stronger_one(
    one: float, other: float, first: Verdict, second: Verdict
) -> None:
    policies = Policies()
    policies.excuse(SERIES, first, one, 0.0)
    policies.excuse(SERIES, second, other, 0.0)
    assert not policies.allows(SERIES, Scope(), max(one, other), 0.0)


@given(st.floats(1, 1e6), st.floats(0, 2e6))
def test_a_plan_covers_its_scope_until_its_end(until: float, at: float) -> None:
    policies = Policies()
    policies.plan(Scope("support"), until, 0.0)
    assert policies.allows(SERIES, Scope("support", "triage"), 0.9, at) == (at >= until)
    assert policies.allows(SERIES, Scope("support"), 0.9, at) == (at >= until)
    assert policies.allows(SERIES, Scope(), 0.9, at)
    assert policies.allows(SERIES, Scope("search"), 0.9, at)


@pytest.mark.parametrize("many", [5000])
def test_what_is_remembered_is_bounded_and_the_oldest_goes_first(many: int) -> None:
    policies = Policies()
    for number in range(many):
        policies.excuse(f"series-{number}", "expected", 0.9, 0.0)
        policies.plan(Scope(f"u{number}"), 100.0, 0.0)
    written = policies.snapshot()
    assert len(written.tolerances) <= 1000
    assert len(written.plans) <= 1000
    assert not policies.allows(f"series-{many - 1}", Scope(), 0.9, 0.0)
    assert policies.allows("series-0", Scope(), 0.9, 0.0)
    assert not policies.allows("any", Scope(f"u{many - 1}"), 0.9, 0.0)


@given(st.lists(st.tuples(st.sampled_from("abc"), VERDICTS, SCORES, TIMES)), TIMES, SCORES)
def test_a_restart_forgets_nothing(said: list[tuple[str, Verdict, float, float]], at: float, score: float) -> None:
    policies, again = Policies(), Policies()
    for series, verdict, how, when in said:
        policies.excuse(series, verdict, how, when)
        policies.plan(Scope(series), when, 0.0)
    packed = msgspec.msgpack.encode(policies.snapshot())
    again.restore(msgspec.msgpack.decode(packed, type=WrittenPolicies))
    assert msgspec.msgpack.encode(again.snapshot()) == packed
    for series in "abc":
        assert again.allows(series, Scope("other"), score, at) == policies.allows(series, Scope("other"), score, at)
        assert again.allows("any", Scope(series), score, at) == policies.allows("any", Scope(series), score, at)
