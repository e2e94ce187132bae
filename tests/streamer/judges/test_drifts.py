"""Volume that rises slowly is told against the same hours of other days, and beside the rest of the tenant before."""

import math
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from random import Random

import msgspec
import pytest

from streamer.config import Config
from streamer.events.usage import UsageEvent
from streamer.judges.relation import related
from streamer.pipeline import Pipeline
from streamer.records import Anomaly, Scope
from tests.streamer.judges.traffic import AGENTS, HOUR, RANKER, SOLVER, TRIAGE, Agent, calls, merged, opened
from tests.streamer.samples import NOW, event, submit

pytestmark = pytest.mark.slow

DAY = 24 * HOUR
Level = Callable[[float], float]


def wave(at: float) -> float:
    """Six times as much at noon as at midnight."""
    return 14 + 10 * math.cos(2 * math.pi * at / DAY)


def volume(agent: Agent, start: float, seconds: float, level: Level, seed: int = 1) -> list[UsageEvent]:
    """One event each half minute that counts for about `level` requests, of no price."""
    rng = Random(f"{agent}/{start}/{seed}")
    return [
        event(
            f"{agent[1]}-{at:.0f}-{seed}",
            at,
            use_case=agent[0],
            agent=agent[1],
            requests=max(1, round(level(at) * rng.lognormvariate(0, 0.15))),
        )
        for at in (start + 30.0 * n + 10 * rng.random() for n in range(round(seconds / 30)))
    ]


def together(start: float, seconds: float, **levels: Level) -> list[UsageEvent]:
    """All agents, at the usual level but for those that are named."""
    found = [one for agent in AGENTS for one in volume(agent, start, seconds, levels.get(agent[1], wave))]
    return sorted(found, key=lambda one: one.time)


def rising(since: float, per_hour: float) -> Level:
    """The usual, and from a moment on more by so much of it with each hour."""
    return lambda at: wave(at) * (1 + max(0.0, at - since) / HOUR * per_hour)


@cache
def days(count: int) -> dict[str, bytes]:
    """The state after so many days like each other."""
    pipeline = Pipeline(Config())
    assert submit(pipeline, together(0, count * DAY)) == []
    return {key: part for key, part in pipeline.changes() if part is not None}


def after(count: int, events: list[UsageEvent]) -> list[Anomaly]:
    pipeline = Pipeline(Config())
    pipeline.restore(days(count))
    return submit(pipeline, events)


@cache
def rising_day() -> tuple[list[UsageEvent], list[Anomaly]]:
    """A second day on which one agent rises, and what is said of it."""
    events = together(DAY, DAY, triage=rising(DAY, 0.2))
    return events, after(1, events)


def test_days_like_each_other_are_no_drift() -> None:
    assert after(1, together(DAY, DAY)) == []


def test_an_agent_that_rises_slowly_over_a_day_is_told_as_drift() -> None:
    _, told = rising_day()
    case = opened(told)[0]
    assert (case.kind, case.detector, case.scope) == ("drift", "drift", Scope("support", "triage"))
    assert case.observed > 1.5 * case.expected
    assert 0.5 <= case.score <= 1
    assert "requests in 30 min" in case.reason
    # Whichever speaks the louder: the rest of the tenant does so sooner.
    assert "beside the rest of the tenant" in case.reason
    assert {anomaly.kind for anomaly in told} == {"drift"}
    assert len(opened(told)) == 1


def test_a_tenant_that_rises_as_a_whole_is_one_case_of_the_whole() -> None:
    level = rising(DAY, 0.25)
    told = opened(after(1, together(DAY, DAY, triage=level, solver=level, ranker=level)))
    assert told
    assert all(case.kind == "drift" for case in told)
    assert Scope() in {case.scope for case in told}
    assert len(told) <= 2
    assert all("usual at this hour" in case.reason for case in told if case.scope == Scope())


@pytest.mark.parametrize("times", [0.3, 1.2])
def test_less_than_usual_and_a_little_more_is_no_drift(times: float) -> None:
    assert after(1, together(DAY, DAY, triage=lambda at: times * wave(at))) == []


