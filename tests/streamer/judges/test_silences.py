"""A stream that has stopped is told once, as a whole, and is over when it comes back."""

import math

import pytest

from streamer.pipeline import Pipeline
from streamer.records import Scope
from tests.streamer.judges.history import CONFIG, NEXT, pipeline, said
from tests.streamer.judges.traffic import AGENTS, HOUR, RANKER, SOLVER, TRIAGE, calls, merged, opened, requests, written
from tests.streamer.samples import submit

A_MINUTE = requests(AGENTS, NEXT, 60)


def test_the_silence_of_a_whole_tenant_is_told_once_and_not_for_each_agent() -> None:
    (told,) = said(A_MINUTE, until=HOUR)
    assert (told.kind, told.state, told.scope) == ("silence", "opened", Scope())
    assert told.observed == 0
    assert told.expected >= CONFIG.detect.silence.expected
    assert told.score >= 0.5
    assert told.reason.startswith("nothing for ")
    assert "are usual" in told.reason


def test_it_is_told_soon_and_not_before_it_is_certain() -> None:
    (told,) = said(A_MINUTE, until=HOUR)
    quiet = told.opened_at.timestamp() - A_MINUTE[-1].time.timestamp()
    assert CONFIG.detect.silence.least_windows * 10 <= quiet <= 120


def test_it_is_over_when_events_come_back() -> None:
    back = requests(AGENTS, NEXT + 1200, 60)
    told = said(A_MINUTE + back)
    assert [anomaly.state for anomaly in told] == ["opened", "closed"]
    assert told[0].id == told[1].id
    assert told[1].closed_at is not None
    assert told[1].closed_at.timestamp() == back[0].time.timestamp() // 10 * 10


def test_an_agent_that_stops_while_others_go_on_is_told_by_its_name() -> None:
    others = requests([SOLVER, RANKER], NEXT + 60, 600)
    (told,) = said(A_MINUTE + others)
    assert (told.kind, told.scope) == ("silence", Scope("support", "triage"))


def test_agents_that_stop_together_are_one_silence_of_their_use_case() -> None:
    (told,) = said(A_MINUTE + requests([RANKER], NEXT + 60, 900))
    assert (told.kind, told.scope) == ("silence", Scope("support"))


def test_a_second_silence_is_told_as_the_first_one_was() -> None:
    told = said(A_MINUTE + requests(AGENTS, NEXT + 600, 300), until=HOUR)
    assert [anomaly.state for anomaly in told] == ["opened", "closed", "opened"]


def test_a_stream_that_often_pauses_is_not_silent_when_it_pauses_again() -> None:
    """Ten minutes of requests, ten of none, for six hours."""
    events = [one for n in range(18) for one in requests([TRIAGE], 1200.0 * n, 600)]
    after = Pipeline(CONFIG)
    told = submit(after, events)
    assert told == []
    assert after.tick(events[-1].time.timestamp() + 900).anomalies == []
    assert [anomaly.kind for anomaly in after.tick(events[-1].time.timestamp() + HOUR).anomalies] == ["silence"]


def test_of_a_stream_that_is_hardly_known_silence_is_no_news() -> None:
    after = Pipeline(CONFIG)
    assert submit(after, requests(AGENTS, 0, 300)) == []
    assert after.tick(requests(AGENTS, 0, 300)[-1].time.timestamp() + HOUR).anomalies == []


def test_once_told_a_silent_tenant_is_no_longer_visited() -> None:
    after = pipeline()
    submit(after, A_MINUTE)
    assert after.tick(A_MINUTE[-1].time.timestamp() + HOUR).anomalies
    after.tick(A_MINUTE[-1].time.timestamp() + HOUR + 1)
    assert after.due == math.inf


def test_an_agent_that_was_given_up_hides_no_burst_of_others() -> None:
    """Its silence stays open, perhaps for ever; what else happens in its use case is told all the same."""
    others = requests([SOLVER, RANKER], NEXT, 600)
    flood = requests([("support", "new")], NEXT + 300, 60, every=0.1)
    told = opened(said(merged(others, flood)))
    assert [anomaly.kind for anomaly in told] == ["silence", "burst"]
    assert told[1].scope == Scope("support", "new")


def test_an_agent_that_dies_in_a_burst_is_told_to_be_silent() -> None:
    others = requests([SOLVER, RANKER], NEXT, 900)
    last = merged(requests([TRIAGE], NEXT, 180), requests([TRIAGE], NEXT + 120, 60, every=0.1))
    told = opened(said(merged(others, last)))
    assert [(anomaly.kind, anomaly.scope.agent) for anomaly in told] == [("burst", "triage"), ("silence", "triage")]


@pytest.mark.slow
def test_an_agent_that_only_calls_tools_is_told_to_be_silent_after_hours_as_well() -> None:
    """What is usual at an hour is known of requests; here there are none."""
    after = Pipeline(CONFIG)
    steady = [one for n in range(110) for one in calls(("jobs", "crawler"), 900.0 * n, 60, 15.0)]
    after.restore(written(Pipeline(CONFIG), steady))
    (told,) = after.tick(steady[-1].time.timestamp() + HOUR).anomalies
    assert (told.kind, told.scope) == ("silence", Scope())
