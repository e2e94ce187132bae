"""What was written down under one configuration goes on under another: nothing is lost, doubled or left standing."""

from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.clock import utc
from streamer.config import Config
from streamer.config.base import Level
from streamer.pipeline import Output, Pipeline
from streamer.pricing.book import PriceBook
from streamer.pricing.money import dollars
from streamer.records import Anomaly, Rollup, Scope
from tests.streamer.judges.history import CONFIG as HOUR_BEFORE
from tests.streamer.judges.history import NEXT, hour
from tests.streamer.judges.traffic import AGENTS, TRIAGE, requests
from tests.streamer.samples import NOW, event, submit
from tests.streamer.test_pipeline import NERVOUS, SEEDS, Step, first_of_each_id, keep, life, played
from tests.streamer.test_pipeline_feedback import word

SIZES = st.sampled_from([5.0, 10.0, 20.0, 60.0, 1800.0])


def changed(config: Config, section: str, **values: Any) -> Config:
    """A configuration with some other values in a section, such as `detect.busywork`."""
    head, _, rest = section.partition(".")
    inner = getattr(config, head)
    other = changed(inner, rest, **values) if rest else inner.model_copy(update=values)
    return config.model_copy(update={head: other})


def sized(seconds: float) -> Config:
    # So that none of the ids that come again has been forgotten.
    return changed(changed(NERVOUS, "events", duplicate_span_seconds=3600), "windows", size_seconds=seconds)


def taken_up(pipeline: Pipeline, config: Config, log: dict[str, bytes] | None = None) -> Pipeline:
    """Another pipeline that goes on from what one writes down."""
    log = {} if log is None else log
    keep(pipeline, log)
    found = Pipeline(config)
    found.restore(log)
    return found


def lived(steps: list[Step], share: float, before: Config, after: Config) -> tuple[list[Anomaly], list[Rollup]]:
    """All that is said where the configuration changes in the middle, and in the quiet that follows."""
    cut = int(share * len(steps))
    first, log = Pipeline(before), dict[str, bytes]()
    outputs, now = played(first, steps[:cut], NOW, log)
    second = taken_up(first, after, log)
    more, now = played(second, steps[cut:], now, {})
    last = [second.tick(now + 100_000), second.flush()]
    assert all(output.failed == [] for output in last)
    outputs += more + [msgspec.json.encode([output.anomalies, output.rollups]) for output in last]
    found = [msgspec.json.decode(output, type=tuple[list[Anomaly], list[Rollup]]) for output in outputs]
    return [one for said, _ in found for one in said], [one for _, rolled in found for one in rolled]


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.floats(0, 1), SIZES, SIZES)
@example(1, 0.5, 10.0, 60.0)
@example(1, 0.5, 60.0, 10.0)
@example(1, 0.5, 10.0, 1800.0)
def test_windows_may_get_another_size(seed: int, share: float, before: float, after: float) -> None:
    steps = life(seed)
    said, rolled = lived(steps, share, sized(before), sized(after))
    # Who adds rollups up tells a repeat from news by these.
    assert set(Counter((one.series, one.start, one.part) for one in rolled).values()) <= {1}
    tenants = [one for one in rolled if one.level == "tenant"]
    events = first_of_each_id(one for what, one, _ in steps if what == "submit")
    assert sum(one.events for one in tenants) == len(events)
    prices = PriceBook(NERVOUS.pricing)
    spent = sum((dollars(prices.cost(one)[0]) for one in events if one.kind != "outcome"), Decimal(0))
    assert sum((one.usd for one in tenants), Decimal(0)) == spent
    assert not standing(said)


def standing(said: list[Anomaly]) -> list[Anomaly]:
    """What is not over though nothing goes on; budgets stand until their period ends."""
    last = {one.id: one for one in said if one.kind != "budget"}
    return [one for one in last.values() if one.state != "closed"]


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.floats(0, 1), st.sampled_from([5.0, 10.0, 30.0]), st.sampled_from([5.0, 10.0, 30.0]))
@example(0, 0.5, 10.0, 30.0)
def test_no_case_of_outcomes_outlasts_a_change_of_its_slices(
    seed: int, share: float, before: float, after: float
) -> None:
    configs = (changed(NERVOUS, "detect.busywork", slice_seconds=seconds) for seconds in (before, after))
    assert not standing(lived(life(seed), share, *configs)[0])


