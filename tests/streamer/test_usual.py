"""What closed windows say beside their totals: what was usual, and what was sent again."""

from decimal import Decimal

import msgspec

from streamer.config import BurstConfig, Config, DetectConfig
from streamer.events.usage import UsageEvent
from streamer.pipeline import Pipeline
from streamer.records import Rollup
from tests.streamer.samples import NOW, event

# A window of ten seconds is judged once two minutes of them are known.
SOON = Config(detect=DetectConfig(burst=BurstConfig(warm_up_seconds=120)))


def rollups(pipeline: Pipeline, windows: range, requests: int = 20) -> list[Rollup]:
    """Submit so many requests in each of some windows; gives the tenant's rollups."""
    events = [
        event(f"{number}.{one}", seconds=10.0 * number, requests=1, input_tokens=100, cost_usd=Decimal("0.01"))
        for number in windows
        for one in range(requests)
    ]
    return [one for one in pipeline.submit(events, NOW + 10 * windows.stop).rollups if one.level == "tenant"]


def test_the_first_window_of_each_minute_says_what_it_was_judged_by() -> None:
    told = [one for one in rollups(Pipeline(SOON), range(60)) if one.usual]
    assert [(one.start.minute, one.start.second) for one in told] == [(minute, 0) for minute in range(2, 10)]
    usual = told[-1].usual
    assert usual
    assert set(usual) == {"tokens", "requests", "usd"}
    for metric, value in (("requests", 20.0), ("tokens", 2000.0), ("usd", 0.2)):
        of_it = usual[metric]  # type: ignore[index]
        assert of_it.low < of_it.expected < of_it.high <= of_it.ceiling
        assert abs(of_it.expected - value) < 0.05 * value


def test_a_window_far_beyond_the_ceiling_that_was_told_is_a_burst() -> None:
    pipeline = Pipeline(SOON)
    usual = [one for one in rollups(pipeline, range(60)) if one.usual][-1].usual
    assert usual
    below, above = 0.9 * usual["requests"].ceiling, 1.3 * usual["requests"].ceiling
    assert not pipeline.submit(_burst(60, int(below)), NOW + 610).anomalies
    assert [one.kind for one in pipeline.submit(_burst(64, int(above)), NOW + 650).anomalies] == ["burst"]


def test_a_model_and_what_is_still_being_learned_have_no_band() -> None:
    pipeline = Pipeline(SOON)
    assert not any(one.usual for one in rollups(pipeline, range(11)))
    more = [event(f"m{n}", seconds=120.0 + 10 * n, model="gpt-4o", input_tokens=9) for n in range(20)]
    found = pipeline.submit(more, NOW + 400).rollups
    assert {one.level for one in found if one.level == "model"} == {"model"}
    assert not any(one.usual for one in found if one.level == "model")


def test_repeats_are_told_with_the_tenants_next_rollup_once_and_over_a_restart() -> None:
    pipeline = Pipeline(SOON)
    first = event(1, seconds=1.0, input_tokens=5)
    pipeline.submit([first, first, first], NOW + 2)
    again = Pipeline(SOON)
    again.restore({key: part for key, part in pipeline.changes() if part})
    for one in (pipeline, again):
        told = one.submit([event(2, seconds=60.0), event(3, seconds=90.0)], NOW + 90).rollups
        assert [(found.level, found.repeats) for found in told if found.repeats] == [("tenant", 2)]
    assert b"repeats" not in msgspec.json.encode(told[-1])


def _burst(window: int, many: int) -> list[UsageEvent]:
    return [event(f"b{window}.{n}", seconds=10.0 * window + n / many, requests=1, input_tokens=1) for n in range(many)]
