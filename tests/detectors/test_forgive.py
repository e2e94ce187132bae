"""What people expect becomes the usual: at once, and no more than that."""

from hypothesis import given
from hypothesis import strategies as st

from detectors import DriftDetector, DriftParams, RatioBaseline, RatioParams

TIMES = st.floats(3.0, 20.0)


def grown(times: float) -> RatioBaseline:
    """A ratio that has grown so many times, proven."""
    ratio = RatioBaseline(RatioParams())
    for _ in range(40):
        ratio.learn_one(500.0, 20)
    for _ in range(4):
        ratio.learn_one(500.0 * times, 20)
    assert ratio.abnormal
    return ratio


def risen(times: float) -> DriftDetector:
    """A level that has risen so many times above its reference, proven."""
    drift = DriftDetector(DriftParams())
    for _ in range(40):
        drift.learn_one(1000.0, 1000.0)
    for _ in range(6):
        drift.learn_one(1000.0 * times, 1000.0)
    assert drift.abnormal
    return drift


@given(TIMES)
def test_a_forgiven_ratio_is_the_usual_one_and_one_that_grows_further_is_not(times: float) -> None:
    ratio = grown(times)
    ratio.forgive()
    assert ratio.calm
    for _ in range(100):
        ratio.learn_one(500.0 * times, 20)
    assert ratio.calm
    for _ in range(4):
        ratio.learn_one(500.0 * times * 3, 20)
    assert ratio.abnormal


def test_a_ratio_that_fell_back_before_it_was_forgiven_keeps_its_level() -> None:
    ratio = grown(3.0)
    ratio.learn_one(250.0, 20)
    before = ratio.expected
    ratio.forgive()
    assert ratio.expected == before


@given(TIMES)
def test_a_forgiven_rise_is_the_usual_level_and_one_that_goes_on_is_not(times: float) -> None:
    drift = risen(times)
    drift.forgive()
    assert drift.calm
    for _ in range(200):
        drift.learn_one(1000.0 * times, 1000.0)
    assert drift.calm
    for _ in range(6):
        drift.learn_one(1000.0 * times * 4, 1000.0)
    assert drift.abnormal


def test_what_was_forgiven_is_forgotten_when_the_reference_has_had_time_to_follow() -> None:
    drift = risen(4.0)
    drift.forgive()
    for _ in range(10_000):
        drift.learn_one(1000.0, 1000.0)
    for _ in range(6):
        drift.learn_one(4000.0, 1000.0)
    assert drift.abnormal


@given(TIMES)
def test_forgiving_survives_a_restart_to_the_byte(times: float) -> None:
    drift, again = risen(times), DriftDetector(DriftParams())
    drift.forgive()
    again.restore(drift.snapshot())
    for one in (drift, again):
        one.learn_one(1000.0 * times, 1000.0)
    assert again.snapshot() == drift.snapshot()
