"""Checkpoints come at once for whom they are waited for, and else seldom enough to cost little."""

from collections.abc import Callable
from functools import partial

from streamer.kafka.pace import Pace as SharedPace
from streamer.kafka.stage import AT_ONCE, LATER, SOON

Pace: Callable[..., SharedPace] = partial(SharedPace, runners=lambda: 4)


def test_without_anything_urgent_a_checkpoint_comes_each_interval() -> None:
    pace = Pace(1.0, now=10.0)
    pace.ask(LATER, 10.5)
    assert pace.due == 11.0
    pace.begun()
    pace.ran(0.01, ended=11.01)
    assert pace.due == 12.01


def test_a_checkpoint_that_takes_long_is_followed_by_twenty_times_as_long_a_rest() -> None:
    pace = Pace(1.0, now=0.0)
    pace.ran(0.25, ended=1.5)
    assert pace.due == 6.5


def test_what_is_urgent_waits_for_no_rest() -> None:
    pace = Pace(1.0, now=0.0)
    pace.ran(0.5, ended=1.5)
    assert not pace.hurried
    pace.ask(AT_ONCE, 1.6)
    assert (pace.due, pace.hurried) == (1.6, True)
    pace.begun()
    assert not pace.hurried


def test_what_is_wanted_soon_waits_a_moment_for_company() -> None:
    pace = Pace(1.0, now=0.0)
    pace.ask(SOON, 0.5)
    pace.ask(SOON, 0.54)
    assert pace.due == 0.5 + SOON
    pace.begun()
    pace.ran(0.1, ended=0.65)
    pace.ask(SOON, 0.66)
    assert round(pace.due, 6) == 0.85


def test_what_is_asked_for_while_a_checkpoint_runs_is_for_the_next() -> None:
    pace = Pace(1.0, now=0.0)
    pace.ask(AT_ONCE, 0.1)
    pace.begun()
    pace.ask(AT_ONCE, 0.2)
    pace.ran(0.2, ended=0.3)
    assert pace.due == 0.2


def test_no_rest_is_longer_than_five_seconds() -> None:
    pace = Pace(1.0, now=0.0)
    pace.ran(5.0, ended=6.0)
    assert pace.due == 11.0


def test_what_somebody_waits_for_puts_off_nothing_else() -> None:
    pace = Pace(1.0, now=0.0)
    pace.ran(0.5, ended=0.9, hurried=True)
    assert pace.due == 1.0


def test_what_is_put_off_for_long_takes_its_turn() -> None:
    pace = Pace(1.0, now=0.0)
    assert not pace.is_late(1.9)
    assert pace.is_late(2.0)


def test_runners_share_what_time_checkpoints_may_take() -> None:
    for many, due in ((1, 1.5), (8, 5.0)):
        pace = SharedPace(0.1, now=0.0, runners=partial(int, many))
        pace.ran(0.1, ended=1.0, more=True)
        assert pace.due == due


def test_slices_rest_twenty_times_their_work_and_rounds_the_interval() -> None:
    pace = Pace(1.0, now=0.0)
    pace.ran(0.01, ended=1.0, more=True)
    assert pace.due == 1.2
    pace.ran(0.01, ended=1.25)
    assert pace.due == 2.25


def test_the_slices_of_a_round_that_takes_long_rest_no_more() -> None:
    pace = Pace(1.0, now=0.0)
    pace.ran(0.2, ended=1.0, more=True)
    assert pace.due == 5.0
    pace.ran(0.2, ended=5.5, more=True)
    assert pace.due == 6.0
    pace.ran(0.2, ended=6.5, more=True)
    assert pace.due == 6.5
    pace.ran(0.2, ended=7.0)
    assert pace.due == 11.0
