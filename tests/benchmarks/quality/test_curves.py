"""Pictures show what was judged: the windows summed up, and the ceiling that stood when the alarm was opened."""

from __future__ import annotations

from math import isinf

import pytest

from benchmarks.quality.canvas import Panel, Span, draw
from benchmarks.quality.curves import Curve, Point, Seen, binned, seen
from benchmarks.quality.drive import WindowTotals
from benchmarks.quality.judge import opened
from benchmarks.quality.measure import Options, chosen

pytestmark = pytest.mark.slow

TENANT = "5-24-short-large"


@pytest.fixture(scope="module")
def ran() -> Seen:
    (scenario,) = chosen(Options(seeds=(5,), tenants=frozenset({TENANT})))
    return seen(scenario)


def test_windows_are_summed_up_in_bins_and_the_last_bin_is_whole():
    windows = [WindowTotals(10.0 * n, 1, 100, 0.5) for n in range(7)]
    assert list(binned(windows, 0.0, 69.0, 30.0)) == [WindowTotals(0.0, 3, 300, 1.5), WindowTotals(30.0, 3, 300, 1.5)]


def test_what_is_drawn_of_a_single_window_is_what_the_rollup_held(ran):
    scope, windows = next((s, w) for s, w in ran.windows.items() if s.agent)
    series = f"tenant={TENANT}/use_case={scope.use_case}/agent={scope.agent}#requests"
    curve = ran.curve(series, 1)
    assert curve.seconds == 10.0
    by_end = {point.end: point.value for point in curve.points}
    assert by_end
    assert all(by_end[w.start + 10] == w.requests for w in windows if w.start + 10 in by_end)


def test_a_minute_holds_at_least_what_its_last_window_held_and_ceilings_come_after_the_warm_up(ran):
    series = f"tenant={TENANT}#requests"
    window, minute = ran.curve(series, 1).points, ran.curve(series, 6).points
    assert all(long.value >= short.value for short, long in zip(window, minute, strict=True))
    assert isinf(minute[0].ceiling)
    assert minute[-1].ceiling > minute[-1].expected


def test_a_rate_falls_to_nothing_where_nothing_came():
    points = [Point(end, 5.0, 4.0, 20.0) for end in (10.0, 20.0, 200.0)]
    shown = [(point.end, point.value) for point in Curve("s", 60.0, points).whole(10.0)]
    assert shown == [(10.0, 5.0), (20.0, 5.0), (80.0, 0.0), (190.0, 0.0), (200.0, 5.0)]


def test_bursts_are_drawn_over_the_horizon_in_which_they_were_found(ran):
    # Those of sessions have a rate of their own, which is not traced.
    bursts = [alarm for alarm in ran.opened if alarm.kind == "burst" and not alarm.series.endswith("#sessions")]
    assert bursts
    for alarm in bursts:
        assert ran.found_in(alarm).seconds in (10, 60, 300, 1800)
        assert any(point.end <= opened(alarm) for point in ran.found_in(alarm).points)


def test_pictures_are_small_and_the_same_each_time(tmp_path):
    panel = Panel("requests", "hours", (0.0, 2.0), Span(1.0, 1.5), told=[(1.1, "burst"), (1.2, "mix")], others=[0.5])
    panel = panel.with_line("support", [0.0, 1.0, 2.0], [1.0, float("nan"), 2.0])
    for name in ("one.png", "two.png"):
        draw(tmp_path / name, "A burst, $5", "Told after 5 s: $1 for 2 tokens" * 8, [panel, panel])
    first = (tmp_path / "one.png").read_bytes()
    assert first[:4] == b"\x89PNG"
    assert len(first) < 80_000
    assert first == (tmp_path / "two.png").read_bytes()
