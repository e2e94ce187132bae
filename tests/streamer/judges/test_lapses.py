"""A case that only further usage would end is over when none has come for a day."""

import pytest

from streamer.pipeline import Pipeline
from streamer.records import Anomaly
from tests.streamer.judges.history import CONFIG, NEXT, hour, pipeline
from tests.streamer.judges.traffic import HOUR, RANKER, SOLVER, TRIAGE, merged, opened, requests
from tests.streamer.samples import NOW, submit

DAY = 24 * HOUR
BLOATED = requests([TRIAGE], NEXT, HOUR / 2, tokens=8000)
LAST = BLOATED[-1].time.timestamp()


def of_size(anomalies: list[Anomaly]) -> list[Anomaly]:
    return [anomaly for anomaly in anomalies if anomaly.series.endswith("#size")]


def bloated() -> Pipeline:
    """A tenant with an agent that was switched off while its requests were too large."""
    after = pipeline()
    assert len(opened(of_size(submit(after, BLOATED)))) == 1
    return after


def ticked(after: Pipeline, until: float, step: float) -> list[Anomaly]:
    """What is said as time passes by steps."""
    moments = [LAST + step * n for n in range(1, round((until - LAST) / step) + 1)]
    return of_size([anomaly for at in moments for anomaly in after.tick(at).anomalies])


@pytest.mark.parametrize("step", [60.0, 7 * HOUR, 30 * HOUR])
def test_the_bloat_of_an_agent_that_was_switched_off_is_over_after_a_day_without_it(step: float) -> None:
    after = bloated()
    (closed,) = ticked(after, LAST + 30 * HOUR, step)
    assert closed.state == "closed"
    assert closed.closed_at is not None
    assert DAY <= closed.closed_at.timestamp() - LAST <= DAY + 30


@pytest.mark.slow
def test_so_it_is_while_the_rest_of_the_tenant_goes_on() -> None:
    after, others = bloated(), requests([SOLVER, RANKER], NEXT + HOUR / 2, 26 * HOUR, every=20.0)
    (closed,) = [one for one in of_size(submit(after, others)) if one.state == "closed"]
    assert closed.scope.agent == "triage"


def test_until_then_it_stands() -> None:
    assert ticked(bloated(), LAST + DAY - 60, HOUR) == []


@pytest.mark.parametrize("tokens", [1000.0, 8000.0])
def test_who_comes_back_is_weighed_anew(tokens: float) -> None:
    after = bloated()
    ticked(after, LAST + 2 * DAY, DAY)
    back = requests([SOLVER, RANKER], LAST - NOW + 2 * DAY, HOUR / 2)
    told = of_size(submit(after, merged(back, requests([TRIAGE], LAST - NOW + 2 * DAY, HOUR / 2, tokens=tokens))))
    assert len(opened(told)) == (tokens > 1000)


def test_a_tenant_whose_case_has_lapsed_is_visited_no_more() -> None:
    after = bloated()
    ticked(after, LAST + 2 * DAY, HOUR)
    after.tick(LAST + 2 * DAY + 1)
    assert after.due == float("inf")


def test_a_restart_before_it_changes_nothing() -> None:
    first, second = bloated(), Pipeline(CONFIG)
    second.restore({**hour(), **{key: part for key, part in first.changes() if part is not None}})
    assert ticked(second, LAST + 2 * DAY, HOUR) == ticked(bloated(), LAST + 2 * DAY, HOUR)
