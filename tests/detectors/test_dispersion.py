"""How much a count swings is learned from many spans, and not from the first one."""

import pytest

from detectors import Dispersion, DispersionParams

SPAN = 30


def learned(*halves: float) -> Dispersion:
    """The index after spans that each held so many times what was expected."""
    dispersion = Dispersion(DispersionParams(spans=(SPAN,)))
    for times in halves:
        for _ in range(SPAN):
            dispersion.learn_one(times, 1.0)
    return dispersion


def test_one_span_that_was_far_off_says_little_of_what_is_usual() -> None:
    """Its own index would be thirty."""
    assert learned(2.0).over(SPAN) < 10


@pytest.mark.parametrize("times", [0.5, 1.5, 2.0])
def test_many_that_were_far_off_are_what_is_usual(times: float) -> None:
    own = SPAN * (times - 1) ** 2
    assert learned(*[times] * 60).over(SPAN) == pytest.approx(own, rel=0.1)


def test_what_swings_over_long_spans_has_no_part_in_short_ones() -> None:
    dispersion = Dispersion(DispersionParams(spans=(2, SPAN)))
    for window in range(60 * SPAN):
        dispersion.learn_one(2.0 * (window // SPAN % 2), 1.0)
    assert dispersion.over(2) < dispersion.over(SPAN) / 4
    assert dispersion.value == dispersion.over(SPAN)
