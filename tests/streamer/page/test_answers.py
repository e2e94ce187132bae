"""What the page answers: sums, lists of thousands, and never what a person may not see."""

import time
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.throttle.command import CommandReason
from streamer.config import BudgetConfig, PageConfig
from streamer.feedback import Feedback
from streamer.kafka.dead_letters import DeadLetter
from streamer.page.answers import Answers
from streamer.page.refused import Refused
from streamer.page.sight import Sight
from streamer.page.state import Change, PageState
from streamer.records import Usual
from tests.streamer.page.build import (
    LATER,
    TOPICS,
    WINDOW,
    ack,
    anomaly,
    command,
    give,
    incident,
    rollup,
    standing,
    state,
)
from tests.streamer.samples import NOON, NOW

ALL = Sight("ann", operator=True)
SOON = NOW + 25


def answers(*rollups: Any, page: PageState | None = None) -> Answers:
    page = page or state()
    give(page, TOPICS.rollups, *rollups)
    return Answers(page)


def two_windows(tenant: str, usd: str, **fields: Any) -> list[Any]:
    return [rollup(tenant, usd, at=at, **fields) for at in (0.0, WINDOW)]


def test_the_rate_and_the_kinds_are_summed_over_all_that_is_seen() -> None:
    split = {"llm": Decimal("0.75"), "tool": Decimal("0.25")}
    found = answers(*two_windows("acme", "1", usd_by_kind=split), *two_windows("globex", "2"))
    totals = found.overview({}, ALL, SOON)["totals"]
    assert (totals["rate"], totals["spent"], totals["tenants"]) == ("1080", "6", 2)
    assert totals["kinds"] == {"llm": "5.5", "tool": "0.5"}
    assert totals["chart"]["values"] == [1080.0, 1080.0]


def test_a_sum_does_not_seem_to_fall_while_some_have_closed_a_window_and_others_not_yet() -> None:
    first, second = (two_windows(tenant, "1") for tenant in ("acme", "globex"))
    found = answers(*first, second[0])
    assert found.overview({}, ALL, SOON)["totals"]["chart"]["values"] == [720.0]
    assert answers(*first, *second).overview({}, ALL, SOON)["totals"]["chart"]["values"] == [720.0, 720.0]


def test_a_list_is_sorted_searched_and_paged_on_the_server() -> None:
    found = answers(*(rollup(f"tenant-{n:03}", str(n + 1)) for n in range(60)))
    first = found.series({}, ALL, SOON)
    assert (first["total"], first["pages"], len(first["rows"])) == (60, 3, 25)
    assert [row["name"] for row in first["rows"][:2]] == ["tenant-059", "tenant-058"]
    last = found.series({"sort": "name", "page": "3"}, ALL, SOON)
    assert (last["rows"][-1]["name"], len(last["rows"])) == ("tenant-059", 10)
    assert [row["name"] for row in found.series({"q": "T-007"}, ALL, SOON)["rows"]] == ["tenant-007"]


@pytest.mark.parametrize(("words", "models"), [("meta-llama/", 1), ("a=b%", 1), ("acme", 2), ("model", 0), ("%2F", 0)])
def test_what_is_searched_are_names_as_they_are_shown(words: str, models: int) -> None:
    found = answers(*(rollup(level="model", model=name) for name in ("meta-llama/Llama-3", "a=b%")))
    assert found.series({"level": "model", "q": words}, ALL, SOON)["total"] == models


