"""The rules by which anomalies are held against labels, each with anomalies made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.quality import figures
from benchmarks.quality.drive import Run, Times, WindowTotals
from benchmarks.quality.figures import Results
from benchmarks.quality.judge import GRACE, RECOVERY, Judgement, judged
from benchmarks.quality.plantings import Planting
from benchmarks.quality.profiles import DAY
from benchmarks.quality.scenarios import Scenario
from streamer.clock import utc
from streamer.records import Anomaly, AnomalyKind, Scope

BEGIN = 1_780_272_000.0
BURST = Planting("burst", "step", 5, "acme", BEGIN + 3600, BEGIN + 4200, use_case="support", agent="triage")
LOOP = Planting(
    "loop", "identical", 1, "acme", BEGIN + 10, BEGIN + 40, use_case="support", agent="triage", session="round",
    marks=tuple(BEGIN + at for at in (10, 13, 16, 40)),
)  # fmt: skip
DRIFT = Planting("drift", "tokens", 4, "acme", BEGIN, BEGIN + 7200, also=frozenset({"bloat"}))
SILENCE = Planting("silence", "tenant", 1, "acme", BEGIN, BEGIN + 900, certain=BEGIN + 300)
BUDGET = Planting("budget", "lines", 1, "acme", BEGIN, BEGIN + 7200, certain=BEGIN + 3600)


def said(at: float, kind: AnomalyKind = "burst", use_case: str = "", agent: str = "", session: str = "") -> Anomaly:
    return Anomaly(
        id=f"{kind}-{at}",
        kind=kind,
        tenant="acme",
        scope=Scope(use_case=use_case, agent=agent, session=session),
        series="acme#tokens",
        detector="rate",
        opened_at=utc(at),
        updated_at=utc(at),
        severity="info",
        observed=5,
        expected=1,
        score=0.9,
        reason="five times the usual",
    )


def judge(*anomalies: Anomaly, planting: Planting = BURST) -> Judgement:
    return judged(Run(opened=list(anomalies)), [planting], "test", BEGIN)


def test_a_planting_of_which_nothing_is_said_is_missed():
    (verdict,) = judge().verdicts
    assert not verdict.found


@pytest.mark.parametrize(
    ("at", "found", "false"),
    [
        (BURST.start - 1, False, 1),
        (BURST.start, True, 0),
        (BURST.end + GRACE["burst"], True, 0),
        (BURST.end + GRACE["burst"] + 1, False, 0),
        (BURST.end + GRACE["burst"] + RECOVERY["burst"], False, 0),
        (BURST.end + GRACE["burst"] + RECOVERY["burst"] + 1, False, 1),
    ],
)
def test_an_alarm_counts_from_the_start_to_the_grace_and_is_false_before_and_after_the_recovery(at, found, false):
    judgement = judge(said(at))
    assert judgement.verdicts[0].found is found
    assert len(judgement.false_alarms) == false
    assert found + false + len(judgement.aftermath) == 1


def test_an_alarm_where_nothing_is_planted_is_false():
    assert len(judged(Run(opened=[said(BEGIN)]), [], "test", BEGIN).false_alarms) == 1


@pytest.mark.parametrize(
    ("use_case", "agent", "related"),
    [
        ("", "", True),
        ("support", "", True),
        ("support", "triage", True),
        ("support", "solver", False),
        ("coding", "", False),
    ],
)
def test_an_alarm_about_another_part_of_the_tenant_is_false(use_case, agent, related):
    judgement = judge(said(BURST.start + 5, use_case=use_case, agent=agent))
    assert judgement.verdicts[0].found is related
    assert bool(judgement.false_alarms) is not related


def test_an_alarm_of_a_part_is_about_what_is_planted_in_the_whole():
    assert judge(said(SILENCE.start + 5, "silence", "coding", "writer"), planting=SILENCE).verdicts[0].found


def test_an_alarm_of_any_kind_finds_but_the_first_one_names():
    first, second = said(BURST.start + 5, "bloat"), said(BURST.start + 9)
    (verdict,) = judge(first, second).verdicts
    assert (verdict.found, verdict.kind_right, verdict.any_kind_right) == (True, False, True)
    (verdict,) = judge(second, first).verdicts
    assert verdict.kind_right


def test_a_drift_of_tokens_may_be_called_bloat_but_not_burst():
    names: tuple[AnomalyKind, ...] = ("drift", "bloat", "burst")
    right = [judge(said(BEGIN + 60, kind), planting=DRIFT).verdicts[0].kind_right for kind in names]
    assert right == [True, True, False]


def test_budgets_and_the_other_kinds_have_nothing_to_do_with_each_other():
    judgement = judge(said(BEGIN + 60), said(BEGIN + 70, "budget"), planting=BUDGET)
    assert [anomaly.kind for anomaly in judgement.verdicts[0].alarms] == ["budget"]
    assert [anomaly.kind for anomaly in judgement.false_alarms] == ["burst"]
    assert judge(said(BURST.start + 5, "budget")).false_alarms


@pytest.mark.parametrize(
    ("use_case", "agent", "right"), [("support", "triage", True), ("support", "", False), ("", "", False)]
)
def test_the_scope_is_right_where_it_names_all_that_was_planted_in(use_case, agent, right):
    assert judge(said(BURST.start + 5, use_case=use_case, agent=agent)).verdicts[0].scope_right is right


def test_the_scope_may_be_finer_than_what_was_planted_in():
    planting = replace(BURST, agent="")
    assert judge(said(BURST.start + 5, use_case="support", agent="solver"), planting=planting).verdicts[0].scope_right


def test_delays_are_in_seconds_calls_growth_and_windows():
    assert judge(said(BURST.start + 7)).verdicts[0].delay == 7
    loop = judge(said(BEGIN + 16, "loop", "support", "triage", "round"), planting=LOOP).verdicts[0]
    assert (loop.calls, loop.scope_right) == (3, True)
    assert judge(said(BEGIN + 3600, "drift"), planting=DRIFT).verdicts[0].grown == pytest.approx(2)
    silent = judge(said(BEGIN + 320, "silence"), planting=SILENCE).verdicts[0]
    assert silent.windows_late(10) == pytest.approx(2)


def test_a_budget_that_is_said_before_its_soft_line_is_not_late():
    delays = [judge(said(BEGIN + at, "budget"), planting=BUDGET).verdicts[0].delay for at in (60, 3600, 3700)]
    assert delays == [0, 0, 100]


def test_dollars_are_lost_above_the_usual_until_the_alarm():
    windows = [WindowTotals(BEGIN + at, 1, 1, 0.1 if at < 3600 else 0.6) for at in range(0, 7200, 10)]
    run = Run(opened=[said(BURST.start + 100)], windows={Scope("support", "triage"): windows})
    assert judged(run, [BURST], "test", BEGIN).verdicts[0].lost_usd == pytest.approx(10 * 0.5)
    run.opened.clear()
    assert judged(run, [BURST], "test", BEGIN).verdicts[0].lost_usd == pytest.approx(60 * 0.5)


def test_a_verdict_tells_what_was_used_before_and_in_the_planting():
    windows = [WindowTotals(BEGIN + at, 2, 200 if at < 3600 else 1000, 0.1) for at in range(0, 7200, 10)]
    run = Run(windows={Scope("support", "triage"): windows})
    (verdict,) = judged(run, [BURST], "test", BEGIN).verdicts
    assert verdict.usual == pytest.approx((12, 100, 36))
    assert verdict.planted == pytest.approx((12, 500, 36))


def test_figures_add_up_to_what_the_verdicts_say():
    results, late = Results(), replace(BURST, start=BURST.start + 300, end=BURST.end + 300, agent="", use_case="coding")
    run = Run(opened=[said(BEGIN), said(BURST.start + 30, "bloat", "support", "triage"), said(BURST.start + 40)])
    scenario = Scenario("acme", "test", BEGIN, BEGIN + DAY / 2, (BURST, late), (), list)
    results.take(scenario, judged(run, scenario.plantings, "test", BEGIN), Times(events=10))
    every = figures.of_verdicts(results.verdicts)
    assert (every["planted"], every["found"], every["recall"], every["recall_in_kind"]) == (2, 1, 0.5, 0.5)
    assert (every["delay_p50"], every["kind_right"], every["alarms_per_cause"]) == (30, 0, 2)
    assert figures.false_alarms(results)["per_tenant_day"] == 2
    assert figures.false_alarms(results)["by_kind"]["burst"] == 2


def test_what_was_missed_or_named_wrongly_was_not_said_in_time():
    results = Results()
    for anomalies in ([said(BURST.start + 59)], [said(BURST.start + 5, "drift"), said(BURST.start + 61)], []):
        judgement = judge(*anomalies)
        results.take(Scenario("acme", "test", BEGIN, BEGIN + DAY, (BURST,), (), list), judgement, Times())
    shares = {name: share for name, share, _, _ in figures.targets(results)}
    assert shares["bursts of 5x and more said within a minute"] == pytest.approx(1 / 3)
    assert shares["recall"] == pytest.approx(2 / 3)


def test_bloat_that_five_minutes_do_not_prove_is_not_late():
    results, shown = Results(), "the same, where 5 minutes prove it"
    bloat = replace(BURST, kind="bloat", variant="tokens", factor=4)
    for certain in (299, 301):
        planting = replace(bloat, certain=bloat.start + certain)
        judgement = judged(Run(), [planting], "test", BEGIN)
        results.take(Scenario("acme", "test", BEGIN, BEGIN + DAY, (planting,), (), list), judgement, Times())
        shares = {name: share for name, share, _, _ in figures.targets(results)}
        assert shares["bloat of 4x and more said within 5 minutes"] == 0
        assert shares[shown] == 0
    in_time = judged(Run(opened=[said(bloat.start + 290, "bloat")]), [planting], "test", BEGIN)
    results.take(Scenario("acme", "test", BEGIN, BEGIN + DAY, (planting,), (), list), in_time, Times())
    assert {name: share for name, share, _, _ in figures.targets(results)}[shown] == 0
