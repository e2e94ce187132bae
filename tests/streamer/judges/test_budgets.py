"""Budgets in the Pipeline: what is told of them, in which words, and when it is over."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from streamer.config import BudgetConfig, Config, DetectConfig, PolicyConfig, ThrottleConfig
from streamer.pipeline import Pipeline
from streamer.records import Anomaly
from streamer.wiring import alert_of, desk_of
from tests.streamer.samples import event, said, submit

NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
SERIES = "tenant=acme#budget-usd"


def pipeline(limit: str = "2000", **fields: Any) -> Pipeline:
    """One budget of acme, and no rates that are judged beside it."""
    budget = BudgetConfig(tenant="acme", limit=Decimal(limit), **fields)
    return Pipeline(Config(detect=DetectConfig(levels=()), budgets=(budget,)))


class Spender:
    """Sends events of the tenant, each with an id of its own."""

    def __init__(self, into: Pipeline) -> None:
        self.pipeline, self.sent = into, 0

    def spend(self, usd: str, day: float, **fields: Any) -> list[Anomaly]:
        """Spend dollars on a day of November, counted from 0."""
        self.sent += 1
        moment = NOVEMBER + timedelta(days=day)
        found = submit(self.pipeline, [event(self.sent, time=moment, cost_usd=Decimal(usd), **fields)])
        return [anomaly for anomaly in found if anomaly.kind == "budget"]

    def evenly(self, usd: float, first: float, last: float, times: int) -> list[Anomaly]:
        """Spend dollars from one day to another, in so many equal parts."""
        days = [first + (last - first) * number / times for number in range(times)]
        return [anomaly for day in days for anomaly in self.spend(f"{usd / times:.6f}", day)]


def test_a_case_opens_at_the_soft_line_is_raised_at_the_hard_one_and_closes_with_the_month() -> None:
    spender = Spender(pipeline("10", use_case="support", burn=()))
    series = "tenant=acme/use_case=support#budget-usd"
    assert spender.spend("7.99", 11, use_case="support") == []
    assert spender.spend("100", 11.1, use_case="other") == []
    (soft,) = spender.spend("0.01", 11.5, use_case="support")
    assert said([soft]) == [("budget", series, "opened")]
    assert (soft.line, soft.score, soft.scope.use_case) == ("soft", 0.6, "support")
    (later,) = spender.spend("1", 11.6, use_case="support")
    assert (later.id, later.state, later.line, later.observed) == (soft.id, "updated", "soft", 9)
    (hard,) = spender.spend("1", 11.7, use_case="support")
    assert (hard.id, hard.state, hard.line, hard.score, hard.usd_excess) == (soft.id, "updated", "hard", 0.95, 0)
    assert hard.reason == "100% of November's budget of $10 is used up on day 12 (hard line)"
    (over,) = spender.spend("5", 12, use_case="support")
    assert (over.state, over.line, over.observed, over.usd_excess) == ("updated", "hard", 15, 5)
    (closed,) = spender.spend("1", 30.5, use_case="support")
    assert (closed.id, closed.state, closed.usd_per_hour) == (soft.id, "closed", 0)
    assert closed.closed_at == datetime(2026, 12, 1, tzinfo=UTC)
    # What came of it by the end: spent 15 of 10.
    assert closed.usd_excess == 5
    (again,) = spender.spend("8", 31, use_case="support")
    assert again.state == "opened"
    assert again.id != soft.id


def test_what_is_spent_while_a_line_stands_is_told_by_twentieths_of_the_limit_and_once_a_minute_at_most() -> None:
    spender = Spender(pipeline("100", burn=()))
    minute = 1 / 1440
    opened, *told = [one for n in range(200) for one in spender.spend("1", 11 + n * minute)]
    assert opened.line == "soft"
    assert [one.observed for one in told] == [*range(85, 201, 5)]
    assert [one.line for one in told if one.observed < 100] == ["soft"] * 3
    assert told[-1].usd_excess == 100
    assert [one.state for n in range(100) for one in spender.spend("1", 11.5 + n * minute / 60)] == ["updated"] * 2


def test_the_reason_tells_the_day_on_which_it_will_be_exhausted() -> None:
    spender = Spender(pipeline())
    *_, soft = spender.evenly(1601, 0, 12, 1200)
    assert soft.reason == (
        "80% of November's budget of $2,000 is used up on day 12 (soft line);"
        " at the pace of the last 24 hours it is exhausted on 15 November"
    )
    # What was spent in the hour before.
    assert soft.usd_per_hour == pytest.approx(Decimal(1601) / 12 / 24, rel=Decimal("0.2"))


def test_a_soft_line_that_is_reached_in_time_is_said_to_last() -> None:
    spender = Spender(pipeline())
    soft, *_ = spender.evenly(1700, 0, 28, 2000)
    assert soft.reason.endswith("(soft line); at the pace of the last 24 hours it lasts to the end of November")


def test_a_few_minutes_of_usage_tell_nobody_how_a_month_ends() -> None:
    spender = Spender(pipeline())
    assert spender.spend("1", 11.99) == []
    burn, *_, soft = spender.evenly(1601, 12, 12 + 10 / 1440, 60)
    assert burn.reason.endswith("% is used up on day 13")
    assert soft.reason.endswith("is used up on day 13 (soft line)")


def test_fast_burn_is_told_before_any_line_and_closes_when_it_has_calmed_without_further_events() -> None:
    spender = Spender(pipeline())
    assert spender.evenly(400, 0, 10, 1000) == []
    burn, goes_on = spender.evenly(100, 10, 10 + 1 / 24, 60)
    assert said([burn, goes_on]) == [("budget", SERIES, "opened"), ("budget", SERIES, "updated")]
    assert burn.line == "burn"
    assert 0.5 < burn.score < 0.6
    assert burn.usd_per_hour >= 40
    assert burn.reason == (
        "2.1% of November's budget of $2,000 went in the last hour, 15 times the even pace; 22% is used up on day 11;"
        " at the pace of the last hour it is exhausted on 12 November"
    )
    later = NOVEMBER + timedelta(days=10, hours=1)
    assert spender.pipeline.tick(later.timestamp() + 300).anomalies == []
    (closed,) = spender.pipeline.tick(later.timestamp() + 3600).anomalies
    assert said([closed]) == [("budget", SERIES, "closed")]
    assert closed.closed_at is not None
    assert later <= closed.closed_at <= later + timedelta(minutes=20)


def test_a_case_ends_with_the_month_by_the_clock_alone() -> None:
    spender = Spender(pipeline())
    soft, *_ = spender.evenly(1700, 0, 28, 2000)
    month_end = datetime(2026, 12, 1, tzinfo=UTC)
    assert spender.pipeline.tick((NOVEMBER + timedelta(days=28)).timestamp()).anomalies == []
    (closed,) = spender.pipeline.tick(month_end.timestamp() + 3 * 86_400).anomalies
    assert (closed.id, closed.state, closed.closed_at) == (soft.id, "closed", month_end)


@pytest.mark.parametrize(
    ("metric", "amount", "limit"),
    [("tokens", "input_tokens", "1,000 tokens"), ("steps", "steps", "1,000 agent steps"), ("tool_calls",) * 2 + ("",)],
)
def test_budgets_of_other_metrics_count_those(metric: str, amount: str, limit: str) -> None:
    spender = Spender(pipeline("1000", metric=metric, burn=()))
    assert spender.spend("5000", 1, **{amount: 799}) == []
    (soft,) = spender.spend("0", 2, **{amount: 1})
    assert (soft.series, soft.observed, soft.expected) == (f"tenant=acme#budget-{metric}", 800, 1000)
    assert (soft.usd_excess, soft.usd_per_hour) == (0, 0)
    assert f"budget of {limit}" in soft.reason


@pytest.mark.parametrize(
    ("metric", "unit"), [("tokens", "token"), ("steps", "agent step"), ("tool_calls", "tool call")]
)
def test_a_budget_of_one_is_told_in_the_singular(metric: str, unit: str) -> None:
    field = "input_tokens" if metric == "tokens" else metric
    (hard,) = Spender(pipeline("1", metric=metric, burn=())).spend("0", 1, **{field: 1})
    assert f"budget of 1 {unit} is" in hard.reason


def test_a_quarter_is_a_budget_of_its_own() -> None:
    month = BudgetConfig(tenant="acme", limit=Decimal(10), burn=())
    quarter = month.model_copy(update={"period": "quarter", "limit": Decimal(25)})
    spender = Spender(Pipeline(Config(budgets=(month, quarter))))
    assert [anomaly.line for anomaly in spender.spend("10", 1)] == ["hard"]
    told = spender.spend("10", 31)
    assert [(anomaly.series, anomaly.state) for anomaly in told] == [
        (SERIES, "closed"),
        (SERIES, "opened"),
        (f"{SERIES}-quarter", "opened"),
    ]
    assert told[2].reason.startswith("80% of Q4's budget of $25 is used up on day 63 (soft line)")


def test_a_budget_that_is_taken_away_ends_what_was_said_of_it() -> None:
    before, without = pipeline("10"), Pipeline(Config())
    (opened,) = Spender(before).spend("10", 1)
    log = {key: part for key, part in before.changes() if part is not None}
    assert f"budgets/4/acme/{SERIES}" in log
    without.restore(log)
    (closed,) = submit(without, [event("more", time=NOVEMBER + timedelta(days=2))])
    assert (closed.id, closed.state) == (opened.id, "closed")
    assert dict(without.changes())[f"budgets/4/acme/{SERIES}"] is None


def test_a_raised_budget_ends_what_was_said_of_the_smaller_one() -> None:
    before, raised = pipeline("10", burn=()), pipeline("20", burn=())
    (opened,) = Spender(before).spend("10", 1)
    raised.restore({key: part for key, part in before.changes() if part is not None})
    moment = NOVEMBER + timedelta(days=2)
    (closed,) = submit(raised, [event("more", time=moment, cost_usd=Decimal(1))])
    assert (closed.id, closed.state) == (opened.id, "closed")


def test_the_soft_line_degrades_and_the_hard_line_pauses_until_the_month_is_over() -> None:
    budget = BudgetConfig(tenant="acme", limit=Decimal(10), burn=())
    slow = PolicyConfig(
        kind="budget",
        line="soft",
        scope="tenant",
        action="limit_rate",
        mode="enforce",
        params={"requests_per_minute": 30},
    )
    pause = PolicyConfig(kind="budget", line="hard", scope="tenant", action="pause", mode="enforce")
    config = Config(budgets=(budget,), throttle=ThrottleConfig(policies=(pause, slow), hold_seconds=0))
    spender, desk = Spender(Pipeline(config)), desk_of(config)

    def commanded(usd: str, day: float) -> list[str]:
        now = (NOVEMBER + timedelta(days=day)).timestamp()
        changes = [c for anomaly in spender.spend(usd, day) for c in desk.submit(alert_of(anomaly), now)]
        return [change.command.action for change in [*changes, *desk.tick(now)] if change.command]

    assert commanded("7", 1) == []
    assert commanded("1", 2) == ["limit_rate"]
    assert commanded("2", 3) == ["pause"]
    assert commanded("1", 31) == ["release"]


def test_a_tenant_without_budgets_writes_no_account() -> None:
    other = pipeline()
    submit(other, [event("other", time=NOVEMBER, tenant="beta", cost_usd=Decimal(5))])
    assert not [key for key, _ in other.changes() if key.startswith("budgets/")]


def test_a_budget_says_how_it_stands_from_the_first_window_on() -> None:
    spending = pipeline("3000", use_case="support", burn=())
    for day in range(1, 6):
        for part in range(24 * 10):
            moment = NOVEMBER + timedelta(days=day, minutes=6 * part)
            one = event(f"{day}.{part}", time=moment, cost_usd=Decimal("1.25"), use_case="support")
            found = spending.submit([one], moment.timestamp())
            assert [(told.series, told.line) for told in found.budgets] == (
                [("tenant=acme/use_case=support#budget-usd", "")] if found.rollups else []
            )
    (stands,) = found.budgets
    assert (stands.limit, stands.soft, stands.used) == (3000, 2400, 1500)
    assert stands.at == NOVEMBER + timedelta(days=5, hours=23, minutes=54)
    # $300 a day: three times the even pace of $100, and the rest lasts for five days more.
    assert stands.burn == pytest.approx(3.0, rel=0.1)
    assert stands.exhausted_at
    assert stands.exhausted_at - stands.at == pytest.approx(timedelta(days=5), rel=0.05)


def test_what_was_booked_on_no_budget_is_told_of_none() -> None:
    spending = pipeline("3000", use_case="support")
    events = [event(n, time=NOVEMBER + timedelta(minutes=n), cost_usd=Decimal(1)) for n in range(3)]
    output = spending.submit(events, NOVEMBER.timestamp() + 200)
    assert (len(output.rollups) > 0, output.budgets) == (True, [])


def test_what_an_outcome_is_worth_is_spent_of_no_budget_as_it_is_in_no_rollup() -> None:
    found = Spender(pipeline(limit="100"))
    assert found.spend("95", 3.0, kind="outcome") == []
    assert found.spend("1", 3.1) == []
    closed = found.pipeline.flush()
    assert sum(one.usd for one in closed.rollups if one.level == "tenant") == 1
    assert closed.budgets[-1].used == 1