def test_after_a_change_of_windows_the_rates_are_learned_anew_and_the_hours_of_the_week_are_kept() -> None:
    pipeline, log = Pipeline(sized(10)), dict[str, bytes]()
    for second in range(0, 3 * 3600, 10):
        pipeline.submit([event(second, second, input_tokens=100, requests=1)], NOW + second)
    again = taken_up(pipeline, sized(60), log)
    models = [next(iter(each._meters["acme"]._watch._registry)) for each in (pipeline, again)]
    assert [one.horizons.expected("tokens") > 0 for one in models] == [True, False]
    assert models[0].season
    assert models[1].season
    assert models[1].season.snapshot() == models[0].season.snapshot()
    # Steady traffic is no burst, though a window holds six times as much by now.
    found = Output()
    for second in range(3 * 3600, 4 * 3600, 10):
        found.anomalies += again.submit([event(second, second, input_tokens=100, requests=1)], NOW + second).anomalies
    assert found.anomalies == []
    # And what is written from now on is of the new size, to be taken up as it is.
    third = taken_up(again, sized(60), log)
    assert next(iter(third._meters["acme"]._watch._registry)).horizons.expected("tokens") > 0


def test_a_tenant_of_which_only_a_plan_is_known_is_taken_up_whatever_the_windows() -> None:
    pipeline = Pipeline(sized(10))
    pipeline.feedback(word("planned", 0, until=utc(NOW + 60)))
    again = taken_up(pipeline, sized(60))
    assert again.submit([event(1, 5)], NOW + 5).failed == []


@pytest.mark.parametrize(("before", "after"), [(86_400, 3600), (3600, 600), (600, 3600), (3600, 86_400)])
def test_repeats_are_known_after_the_span_of_ids_was_changed(before: float, after: float) -> None:
    first, second = (changed(NERVOUS, "events", duplicate_span_seconds=span) for span in (before, after))
    pipeline = Pipeline(first)
    events = [event(number, 10 * number) for number in range(60)]
    pipeline.submit(events, NOW + 600)
    again = taken_up(pipeline, second)
    again.submit([event("next", 601)], NOW + 601)
    again.submit(events[30:], NOW + 602)
    assert again.counts()["duplicate"] == 30


def test_ids_are_forgotten_after_the_span_that_is_configured_by_now() -> None:
    first, second = (changed(NERVOUS, "events", duplicate_span_seconds=span) for span in (600, 3600))
    pipeline, log = Pipeline(first), dict[str, bytes]()
    pipeline.submit([event(number, number) for number in range(500)], NOW + 500)
    again = taken_up(pipeline, second, log)
    again.submit([event(f"day {day}", 86_400 * day) for day in range(1, 4)], NOW + 3 * 86_400)
    assert len(again._meters["acme"]._seen) == 1
    keep(again, log)
    assert len([key for key in log if key.startswith("seen/")]) == 1


LEVELS: list[tuple[Level, ...]] = [("tenant",), ("use_case",), ("tenant", "agent")]


@pytest.mark.parametrize("levels", LEVELS)
def test_what_is_no_longer_judged_is_not_called_silent(levels: tuple[Level, ...]) -> None:
    after = Pipeline(changed(HOUR_BEFORE, "detect", levels=levels))
    after.restore(hour())
    assert submit(after, requests(AGENTS, NEXT, 3600)) == []


def test_a_case_that_stands_open_at_a_level_that_is_no_longer_judged_is_over() -> None:
    before, log = Pipeline(HOUR_BEFORE), dict(hour())
    before.restore(log)
    usual = requests(AGENTS, NEXT, 900)
    larger = [msgspec.structs.replace(one, input_tokens=9000) if one.agent == TRIAGE[1] else one for one in usual]
    (opened,) = (one for one in submit(before, larger) if one.state == "opened")
    assert (opened.kind, opened.scope.agent) == ("bloat", TRIAGE[1])
    after = taken_up(before, changed(HOUR_BEFORE, "detect", levels=("tenant",)), log)
    closed, *others = submit(after, requests(AGENTS, NEXT + 900, 60))
    assert (closed.id, closed.state) == (opened.id, "closed")
    # The whole is judged by itself by now, as it was not while its parts were.
    assert [(one.kind, one.scope) for one in others] == [("bloat", Scope())]
