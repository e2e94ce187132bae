"""Busywork in the Pipeline: who is judged, what is told, and when it is over."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from streamer.config import BurstConfig, BusyworkConfig, Config, DetectConfig
from streamer.events.usage import UsageEvent
from streamer.pipeline import Pipeline
from streamer.records import Anomaly
from tests.streamer.samples import NOW, event, said, submit

QUARTER = 900.0
# Slices of a quarter of an hour, and two hours of memory.
CONFIG = Config(
    detect=DetectConfig(
        burst=BurstConfig(enabled=False), busywork=BusyworkConfig(longest_seconds=7200, lag_seconds=1800)
    )
)
SUPPORT = {"use_case": "support"}


def traffic(slices: range, outcomes: int, spent: int = 4, **fields: Any) -> Iterator[UsageEvent]:
    """So many calls of 1,000 tokens and a cent, and outcomes, in each of the slices."""
    about = "-".join(str(value) for value in fields.values())
    for number in slices:
        for call in range(spent):
            seconds = number * QUARTER + call * 50
            name = f"call-{about}-{number}-{call}"
            yield event(name, seconds, input_tokens=1000, cost_usd=Decimal("0.01"), **fields)
        for outcome in range(outcomes):
            yield event(
                f"outcome-{about}-{number}-{outcome}", number * QUARTER + 500 + outcome, kind="outcome", **fields
            )


def told(pipeline: Pipeline, *streams: Iterator[UsageEvent]) -> list[Anomaly]:
    """What is said of events of several streams, in the order of their times."""
    events = sorted((one for stream in streams for one in stream), key=lambda one: one.time)
    return submit(pipeline, events)


SERIES = "tenant=acme/use_case=support#outcomes"


def stopped(slices: int = 2, **fields: Any) -> tuple[Pipeline, list[Anomaly]]:
    """A use case of 16 outcomes an hour, which then has none."""
    pipeline = Pipeline(CONFIG)
    known = {**SUPPORT, **fields}
    assert told(pipeline, traffic(range(40), 4, **known)) == []
    return pipeline, told(pipeline, traffic(range(40, 40 + slices + 1), 0, **known))


def test_a_use_case_without_outcomes_is_told_of_when_enough_were_to_be_expected() -> None:
    _, (opened,) = stopped()
    assert said([opened]) == [("busywork", SERIES, "opened")]
    assert opened.detector == "busywork"
    assert opened.opened_at.timestamp() == NOW + 42 * QUARTER
    assert (opened.scope.use_case, opened.observed, opened.expected) == ("support", 0, pytest.approx(8, rel=0.03))
    assert opened.reason == "8,000 tokens ($0.08) in 30 min without an outcome; usual are 8 outcomes for that"
    assert opened.usd_excess == Decimal("0.08")
    # Eight calls in half an hour; the hour before has eight outcomes.
    assert opened.usd_per_hour == pytest.approx(Decimal("0.08"), rel=Decimal("0.03"))
    assert 0.5 <= opened.score < 1


def test_it_is_updated_while_it_goes_on_and_closes_when_outcomes_are_back() -> None:
    pipeline, (opened, *rest) = stopped(6)
    assert [anomaly.state for anomaly in rest] == ["updated"] * 4
    assert rest[-1].reason == "24,000 tokens ($0.24) in 1.5 h without an outcome; usual are 24 outcomes for that"
    assert (rest[-1].usd_excess, rest[-1].usd_per_hour) == (Decimal("0.24"), Decimal("0.16"))
    back = told(pipeline, traffic(range(47, 55), 4, **SUPPORT))
    assert {anomaly.id for anomaly in back} == {opened.id}
    assert [anomaly.state for anomaly in back][-1] == "closed"
    assert back[-1].closed_at is not None
    assert back[-1].closed_at.timestamp() == NOW + 49 * QUARTER
    assert back[-1].usd_excess == pytest.approx(Decimal("0.28"), rel=Decimal("0.01"))


def test_a_few_outcomes_are_counted_and_the_usual_price_is_not_held_against_them() -> None:
    pipeline = Pipeline(CONFIG)
    told(pipeline, traffic(range(40), 4, **SUPPORT))
    opened = told(pipeline, traffic(range(40, 48), 1, spent=10, **SUPPORT))[0]
    assert opened.observed == 3
    assert opened.reason == "30,000 tokens ($0.30) in 45 min for 3 outcomes; usual are 31 outcomes for that"
    assert opened.usd_excess == pytest.approx(Decimal("0.27"), rel=Decimal("0.01"))


def test_dollars_alone_are_no_busywork_for_what_became_dearer_is_another_thing() -> None:
    pipeline = Pipeline(CONFIG)
    told(pipeline, traffic(range(40), 4, **SUPPORT))
    dear = [
        msgspec.structs.replace(one, cost_usd=Decimal("0.1")) if one.cost_usd else one
        for one in traffic(range(40, 80), 4, **SUPPORT)
    ]
    assert [anomaly for anomaly in told(pipeline, iter(dear)) if anomaly.kind == "busywork"] == []


def test_who_never_sends_outcomes_is_not_judged() -> None:
    pipeline = Pipeline(CONFIG)
    quiet = traffic(range(80), 0, use_case="research")
    assert told(pipeline, traffic(range(80), 4, **SUPPORT), quiet) == []
    assert [key for key, _ in pipeline.changes() if key.startswith("busywork/")] == [
        "busywork/4/acme/tenant=acme/use_case=support"
    ]


def test_an_agent_is_judged_where_outcomes_name_it() -> None:
    _, opened = stopped(agent="triage")
    assert {anomaly.series for anomaly in opened} == {
        SERIES,
        "tenant=acme/use_case=support/agent=triage#outcomes",
    }


def test_a_tenant_is_judged_where_its_outcomes_name_no_use_case() -> None:
    pipeline = Pipeline(CONFIG)
    told(pipeline, traffic(range(40), 0, **SUPPORT), traffic(range(40), 4, spent=0))
    (opened,) = told(pipeline, traffic(range(40, 43), 0, **SUPPORT))
    assert (opened.series, opened.scope.use_case) == ("tenant=acme#outcomes", "")


def test_where_nothing_has_a_price_tokens_are_judged() -> None:
    pipeline = Pipeline(CONFIG)

    def unpriced(slices: range, outcomes: int) -> Iterator[UsageEvent]:
        for one in traffic(slices, outcomes, **SUPPORT):
            yield event(one.id, time=one.time, kind=one.kind, input_tokens=one.input_tokens, **SUPPORT)

    told(pipeline, unpriced(range(40), 4))
    (opened,) = told(pipeline, unpriced(range(40, 43), 0))
    assert opened.reason == "8,000 tokens in 30 min without an outcome; usual are 8 outcomes for that"
    assert opened.usd_excess == opened.usd_per_hour == 0


def test_outcomes_that_come_late_count_for_the_time_at_which_they_come() -> None:
    pipeline = Pipeline(CONFIG)
    told(pipeline, traffic(range(40), 4, **SUPPORT))
    for number in range(40, 60):
        calls = list(traffic(range(number, number + 1), 0, **SUPPORT))
        late = [event(f"late-{number}-{n}", number * QUARTER - 1800, kind="outcome", **SUPPORT) for n in range(4)]
        assert submit(pipeline, calls) == []
        assert pipeline.submit(late, calls[-1].time.timestamp()).anomalies == []
    assert pipeline.counts()["late"] == 80


def test_it_closes_by_the_clock_when_nothing_is_spent_any_more() -> None:
    pipeline, (opened,) = stopped()
    ends = [anomaly for hour in range(1, 5) for anomaly in pipeline.tick(NOW + 43 * QUARTER + hour * 3600).anomalies]
    assert ends[-1].id == opened.id
    assert ends[-1].state == "closed"
    assert ends[-1].closed_at is not None
    assert ends[-1].closed_at.timestamp() == NOW + 51 * QUARTER


@pytest.mark.parametrize("cut", [0, 3, 39, 41, 44, 47])
def test_a_restart_between_any_two_slices_changes_nothing(cut: int) -> None:
    def everything(slices: range) -> Iterator[UsageEvent]:
        for number in slices:
            yield from traffic(range(number, number + 1), 0 if 40 <= number < 46 else 4, agent="triage", **SUPPORT)

    whole, first = Pipeline(CONFIG), Pipeline(CONFIG)
    expected = told(whole, everything(range(60)))
    begin = told(first, everything(range(cut)))
    again = Pipeline(CONFIG)
    again.restore({key: part for key, part in first.changes() if part is not None})
    assert begin + told(again, everything(range(cut, 60))) == expected
    assert {anomaly.state for anomaly in expected} == {"opened", "updated", "closed"}


def test_past_the_bound_the_least_recently_active_is_forgotten() -> None:
    busywork = CONFIG.detect.busywork.model_copy(update={"max_series": 10, "levels": ("use_case",)})
    pipeline = Pipeline(CONFIG.model_copy(update={"detect": CONFIG.detect.model_copy(update={"busywork": busywork})}))
    for number in range(30):
        told(pipeline, traffic(range(number, number + 1), 1, use_case=f"u{number}"))
    kept = {key: part for key, part in pipeline.changes() if key.startswith("busywork/")}
    assert len([part for part in kept.values() if part is not None]) == 10


def test_it_can_be_switched_off() -> None:
    off = CONFIG.model_copy(update={"detect": DetectConfig(busywork=BusyworkConfig(enabled=False))})
    pipeline = Pipeline(off)
    told(pipeline, traffic(range(40), 4, **SUPPORT))
    assert [a for a in told(pipeline, traffic(range(40, 50), 0, **SUPPORT)) if a.kind == "busywork"] == []
