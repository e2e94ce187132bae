"""The demo's screen: bars, and lines where there is no terminal."""

import io
from collections import deque
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from streamer.demo.screen import Screen, bars
from streamer.demo.story import Story

BLOCKS = "▁▂▃▄▅▆▇█"


@given(st.lists(st.floats(0, 1e9), max_size=40))
def test_a_bar_for_each_rate_and_the_highest_for_the_greatest(rates: list[float]) -> None:
    drawn = bars(rates)
    assert len(drawn) == len(rates)
    assert set(drawn) <= set(BLOCKS)
    if max(rates, default=0) > 1e-6:
        assert drawn[rates.index(max(rates))] == BLOCKS[-1]


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=40))
def test_a_greater_rate_has_no_lower_bar(rates: list[float]) -> None:
    drawn = bars(sorted(rates))
    assert all(BLOCKS.index(lower) <= BLOCKS.index(higher) for lower, higher in pairwise(drawn))


def test_no_spend_is_a_flat_line() -> None:
    assert bars([0, 0, 0]) == "▁▁▁"
    assert bars([]) == ""


def test_credits_do_not_break_the_bars() -> None:
    assert bars([-1000, -5, 0, 4]) == "▁▁▁█"


def test_without_a_terminal_everything_is_a_line() -> None:
    page = io.StringIO()
    story = Story(lambda _: None)
    with Screen(Console(file=page, width=40)) as screen:
        screen.say("news with [markup] and a long tail of words that is not broken")
        screen.message("what the owner is told")
        story.rates["acme"] = deque([1.0, 2.0])
        screen.rates(story)
        screen.draw(story)
    lines = page.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("news with [markup] and a long tail of words that is not broken")
    assert lines[2].endswith("acme            2.00 $/h  ▄█")


def test_on_a_terminal_the_page_shows_all_steps() -> None:
    page = io.StringIO()
    story = Story(lambda _: None)
    with Screen(Console(file=page, width=200, height=60, force_terminal=True)) as screen:
        screen.say("news")
        screen.draw(story)
    assert "closing notice" in page.getvalue()
    assert "news" in page.getvalue()
