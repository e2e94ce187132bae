"""A tenant that was alarmed often of late is asked for more before it is alarmed again."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import FatigueConfig
from streamer.judges.fatigue import Fatigue
from streamer.judges.policies import Tolerance
from streamer.records import AnomalyKind

HOUR = 3600.0
BY_CHANCE: tuple[AnomalyKind, ...] = ("burst", "drift", "bloat", "mix")
EXACT = tuple(kind for kind in get_args(AnomalyKind) if kind not in BY_CHANCE)
KINDS = st.sampled_from(get_args(AnomalyKind))
SCORES = st.floats(0, 1)
TOLD = st.lists(st.tuples(KINDS, st.floats(0, 48 * HOUR)), max_size=20)


def tired(config: FatigueConfig, told: list[tuple[AnomalyKind, float]]) -> Fatigue:
    """What is asked after these alarms, each at its time."""
    fatigue = Fatigue(config)
    for kind, at in sorted(told, key=lambda one: one[1]):
        fatigue.tell(kind, at)
    return fatigue


@given(KINDS, SCORES)
def test_the_first_of_a_kind_is_told_however_strong_it_is(kind: AnomalyKind, score: float) -> None:
    assert Fatigue(FatigueConfig()).allows(kind, score, 0.0)


@pytest.mark.parametrize("kind", BY_CHANCE)
def test_each_alarm_asks_more_of_the_next_of_its_kind(kind: AnomalyKind) -> None:
    fatigue = Fatigue(FatigueConfig(step=0.5, most=2.5))
    for strength in (1.0, 1.5, 2.0, 2.5):
        barely = strength / (1 + strength)
        assert fatigue.allows(kind, barely + 1e-6, 0.0)
        assert strength == 1.0 or not fatigue.allows(kind, barely - 1e-6, 0.0)
        fatigue.tell(kind, 0.0)


@pytest.mark.parametrize("kind", EXACT)
def test_what_is_exact_or_was_proven_is_always_told(kind: AnomalyKind) -> None:
    fatigue = tired(FatigueConfig(), [(kind, float(n)) for n in range(9)])
    assert fatigue.allows(kind, 0.5, 10.0)


@given(TOLD, SCORES)
def test_alarms_of_one_kind_ask_nothing_of_another(told: list[tuple[AnomalyKind, float]], score: float) -> None:
    others = tired(FatigueConfig(), [one for one in told if one[0] != "burst"])
    assert others.allows("burst", score, 48 * HOUR)


@given(TOLD, KINDS)
def test_what_is_strong_enough_for_the_bound_is_told_whatever_came_before(
    told: list[tuple[AnomalyKind, float]], kind: AnomalyKind
) -> None:
    config = FatigueConfig(most=1.8)
    assert tired(config, told).allows(kind, 1.8 / 2.8 + 1e-9, 48 * HOUR)


def test_half_of_the_rise_is_left_after_its_half_life() -> None:
    fatigue = tired(FatigueConfig(step=0.8, most=1.8, half_life_seconds=HOUR), [("burst", 0.0)])
    score = 1.4 / 2.4
    assert not fatigue.allows("burst", score, HOUR - 60)
    assert fatigue.allows("burst", score, HOUR + 60)


@given(TOLD, SCORES)
def test_without_a_step_nothing_is_asked_of_what_is_abnormal(
    told: list[tuple[AnomalyKind, float]], score: float
) -> None:
    assert tired(FatigueConfig(step=0), told).allows("burst", max(0.5, score), 48 * HOUR)


@given(TOLD, KINDS, SCORES, st.floats(48 * HOUR, 96 * HOUR))
def test_it_is_remembered_over_a_restart(
    told: list[tuple[AnomalyKind, float]], kind: AnomalyKind, score: float, at: float
) -> None:
    before, after = tired(FatigueConfig(), told), Fatigue(FatigueConfig())
    written = msgspec.msgpack.encode(before.snapshot())
    after.restore(msgspec.msgpack.decode(written, type=list[tuple[AnomalyKind, Tolerance]]))
    assert msgspec.msgpack.encode(after.snapshot()) == written
    assert after.allows(kind, score, at) == before.allows(kind, score, at)
