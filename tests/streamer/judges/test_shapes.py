"""Requests that grow are bloat, tokens that become dearer and lost caches are mix, and neither is a burst."""

import msgspec
import pytest

from streamer.config import Config
from streamer.events.usage import UsageEvent
from streamer.pipeline import Pipeline
from streamer.records import Anomaly, Scope
from tests.streamer.judges.history import NEXT, hour, pipeline, said
from tests.streamer.judges.traffic import (
    AGENTS,
    HOUR,
    RANKER,
    SOLVER,
    TRIAGE,
    Agent,
    calls,
    merged,
    opened,
    requests,
    written,
)
from tests.streamer.samples import submit

HALF = HOUR / 2
OTHERS = requests([SOLVER, RANKER], NEXT, HOUR)


def then_back(*changed: list[UsageEvent]) -> list[Anomaly]:
    """What is said while one agent is changed for half an hour and then as it was; the others go on."""
    return said(merged(OTHERS, *changed, requests([TRIAGE], NEXT + HALF, HALF)))


def only_one(told: list[Anomaly]) -> Anomaly:
    """The one case that is told, from its opening to its end."""
    (case,) = opened(told)
    assert {anomaly.id for anomaly in told} == {case.id}
    assert told[-1].state == "closed"
    return case


def test_requests_that_are_larger_are_bloat_and_no_burst_of_tokens_or_dollars() -> None:
    case = only_one(then_back(requests([TRIAGE], NEXT, HALF, tokens=5000)))
    assert (case.kind, case.detector, case.scope) == ("bloat", "ratio", Scope("support", "triage"))
    assert 3 * case.expected < case.observed < 8 * case.expected
    assert case.opened_at.timestamp() < requests([TRIAGE], NEXT, 300)[-1].time.timestamp()
    assert case.usd_per_hour > 0
    assert "tokens a request" in case.reason
    assert "times the usual" in case.reason


def test_answers_that_are_longer_are_bloat_though_requests_hardly_grow() -> None:
    longer = requests([TRIAGE], NEXT, HALF, output_tokens=600, usd_per_token=3e-5)
    case = only_one(then_back(longer))
    assert (case.kind, case.detector, case.scope) == ("bloat", "ratio", Scope("support", "triage"))
    assert case.series.endswith("#output")
    assert case.observed == pytest.approx(6 * case.expected, rel=0.2)
    assert case.opened_at.timestamp() < requests([TRIAGE], NEXT, 300)[-1].time.timestamp()
    assert "tokens of output a request" in case.reason


def test_what_grows_by_less_in_what_goes_in_and_comes_out_is_told_of_both_together() -> None:
    case = only_one(then_back(requests([TRIAGE], NEXT, HALF, tokens=1900, output_tokens=160)))
    assert (case.kind, case.scope) == ("bloat", Scope("support", "triage"))
    assert case.series.endswith("#overall")
    assert case.observed == pytest.approx(1.75 * case.expected, rel=0.2)
    assert "tokens a request" in case.reason


def test_a_dearer_model_is_mix_and_is_named_as_its_cause() -> None:
    case = only_one(then_back(requests([TRIAGE], NEXT, HALF, usd_per_token=1e-4, model="o1")))
    assert (case.kind, case.scope) == ("mix", Scope("support", "triage"))
    assert ("model", "o1") in {(cause.level, cause.name) for cause in case.causes}
    assert "for a million tokens" in case.reason
    assert case.observed == pytest.approx(5 * case.expected, rel=0.2)


def caching(start: float, seconds: float, share: float, usd_per_token: float) -> list[UsageEvent]:
    """Requests of a thousand tokens, of which a share comes from the cache."""
    found = requests([TRIAGE], start, seconds, usd_per_token=usd_per_token)
    return [msgspec.structs.replace(one, cache_read_tokens=round(share * one.input_tokens)) for one in found]


@pytest.mark.parametrize("dearer", [1, 5], ids=["whose price does not show it", "whose price shows it"])
def test_a_cache_that_no_longer_hits_is_mix_and_told_once(dearer: float) -> None:
    before = written(Pipeline(Config()), merged(caching(0, HOUR, 0.9, 4e-6), requests([SOLVER, RANKER], 0, HOUR)))
    after = Pipeline(Config())
    after.restore(before)
    lost = caching(NEXT, HALF, 0.05, 4e-6 * dearer)
    case = only_one(submit(after, merged(OTHERS, lost, caching(NEXT + HALF, HALF, 0.9, 4e-6))))
    assert (case.kind, case.scope) == ("mix", Scope("support", "triage"))
    assert ("from the cache" in case.reason) or dearer > 1


