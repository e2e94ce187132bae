"""A burst is one case, about the smallest part that is behind it, and told once."""

from decimal import Decimal
from random import Random

import pytest

from streamer.config import Config
from streamer.events.usage import UsageEvent
from streamer.pipeline import Pipeline
from streamer.records import Anomaly, Scope
from tests.streamer.judges.history import CONFIG, NEXT, pipeline, said
from tests.streamer.judges.traffic import AGENTS, HOUR, RANKER, SOLVER, TRIAGE, calls, merged, opened, requests
from tests.streamer.samples import event, submit

USUAL = requests(AGENTS, NEXT, 1800)
AT = NEXT + 120


def during(*planted: list[UsageEvent]) -> list[Anomaly]:
    """What is said while the usual goes on for half an hour, with something planted in it."""
    return said(merged(USUAL, *planted))


def test_a_burst_of_one_agent_is_one_case_with_its_scope_though_all_above_it_and_several_metrics_pass() -> None:
    told = during(requests([TRIAGE], AT, 60, every=0.1))
    (case,) = opened(told)
    assert {anomaly.id for anomaly in told} == {case.id}
    assert (case.kind, case.detector, case.scope) == ("burst", "rate", Scope("support", "triage"))
    assert case.series.startswith("tenant=acme/use_case=support/agent=triage#")
    assert [anomaly.state for anomaly in told][-1] == "closed"


def test_it_carries_what_a_person_needs() -> None:
    told = during(requests([TRIAGE], AT, 60, every=0.1))
    case, worst, closed = told[0], max(told, key=lambda anomaly: anomaly.observed), told[-1]
    assert case.observed > 3 * case.expected > 0
    assert 0.5 <= case.score <= 1
    assert case.usd_per_hour > 0
    assert "in 10 s, " in case.reason
    assert " times the usual " in case.reason
    assert worst.observed > case.observed
    # 600 requests of about 1,000 tokens at $20 a million.
    assert closed.usd_excess == pytest.approx(Decimal(12), rel=Decimal("0.15"))
    assert closed.usd_per_hour == 0


@pytest.mark.parametrize("every", [0.5, 0.2])
def test_what_it_has_cost_is_held_against_what_was_usual_before_it_however_long_it_lasts(every: float) -> None:
    """Half an hour makes the level usual, in part."""
    flood = requests([TRIAGE], AT, 1800, every=every)
    told = said(merged(requests(AGENTS, NEXT, 3600), flood))
    assert len(opened(told)) == 1
    assert told[-1].state == "closed"
    truth = sum(one.cost_usd or 0 for one in flood)
    assert told[-1].usd_excess == pytest.approx(truth, rel=Decimal("0.1"))


def test_its_causes_are_ranked_and_said_in_the_reason() -> None:
    flood = requests([TRIAGE], AT, 60, every=0.1, model="o1")
    case = during(flood)[0]
    shares = [cause.share for cause in case.causes]
    assert shares == sorted(shares, reverse=True)
    assert all(0 < share <= 1 for share in shares)
    assert (case.causes[0].level, case.causes[0].name) == ("model", "o1")
    assert f"{case.causes[0].share:.0%} model o1" in case.reason


def test_it_opens_while_its_first_window_is_still_open() -> None:
    flood = requests([TRIAGE], AT, 60, every=0.05)
    case = during(flood)[0]
    assert 0 < case.opened_at.timestamp() - flood[0].time.timestamp() < 5


def test_a_burst_of_an_agent_that_was_never_seen_is_told_by_its_name() -> None:
    (case,) = opened(during(requests([("support", "new")], AT, 60, every=0.05)))
    assert case.scope == Scope("support", "new")
    assert ("agent", "new") in {(cause.level, cause.name) for cause in case.causes}


def test_bursts_of_several_use_cases_at_once_are_one_case_that_widens() -> None:
    together = during(requests([TRIAGE, RANKER], AT, 60, every=0.05))
    assert len({anomaly.id for anomaly in together}) == 1
    assert together[-1].scope == Scope()
    told = during(requests([TRIAGE], AT, 60, every=0.05), requests([RANKER], AT + 30, 60, every=0.05))
    (case,) = opened(told)
    assert case.scope == Scope("support", "triage")
    assert told[-1].id == case.id
    assert told[-1].scope == Scope()


def test_what_a_burst_leaves_in_the_sums_of_minutes_is_not_told_again() -> None:
    """Twelve hundred requests within a minute: half an hour later they are still many for half an hour."""
    told = said(merged(requests(AGENTS, NEXT, HOUR), requests([TRIAGE], AT, 60, every=0.05)))
    assert len(opened(told)) == 1


def test_a_second_burst_of_the_same_size_is_told_too() -> None:
    planted = [requests([TRIAGE], AT + n * 600, 60, every=0.1, seed=n) for n in range(2)]
    told = opened(during(*planted))
    assert [(case.kind, case.scope) for case in told] == [("burst", Scope("support", "triage"))] * 2


def test_a_rise_that_no_window_shows_is_told_by_a_longer_horizon() -> None:
    """Two and a half times as many requests are no burst in ten seconds, but they are in half an hour, or never."""
    told = opened(said(merged(requests(AGENTS, NEXT, HOUR), requests([TRIAGE], NEXT, HOUR, every=0.7, seed=4))))
    assert all(case.kind in ("burst", "drift") and case.scope.agent in ("triage", "") for case in told)
    assert all("in 10 s" not in case.reason for case in told)


def test_a_loops_own_calls_are_not_told_as_a_burst_neither_while_it_runs_nor_later() -> None:
    told = opened(during(calls(TRIAGE, AT, 300, 0.2, same=True)))
    assert {case.kind for case in told} == {"loop"}