def test_on_the_first_day_the_rest_of_the_tenant_is_the_measure() -> None:
    pipeline = Pipeline(Config())
    early = submit(pipeline, together(0, 6 * HOUR))
    assert early == []
    told = opened(submit(pipeline, together(6 * HOUR, 12 * HOUR, triage=rising(6 * HOUR, 0.35))))
    assert told
    assert (told[0].kind, told[0].scope) == ("drift", Scope("support", "triage"))
    assert "beside the rest of the tenant" in told[0].reason


def test_drift_is_over_when_the_level_is_back() -> None:
    told = after(1, together(DAY, 14 * HOUR, triage=rising(DAY, 0.25)) + together(DAY + 14 * HOUR, 16 * HOUR))
    assert opened(told)
    assert told[-1].state == "closed"
    assert told[-1].scope.agent == "triage"


def test_drift_goes_on_after_a_restart_as_if_there_had_been_none() -> None:
    events, whole = rising_day()
    cut = round(0.6 * len(events))
    first, second = Pipeline(Config()), Pipeline(Config())
    first.restore(days(1))
    told = submit(first, events[:cut])
    second.restore({**days(1), **{key: part for key, part in first.changes() if part is not None}})
    assert told + submit(second, events[cut:]) == whole


def test_agents_of_the_same_tenant_are_told_apart() -> None:
    assert {TRIAGE, SOLVER, RANKER} == set(AGENTS)
    told = opened(after(1, together(DAY, DAY, ranker=rising(DAY, 0.3))))
    assert told
    assert all(case.scope.use_case == "search" for case in told)


def test_what_rose_under_another_case_is_not_told_when_it_is_less_than_usual_by_then() -> None:
    """A loop explains what its tenant does; when it ends, so has the rise."""
    high, low = rising(DAY, 0.25), lambda at: 0.3 * wave(at)
    rise = together(DAY, 14 * HOUR, triage=high, solver=high, ranker=high)
    loop = calls(TRIAGE, DAY, 14 * 60, 60.0, same=True, session="stuck")
    fallen = together(DAY + 14 * HOUR, 4 * HOUR, triage=low, solver=low, ranker=low)
    told = opened(after(1, merged(rise, loop, fallen)))
    assert [(case.kind, case.scope.session) for case in told if related(case.scope, Scope("support", "triage"))] == [
        ("loop", "stuck")
    ]


def paid(events: list[UsageEvent], usd: str) -> list[UsageEvent]:
    """So many dollars for each request."""
    return [msgspec.structs.replace(one, cost_usd=Decimal(usd) * one.requests) for one in events]


def test_drift_has_cost_what_came_above_the_usual_while_it_stood_open() -> None:
    rise = paid(together(DAY, 14 * HOUR, triage=rising(DAY, 0.25)) + together(DAY + 14 * HOUR, 16 * HOUR), "0.01")
    told = after(1, rise)
    opening, last = opened(told)[0], told[-1]
    assert last.state == "closed"
    lasted = [one for one in rise if opening.opened_at <= one.time < last.closed_at and one.agent == "triage"]
    spent = sum(float(one.cost_usd or 0) for one in lasted)
    usual = sum(0.01 * wave(one.time.timestamp() - NOW) for one in lasted)
    assert float(last.usd_excess) == pytest.approx(spent - usual, rel=0.25)
    hour = [one for one in told if one.state != "closed" and one.observed > one.expected]
    assert all(float(one.usd_per_hour) == pytest.approx(0.02 * (one.observed - one.expected), rel=0.05) for one in hour)


def hourly(hours: int, requests: int = 5000) -> list[UsageEvent]:
    """A batch at the beginning of each hour."""
    rng = Random(3)
    return [
        event(f"batch-{hour}", HOUR * hour + 60 * rng.random(), agent="batch", requests=requests, cost_usd=Decimal(25))
        for hour in range(hours)
    ]


def test_a_batch_at_the_beginning_of_each_hour_is_no_drift() -> None:
    assert submit(Pipeline(Config()), hourly(7 * 24)) == []