def evaluated(start: float, seconds: float, usd: float) -> list[UsageEvent]:
    """Requests, and for each of them an evaluation of so many dollars."""
    return merged(
        requests([TRIAGE], start, seconds),
        requests([TRIAGE], start, seconds, kind="evaluation", usd_per_token=usd / 1000, output_tokens=0, seed=9),
    )


def test_evaluation_that_costs_more_than_what_it_evaluates_is_mix() -> None:
    before = written(Pipeline(Config()), merged(evaluated(0, HOUR, 0.002), requests([SOLVER, RANKER], 0, HOUR)))
    after = Pipeline(Config())
    after.restore(before)
    told = submit(after, merged(OTHERS, evaluated(NEXT, HALF, 0.04), evaluated(NEXT + HALF, HALF, 0.002)))
    (case,) = opened(told)
    assert (case.kind, case.scope.use_case) == ("mix", "support")
    assert "triage" in {case.scope.agent, *(cause.name for cause in case.causes)}
    assert "evaluation costs" in case.reason


def test_more_requests_of_the_usual_kind_are_neither() -> None:
    told = then_back(requests([TRIAGE], NEXT, HALF, every=0.2))
    assert {anomaly.kind for anomaly in told} <= {"burst"}


def test_cheaper_and_smaller_is_no_news() -> None:
    assert then_back(requests([TRIAGE], NEXT, HALF, tokens=200, usd_per_token=4e-6)) == []


def test_agents_of_other_kinds_that_come_to_a_use_case_are_no_change_of_its_agents() -> None:
    """Their requests are ten times as large as the others', and always were."""
    new: Agent = ("search", "reader")
    told = said(merged(requests(AGENTS, NEXT, HOUR), requests([new], NEXT, HOUR, tokens=10_000, usd_per_token=2e-6)))
    assert [case for case in told if case.scope == Scope()] == []
    assert [case for case in told if case.scope.use_case == "support"] == []


def test_an_agent_that_is_new_is_not_judged_before_it_is_known() -> None:
    new: Agent = ("drafts", "writer")
    few = requests([new], NEXT, 100, tokens=1000) + requests([new], NEXT + 100, 40, tokens=20_000)
    assert [case for case in said(merged(requests(AGENTS, NEXT, 400), few)) if case.kind in ("bloat", "mix")] == []


def test_what_costs_next_to_nothing_is_not_told() -> None:
    cheap = Pipeline(Config())
    cheap.restore(written(Pipeline(Config()), requests([TRIAGE], 0, HOUR, usd_per_token=1e-9)))
    assert submit(cheap, requests([TRIAGE], NEXT, HALF, usd_per_token=1e-9, tokens=5000)) == []


def test_bloat_goes_on_after_a_restart_in_the_middle_of_it() -> None:
    bloated = requests([TRIAGE], NEXT, HALF, tokens=5000)
    whole, first = pipeline(), pipeline()
    expected = submit(whole, bloated)
    told = submit(first, bloated[:500])
    again = Pipeline(Config())
    again.restore({**hour(), **{key: part for key, part in first.changes() if part is not None}})
    assert told + submit(again, bloated[500:]) == expected


def test_tool_calls_beside_requests_change_no_ratio() -> None:
    told = said(merged(requests(AGENTS, NEXT, HALF), calls(TRIAGE, NEXT, 100, 15.0)))
    assert [anomaly for anomaly in told if anomaly.kind in ("bloat", "mix")] == []


def test_a_thin_agent_is_known_to_have_grown_after_a_few_sessions() -> None:
    """A session of eight requests each two minutes."""
    told = opened(said(merged(OTHERS, requests([TRIAGE], NEXT, HALF, every=15, tokens=5000))))
    case = next(case for case in told if case.kind == "bloat")
    assert case.scope == Scope("support", "triage")
    assert case.opened_at.timestamp() < requests([TRIAGE], NEXT, 720, every=15)[-1].time.timestamp()


def test_more_work_for_the_dearer_of_two_agents_is_no_change_of_their_use_case() -> None:
    dear = requests([SOLVER], 0, HOUR, usd_per_token=2e-4)
    known = Pipeline(Config())
    known.restore(written(Pipeline(Config()), merged(requests([TRIAGE], 0, HOUR), dear)))
    alone = requests([SOLVER], NEXT, HALF, usd_per_token=2e-4)
    assert {case.kind for case in opened(submit(known, alone))} <= {"silence"}


def test_when_bloat_is_over_its_patient_twin_says_nothing_more() -> None:
    told = opened(then_back(requests([TRIAGE], NEXT, HALF, tokens=8000)))
    assert [case.kind for case in told] == ["bloat"]