def test_one_busy_session_is_no_burst() -> None:
    """Forty small requests of one person within seconds, where five are usual."""
    batch = [event(f"batch-{n}", AT + n / 3, use_case="support", agent="triage", session="batch", input_tokens=10,
                   cost_usd=Decimal("0.0001"), model="gpt-4o") for n in range(40)]  # fmt: skip
    assert during(batch) == []


@pytest.mark.parametrize("seed", [3, 5])
def test_a_client_that_always_jumps_has_to_jump_further(seed: int) -> None:
    """Single requests in clusters, now and then of thirty and more; each of the large ones was a burst."""
    rng, at, jumpy = Random(seed), 0.0, list[UsageEvent]()
    while (at := at + rng.expovariate(1 / 40)) < 6 * HOUR:
        for number in range(min(46, int(rng.paretovariate(1.3)) + 1)):
            one = {"session": f"{at}-{number}", "input_tokens": 1000, "output_tokens": 100, "model": "gpt-4o"}
            moment = at + rng.random() * 6
            jumpy.append(
                event(f"{at}-{number}", moment, use_case="support", agent="triage", requests=1, steps=1, **one)
            )
    told = submit(Pipeline(Config()), sorted(jumpy, key=lambda one: one.time))
    assert len([case for case in opened(told) if case.kind == "burst"]) <= 3


def test_nothing_is_told_while_warming_up() -> None:
    early = merged(requests(AGENTS, 0, 240), requests([TRIAGE], 100, 60, every=0.05))
    assert submit(Pipeline(CONFIG), early) == []


def test_a_quiet_night_does_not_make_the_morning_a_burst() -> None:
    evening, morning = requests(AGENTS, NEXT, 60), requests(AGENTS, NEXT + 9 * HOUR, HOUR)
    assert {anomaly.kind for anomaly in said(evening + morning)} == {"silence"}


def test_it_is_closed_by_the_clock_where_nothing_more_comes() -> None:
    after, flood = pipeline(), merged(requests(AGENTS, NEXT, 180), requests([TRIAGE], AT, 60, every=0.1))
    (case,) = opened(submit(after, flood))
    ended = after.tick(flood[-1].time.timestamp() + HOUR).anomalies
    assert [anomaly.state for anomaly in ended if anomaly.id == case.id][-1] == "closed"


def test_credits_and_free_events_are_bursts_by_number_alone() -> None:
    free = requests([SOLVER], AT, 60, every=0.05, cost_usd=Decimal(-1))
    (case,) = opened(during(free))
    assert case.scope == Scope("support", "solver")
    assert case.usd_excess == 0
    assert not case.series.endswith("#usd")


def steady(rate: float, start: float, seconds: float, seed: int = 1) -> list[UsageEvent]:
    """Sessions of one request each, as they come by chance, of 5 cents or so."""
    rng, at, found = Random(seed), start, list[UsageEvent]()
    while (at := at + rng.expovariate(rate)) < start + seconds:
        size = rng.lognormvariate(0, 0.3)
        one = {"input_tokens": round(1000 * size), "output_tokens": round(100 * size), "model": "gpt-4o"}
        usd = Decimal(repr(round(0.05 * size, 6)))
        found.append(
            event(f"{seed}-{at}", at, use_case="support", agent="triage", session=f"s{at}", cost_usd=usd, **one)
        )
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_burst_is_one_case_until_it_ends_whichever_rate_showed_it_first(seed: int) -> None:
    """Its own height is no reason to call it usual: tokens that burst for ten minutes were over after two."""
    flood = steady(3.3, 3 * HOUR, 600, seed + 10)
    told = submit(Pipeline(Config()), merged(steady(0.3, 0, 4 * HOUR, seed), flood))
    burst = [anomaly for anomaly in told if anomaly.kind == "burst"]
    assert len(opened(burst)) == 1
    assert burst[-1].state == "closed"
    assert flood[-1].time < burst[-1].updated_at
    assert burst[-1].usd_excess == pytest.approx(sum(one.cost_usd or 0 for one in flood), rel=Decimal("0.15"))


@pytest.mark.slow
def test_a_level_that_stays_becomes_the_usual_one() -> None:
    flood = steady(3.3, 3 * HOUR, 3 * HOUR, 11)
    told = submit(Pipeline(Config()), merged(steady(0.3, 0, 6 * HOUR, 1), flood))
    assert told[-1].state == "closed"
    assert told[-1].updated_at < flood[-1].time


def nightly(*batches: float, every: float) -> list[Anomaly]:
    """The bursts that are said of a quiet tenant with a batch a night, each with a request so often a second."""
    quiet = requests([TRIAGE], 0, len(batches) * 24 * HOUR, every=300.0, session="")
    planted = [
        requests([RANKER], night * 24 * HOUR + 12 * HOUR, 600, every=every / times, session="")
        for night, times in enumerate(batches)
    ]
    return [case for case in opened(submit(Pipeline(CONFIG), merged(quiet, *planted))) if case.kind == "burst"]


@pytest.mark.slow
def test_what_comes_each_night_is_told_of_twice() -> None:
    days = [case.opened_at.day for case in nightly(1, 1, 1, 1, every=0.5)]
    first = days[0]
    assert set(days) == {first, first + 1}


@pytest.mark.slow
def test_what_comes_each_night_is_told_of_again_when_it_is_three_times_as_much() -> None:
    told = nightly(1, 1, 1, 3, every=0.5)
    first = told[0].opened_at.day
    assert {case.opened_at.day for case in told} == {first, first + 1, first + 3}
