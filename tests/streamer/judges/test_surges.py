"""More sessions than usual are one burst, told sooner than their requests show, and by what part of the tenant."""

from decimal import Decimal

import pytest

from streamer.events.usage import UsageEvent
from streamer.judges.begun import Begun
from streamer.pipeline import Pipeline
from streamer.records import Anomaly, Scope
from streamer.windows.shape import Shape
from tests.streamer.judges.history import CONFIG, NEXT, said
from tests.streamer.judges.traffic import AGENTS, HOUR, TRIAGE, merged, opened, requests
from tests.streamer.samples import submit

# A request each 20 seconds or so, each a session of its own.
THIN = [request for agent in AGENTS for request in requests([agent], NEXT, 10_800, every=20.0, session="")]
AT = NEXT + 7200


def during(*planted: list[UsageEvent]) -> list[Anomaly]:
    """What is said of thin streams, with something planted in them."""
    return said(merged(sorted(THIN, key=lambda event: event.time), *planted))


def test_a_burst_too_thin_for_any_ceiling_is_told_with_its_scope_what_was_usual_and_why() -> None:
    case, *_, closed = during(requests([TRIAGE], AT, 600, every=3.0, session=""))
    assert (case.kind, case.detector, case.scope) == ("burst", "rate", Scope("support", "triage"))
    assert case.opened_at.timestamp() <= merged(requests([TRIAGE], AT, 600))[0].time.timestamp() + 180
    assert " sessions or single requests began in " in case.reason
    assert "100% model gpt-4o" in case.reason
    assert case.observed > 2.5 * case.expected > 0
    assert case.usd_per_hour > 0
    assert closed.state == "closed"
    # 200 requests of about 1,000 tokens at $20 a million, above 30 usual ones.
    assert Decimal(2) < closed.usd_excess < Decimal(5)


def test_what_more_sessions_cost_is_held_against_what_was_usual_before_however_long_they_come() -> None:
    begin = 8 * HOUR
    flood = requests([TRIAGE], begin, 2 * HOUR, every=40 / 7, seed=9)
    told = submit(Pipeline(CONFIG), merged(requests(AGENTS, 0, begin + 3 * HOUR, every=40.0, seed=3), flood))
    closed = next(one for one in told if one.kind == "burst" and one.state == "closed")
    assert closed.series.endswith("#sessions")
    assert closed.closed_at is not None
    while_it_stood = sum(one.cost_usd or 0 for one in flood if one.time <= closed.closed_at)
    assert closed.usd_excess == pytest.approx(while_it_stood, rel=Decimal("0.15"))


def test_thin_streams_as_they_are_are_not_told() -> None:
    assert not opened(during())


def test_a_session_counts_where_it_begins_and_once_more_when_it_was_long_silent() -> None:
    begun = Begun(memory=30)
    one, two = Shape("one", 4, 7.0, None), Shape("two", 1, 7.0, None)
    assert begun.count([one, two], 100) == begun.count([one, two], 100) == 2
    assert begun.count([one], 120) == 0
    assert begun.count([one, two], 131) == 1


def test_a_session_that_asks_several_models_begins_once() -> None:
    dear, cheap = Shape("one", 1, 7.0, -11.0), Shape("one", 3, 7.0, -14.0)
    assert Begun(memory=30).count([dear, cheap], 100) == 1


def test_requests_that_name_no_session_add_up_over_models() -> None:
    dear, cheap = Shape("", 1, 7.0, -11.0), Shape("", 3, 7.0, -14.0)
    assert Begun(memory=30).count([dear, cheap], 100) == 4


def test_sessions_are_remembered_over_a_restart() -> None:
    begun, other = Begun(memory=30), Begun(memory=30)
    begun.count([Shape("one", 1, 7.0, None)], 100)
    other.restore(begun.snapshot())
    assert other.count([Shape("one", 1, 7.0, None)], 101) == 0
    assert begun.count([Shape("one", 1, 7.0, None)], 101) == 0
    assert other.snapshot() == begun.snapshot()


def test_requests_that_name_no_session_are_each_a_beginning() -> None:
    assert Begun(memory=30).count([Shape("", 7, 7.0, None)], 1) == 7