@pytest.mark.parametrize(
    "ask", [{"level": "session"}, {"sort": "x"}, {"page": "-1"}, {"page": "²"}, {"page": "9" * 99}]
)
def test_what_makes_no_sense_is_refused(ask: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        answers().series(ask, ALL, SOON)
    assert refused.value.status == 400


def full() -> PageState:
    """Everything that the page shows, of three tenants."""
    page = state()
    for number, tenant in enumerate(("acme", "globex", "initech")):
        give(page, TOPICS.rollups, *two_windows(tenant, "1", unpriced=2))
        give(page, TOPICS.rollups, *two_windows(tenant, "1", level="agent", use_case="u", agent=f"{tenant}-agent"))
        give(page, TOPICS.anomalies, anomaly(f"i{number}.{tenant}", tenant))
        give(page, TOPICS.anomalies, anomaly(f"s{number}", tenant, kind="silence", series=f"tenant={tenant}#silence"))
        give(page, TOPICS.alerts, incident(f"i{number}", tenant))
        give(
            page,
            TOPICS.throttle,
            command(1, tenant, id=f"c{number}", reason=CommandReason(f"i{number}", "rate", "", 1, 1, "1")),
        )
    give(page, TOPICS.alerts, incident("both", "acme", "globex"))
    page.budgets = tuple(BudgetConfig(tenant=tenant, limit=Decimal(10)) for tenant in ("acme", "globex", "initech"))
    return page


@given(st.sets(st.sampled_from(["acme", "globex", "initech"])))
def test_nobody_is_shown_a_tenant_that_is_not_theirs(tenants: set[str]) -> None:
    found, sight = Answers(full()), Sight("eve", tuple(sorted(tenants)))
    shown = [
        found.overview({}, sight, SOON),
        found.incidents({}, sight, SOON),
        *(found.series({"level": level}, sight, SOON) for level in ("tenant", "agent")),
    ]
    text = msgspec.json.encode(shown).decode()
    assert {name for name in ("acme", "globex", "initech") if name in text} == tenants
    for name in {"acme", "globex", "initech"} - tenants:
        assert found.chart({"key": f"tenant={name}"}, sight, SOON)["values"] == []
        for refused in (
            lambda name=name: found.tenant({"name": name}, sight, SOON),
            lambda: found.incident({"id": "both"}, Sight("eve", ("acme",)), SOON),
        ):
            with pytest.raises(Refused) as why:
                refused()
            assert why.value.status == 404


def test_an_incident_tells_its_causes_its_commands_and_who_said_what() -> None:
    page = state()
    give(page, TOPICS.anomalies, anomaly())
    give(page, TOPICS.alerts, incident("i1"))
    give(page, TOPICS.throttle, command())
    give(page, TOPICS.acks, ack())
    said = Feedback(id="f", time=NOON, verdict="acknowledge", incident="i1", by="ann")
    give(page, TOPICS.feedback, said)
    found = Answers(page).incident({"id": "i1"}, ALL, LATER)
    assert found["title"] == "acme · triage spends far above its usual rate"
    assert found["causes"] == [{"level": "agent", "name": "triage", "share": 0.9}]
    assert [(one["action"], one["live"], one["acks"][0]["gateway"]) for one in found["commands"]] == [
        ("pause", True, "edge")
    ]
    assert [(one["verdict"], one["by"]) for one in found["answers"]] == [("acknowledge", "ann")]
    assert found["alerts"][0]["series"] == "tenant=acme#requests"


def test_an_incident_counts_all_of_its_anomalies_and_not_only_those_that_are_kept_whole() -> None:
    page = state()
    give(page, TOPICS.alerts, incident("i1", *(f"t{number}" for number in range(120))))
    found = Answers(page).incident({"id": "i1"}, ALL, LATER)
    assert (found["anomalies"], len(found["alerts"])) == (120, 50)


def test_a_chart_shows_what_is_usual_an_hour_whether_or_not_anything_is_wrong() -> None:
    usual = {"requests": Usual(10, 20, 40, 60)}
    found = answers(*two_windows("acme", "1", requests=30, usual=usual))
    chart = found.chart({"key": "tenant=acme", "metric": "requests"}, ALL, SOON)
    assert chart["values"] == [10_800.0, 10_800.0]
    assert chart["usual"][0] == [NOW, 3_600.0, 7_200.0, 14_400.0, 21_600.0]
    assert found.chart({"key": "tenant=acme", "metric": "usd"}, ALL, SOON)["usual"] == []


def test_what_an_anomaly_is_judged_by_over_longer_than_a_window_is_shown_beside_it() -> None:
    page = state()
    give(page, TOPICS.anomalies, anomaly("i1.short"), anomaly("i1.long", seconds=60.0))
    chart = answers(*two_windows("acme", "1", requests=30), page=page).chart(
        {"key": "tenant=acme", "metric": "requests"}, ALL, SOON
    )
    shown = [(band["seconds"], band["expected"], band["ceiling"], band["to"]) for band in chart["bands"]]
    assert shown == [(60.0, 1_200.0, 3_600.0, None)]


def test_a_budget_is_there_from_its_beginning_with_what_is_used_its_burn_and_its_projection() -> None:
    page = full()
    before = Answers(page).overview({}, ALL, SOON)["budgets"]
    assert [(one["tenant"], one["used"], one["share"], one["at"]) for one in before] == [
        (tenant, "0", 0.0, None) for tenant in ("acme", "globex", "initech")
    ]
    give(page, TOPICS.budgets, standing("globex"))
    first = Answers(page).overview({}, ALL, SOON)["budgets"][0]
    assert (first["tenant"], first["used"], first["share"], first["burn"], first["line"]) == (
        "globex",
        "8.5",
        0.85,
        3.0,
        "soft",
    )
    assert first["exhausted_at"] == NOW + 86_400


def test_a_budget_that_was_quiet_burns_no_more_and_one_of_a_past_month_has_begun_anew() -> None:
    page = full()
    give(page, TOPICS.budgets, standing("acme"))
    for later, burn, share in ((3_000, 3.0, 0.85), (4_000, 0.0, 0.85), (10 * 86_400, 0.0, 0.0)):
        found = Answers(page).tenant({"name": "acme"}, ALL, NOW + later)["budgets"][0]
        assert (found["burn"], found["share"]) == (burn, share)


def test_of_when_the_figures_are_is_told_with_them() -> None:
    page = full()
    page.pulse.reading = ""
    page.pulse.beat(2)
    fresh = {"now": SOON, "until": NOW + 20, "reading": False, "away_since": None, "workers": 2}
    assert Answers(page).overview({}, ALL, SOON)["fresh"] == fresh
    page.pulse.miss(NOW + 21)
    assert Answers(page).incidents({}, ALL, SOON)["fresh"] == {**fresh, "away_since": NOW + 21, "workers": None}


LETTER = DeadLetter(
    reason="missing_id",
    detail="",
    topic="raw",
    partition=0,
    offset=0,
    item=0,
    size=1,
    truncated=False,
    record="",
    at=NOON,
)


def test_the_quality_of_the_data_is_told() -> None:
    page = full()
    give(page, TOPICS.dead_letters, LETTER, key="x")
    give(page, TOPICS.rollups, rollup("acme", part=1, repeats=7))
    assert page.take(TOPICS.rollups, b"", b"no json") is None
    found = Answers(page).overview({}, ALL, SOON)["quality"]
    assert (found["late"], found["unpriced"], found["rejected"], found["unreadable"]) == (1, 12, {"missing_id": 1}, 1)
    assert (found["repeats"], [one["tenant"] for one in found["by_tenant"] if one["repeats"]]) == (7, ["acme"])
    assert [one["tenant"] for one in found["silent"]] == ["acme", "globex", "initech"]
    assert Answers(page).overview({}, Sight("eve", ("acme",)), SOON)["quality"]["rejected"] is None


def test_dead_letters_of_long_ago_are_not_counted() -> None:
    page = state()
    give(page, TOPICS.dead_letters, LETTER, key="x")
    assert page.rejections.by_reason(NOW + 599) == {"missing_id": 1}
    assert page.rejections.by_reason(NOW + 601) == {}


def test_a_change_says_whose_it_is() -> None:
    page = state()
    assert page.take(TOPICS.rollups, b"", msgspec.json.encode(rollup())) == Change("spend", frozenset({"acme"}))
    assert page.take(TOPICS.rollups, b"", msgspec.json.encode(rollup())) is None
    both = msgspec.json.encode(incident("i1", "acme", "globex"))
    assert page.take(TOPICS.alerts, b"i1", both) == Change("incidents", frozenset({"acme", "globex"}))


@pytest.mark.slow
def test_ten_thousand_series_are_listed_in_a_moment() -> None:
    page = PageState(PageConfig(max_series=20_000), WINDOW, TOPICS)
    usual = dict.fromkeys(("usd", "tokens", "requests"), Usual(1, 2, 3, 9))
    for number in range(10_000):
        names = {"use_case": f"u{number % 100}", "agent": f"agent-{number}"}
        for at in range(0, 600, 60):
            page.spend.take(rollup(f"t{number % 500}", "0.01", at=at, level="agent", usual=usual, **names))
    found, began = Answers(page), time.perf_counter()
    for text in ("agent-77", "agent-78", "agent-79"):
        page.spend.take(rollup(f"new-{text}"))
        assert found.series({"level": "agent", "q": text}, ALL, SOON)["total"] == 111
        key = rollup("t77", level="agent", use_case="u77", agent="agent-77").series
        assert len(found.chart({"key": key, "metric": "tokens"}, ALL, NOW + 600)["usual"]) == 10
    # About 0.1 s each where nothing else runs; a machine that is shared may take its time.
    assert (time.perf_counter() - began) / 3 < 2
