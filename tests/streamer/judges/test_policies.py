"""What people called normal is let pass, for a while and up to its strength; what they planned is let pass whole."""

from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.judges.policies import Policies, WrittenPolicies
from streamer.judges.relation import contains
from streamer.records import Scope

SERIES, DAY = "tenant=acme#requests", 86_400.0
SCORES = st.floats(0.5, 0.99)
Verdict = Literal["expected", "false_alarm"]
VERDICTS: st.SearchStrategy[Verdict] = st.sampled_from(["expected", "false_alarm"])
NAMES = st.sampled_from(["", "a", "b"])
SCOPES = st.builds(Scope, NAMES, NAMES, NAMES, NAMES, NAMES)
TIMES = st.floats(0, 1e9)


def strength(score: float) -> float:
    return score / (1 - score)


def score_of(times: float) -> float:
    return times / (1 + times)


@given(st.floats(0.5, 0.99), st.sampled_from(["expected", "false_alarm"]), TIMES)
def test_the_like_is_let_pass_and_what_is_half_as_strong_again_is_told(score: float, verdict: str, at: float) -> None:
    policies = Policies()
    policies.excuse(SERIES, verdict, score, at)
    assert not policies.allows(SERIES, Scope(), score, at)
    assert policies.allows(SERIES, Scope(), score_of(1.5 * strength(score)), at)
    assert policies.allows("tenant=acme#tokens", Scope(), score, at)


@given(st.floats(0.6, 0.99), st.floats(0, 100), st.floats(0, 100))
def test_what_was_called_normal_fades(score: float, earlier: float, later: float) -> None:
    policies = Policies()
    policies.excuse(SERIES, "expected", score, 0.0)
    first, second = sorted((earlier, later))
    told = [policies.allows(SERIES, Scope(), score, days * DAY) for days in (first, second)]
    assert told == sorted(told)
    assert policies.allows(SERIES, Scope(), score, 365 * DAY)


@given(SCOPES, SCOPES, TIMES, st.floats(1, 1e6), st.floats(0.5, 1))
def test_nothing_in_a_planned_scope_is_told_until_the_plan_ends(
    plan: Scope, scope: Scope, at: float, seconds: float, score: float
) -> None:
    policies = Policies()
    policies.plan(plan, at + seconds, at)
    assert policies.allows(SERIES, scope, score, at) != contains(plan, scope)
    assert policies.planned(scope, at) == (at + seconds if contains(plan, scope) else None)
    assert policies.allows(SERIES, scope, score, at + seconds)


def test_of_the_same_scope_the_last_word_holds() -> None:
    policies = Policies()
    policies.plan(Scope("support"), 1000.0, 0.0)
    policies.plan(Scope("support"), 100.0, 10.0)
    assert policies.planned(Scope("support", "triage"), 10.0) == 100.0
    policies.plan(Scope(), 50.0, 20.0)
    assert policies.planned(Scope("support"), 20.0) == 100.0


@given(st.lists(st.tuples(SCOPES, st.floats(0, 1000), st.floats(0.5, 0.99)), max_size=20), SCOPES, st.floats(0.5, 0.99))
def test_policies_survive_being_written_down(
    words: list[tuple[Scope, float, float]], scope: Scope, score: float
) -> None:
    policies = Policies()
    for number, (planned, at, excused) in enumerate(words):
        policies.plan(planned, at + 100, at)
        policies.excuse(f"s{number % 3}", "expected", excused, at)
    written = msgspec.msgpack.encode(policies.snapshot())
    restored = Policies()
    restored.restore(msgspec.msgpack.decode(written, type=WrittenPolicies))
    assert msgspec.msgpack.encode(restored.snapshot()) == written
    for at in (0.0, 500.0, 1050.0):
        assert restored.allows("s1", scope, score, at) == policies.allows("s1", scope, score, at)


def test_what_is_kept_is_bounded() -> None:
    policies = Policies()
    for number in range(1100):
        policies.excuse(f"s{number}", "expected", 0.6, 0.0)
        policies.plan(Scope(session=f"s{number}"), 10.0, 0.0)
    written = policies.snapshot()
    assert (len(written.tolerances), len(written.plans)) == (1000, 1000)
    assert policies.planned(Scope(session="s1099"), 0.0) == 10.0


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


@given(SCORES, SCORES, VERDICTS, VERDICTS)
def test_a_weaker_excuse_takes_nothing_from_a_stronger_one(
    one: float, other: float, first: Verdict, second: Verdict
) -> None:
    policies = Policies()
    policies.excuse(SERIES, first, one, 0.0)
    policies.excuse(SERIES, second, other, 0.0)
    assert not policies.allows(SERIES, Scope(), max(one, other), 0.0)
