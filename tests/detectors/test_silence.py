"""Silence is certain where much should have come, and for far longer than any gap of late."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import SilenceBaseline, SilenceParams

PARAMS = SilenceParams(warm_up=5)
GAPS = st.lists(st.floats(0, 200), min_size=5, max_size=60)
RATES = st.floats(1e-3, 1e6)


def learned(gaps: list[float], params: SilenceParams = PARAMS) -> SilenceBaseline:
    silence = SilenceBaseline(params)
    for gap in gaps:
        silence.learn_one(gap)
    return silence


@settings(max_examples=100, deadline=None)
@given(GAPS, RATES)
def test_it_is_certain_only_where_all_gates_are_passed(gaps: list[float], rate: float) -> None:
    needed = learned(gaps).certain_after(rate)
    longest = max(gaps) * PARAMS.kept ** len(gaps)
    assert needed >= PARAMS.least
    assert needed >= PARAMS.margin * longest
    assert needed * rate >= PARAMS.expected * (1 - 1e-9)
    assert needed <= PARAMS.most or needed == math.inf


@settings(max_examples=60, deadline=None)
@given(GAPS, RATES, st.floats(0, 200))
def test_a_longer_gap_makes_it_certain_no_earlier(gaps: list[float], rate: float, gap: float) -> None:
    shorter, longer = learned([*gaps, min(gap, max(gaps))]), learned([*gaps, 300.0])
    assert shorter.certain_after(rate) <= longer.certain_after(rate)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 200), max_size=4), RATES)
def test_nothing_is_certain_of_a_stream_that_is_hardly_known(gaps: list[float], rate: float) -> None:
    assert learned(gaps).certain_after(rate) == math.inf


@settings(max_examples=40, deadline=None)
@given(GAPS)
def test_where_nothing_is_expected_silence_is_no_news(gaps: list[float]) -> None:
    assert learned(gaps).certain_after(0.0) == math.inf


def test_a_stream_without_gaps_is_silent_soon_and_a_slow_one_late() -> None:
    silence = learned([0.0] * 100)
    assert silence.certain_after(1000.0) == PARAMS.least
    assert silence.certain_after(0.5) == PARAMS.expected / 0.5
    assert silence.certain_after(PARAMS.expected / (PARAMS.most + 1)) == math.inf


def test_a_long_gap_fades() -> None:
    params = SilenceParams(warm_up=5, kept=0.99)
    silence = learned([100.0] + [0.0] * 5, params)
    before = silence.certain_after(1000.0)
    for _ in range(1000):
        silence.learn_one(0.0)
    assert before > 200
    assert silence.certain_after(1000.0) == params.least


def test_where_empty_windows_speak_a_gap_that_the_longest_of_so_many_does_not_explain_is_enough() -> None:
    silence = learned([15.0] + [0.0] * 100)
    # The longest of 101 gaps was 15: were their tail exponential, one of 12 / ln(102) times that comes once in e ** 12.
    rare = 15 * PARAMS.kept**100 * 12 / math.log(102)
    assert silence.certain_after(0.1) > PARAMS.evidence / 0.15 > rare
    assert silence.certain_after(0.1, 0.15) == PARAMS.evidence / 0.15
    assert silence.certain_after(0.0, 0.15) == PARAMS.evidence / 0.15
    assert silence.certain_after(0.1, 1000.0) == pytest.approx(rare)


def test_the_more_gaps_there_were_the_less_beyond_the_longest_is_needed() -> None:
    few, many = (learned([*[0.0] * count, 15.0]).certain_after(0.0, 1000.0) for count in (100, 3000))
    assert 15 * 1.25 < many < few
