"""People's words in the Pipeline: they change what is told of a series at once, for good, and once."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from random import Random
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.clock import utc
from streamer.config import (
    BudgetConfig,
    BurstConfig,
    Config,
    DetectConfig,
    DriftConfig,
    FloorsConfig,
    GatesConfig,
    LoopConfig,
    RatioConfig,
    SilenceConfig,
    WindowsConfig,
)
from streamer.events.usage import UsageEvent
from streamer.feedback import Feedback, Verdict
from streamer.judges.relation import contains
from streamer.pipeline import Output, Pipeline
from streamer.records import Anomaly, Scope
from tests.streamer.samples import NOON, NOW, event, said, submit

DAY, BEGIN = 86_400.0, 600.0
TRIAGE = "tenant=acme/use_case=support/agent=triage#requests"
BURSTS = Config(
    detect=DetectConfig(
        silence=SilenceConfig(enabled=False),
        drift=DriftConfig(enabled=False),
        ratio=RatioConfig(enabled=False),
    )
)
# Small baselines and short memories, so that a few dozen events open and close cases.
LOOSE = GatesConfig(deviations=2, ratio=1.5, margin=1)
NERVOUS = Config(
    windows=WindowsConfig(max_entities=10),
    detect=DetectConfig(
        least_usd_per_hour=0,
        burst=BurstConfig(
            warm_up_seconds=10,
            half_life_seconds=60,
            counts=LOOSE,
            amounts=LOOSE,
            floors=FloorsConfig(tokens=0, steps=0, tool_calls=0, requests=0, usd=0),
            least_events=1,
            clear_windows=2,
        ),
        ratio=RatioConfig(size=1.2, price=1.2, evidence=1, warm_up_slices=2, least_units=1),
        silence=SilenceConfig(expected=1, least_windows=2, warm_up_windows=2),
        loop=LoopConfig(repeats=2, quiet_seconds=5),
    ),
    budgets=(BudgetConfig(tenant="acme", limit=Decimal(5)),),
)
SEEDS = st.integers(0, 2**32)


def word(verdict: Verdict, seconds: float, number: object = 1, **fields: Any) -> Feedback:
    """A person's word on acme, `seconds` after NOON."""
    known = {"id": f"f{number}", "tenant": "acme", "time": utc(NOW + seconds)}
    return Feedback(**{**known, "verdict": verdict, **fields})


def calls(start: float, seconds: float, rate: float, agent: str = "triage") -> list[UsageEvent]:
    """Requests of an agent, `rate` a second."""
    return [
        event(
            f"{agent}-{start}-{n}",
            start + n / rate,
            use_case="support",
            agent=agent,
            session=f"{agent}-{start}-{n}",
            input_tokens=200,
            requests=1,
            steps=1,
            cost_usd=Decimal("0.01"),
        )
        for n in range(int(seconds * rate))
    ]


def going_round(start: float, times: int, agent: str = "triage") -> list[UsageEvent]:
    """One call of a session, over and over."""
    fields = {"use_case": "support", "agent": agent, "session": "s1", "kind": "tool", "tool": "search"}
    return [event(f"loop-{start}-{n}", start + 5 * n, tool_args_hash="x", **fields) for n in range(times)]


def learned(*agents: str) -> Pipeline:
    """A pipeline that knows one request a second of each agent, an hour long, up to BEGIN."""
    pipeline = Pipeline(BURSTS)
    calm = [one for agent in agents or ("triage",) for one in calls(BEGIN - 3600, 3600, 1, agent)]
    assert submit(pipeline, in_order(calm)) == []
    return pipeline


def in_order(events: Iterable[UsageEvent]) -> list[UsageEvent]:
    return sorted(events, key=lambda one: one.time)


def of(anomalies: Iterable[Anomaly], *states: str) -> list[tuple[str, str]]:
    return [(one.state, one.series) for one in anomalies if one.state in states]


@pytest.mark.parametrize("verdict", ["expected", "false_alarm"])
def test_a_burst_that_people_excuse_is_closed_and_its_like_is_not_told_again(verdict: Verdict) -> None:
    pipeline = learned()
    opened, *_ = submit(pipeline, calls(600, 30, 12))
    assert said([opened]) == [("burst", TRIAGE, "opened")]
    (closed,) = pipeline.feedback(word(verdict, 630, series=TRIAGE)).anomalies
    assert (closed.id, closed.state, closed.closed_at) == (opened.id, "closed", utc(NOW + 630))
    # It goes on, ends, and comes back an hour later: nothing is told of it, nor of what holds it.
    assert submit(pipeline, calls(630, 10, 12)) == []
    assert submit(pipeline, calls(640, 3600, 1)) == []
    assert submit(pipeline, calls(4240, 20, 12)) == []
    assert pipeline.heard() == {(verdict, "applied"): 1}


def test_what_is_stronger_than_what_was_excused_is_told_while_it_grows() -> None:
    pipeline = learned()
    opened, *_ = submit(pipeline, calls(600, 30, 10))
    pipeline.feedback(word("false_alarm", 630, anomaly=opened.id))
    (again, *_) = submit(pipeline, calls(630, 30, 300))
    assert said([again]) == [("burst", TRIAGE, "opened")]
    assert again.id != opened.id
    assert again.score / (1 - again.score) > 1.2 * opened.score / (1 - opened.score)


def test_a_burst_elsewhere_is_told_while_the_excused_one_goes_on() -> None:
    pipeline = learned("triage", "solver")
    submit(pipeline, calls(600, 30, 20))
    pipeline.feedback(word("expected", 630, series=TRIAGE))
    opened, *_ = submit(pipeline, in_order([*calls(630, 30, 20), *calls(630, 30, 20, "solver")]))
    assert said([opened]) == [("burst", TRIAGE.replace("triage", "solver"), "opened")]


def test_nothing_planned_is_told_and_what_goes_on_after_the_plan_is() -> None:
    pipeline = learned()
    plan = word("planned", 590, scope=Scope("support", "triage"), until=utc(NOW + 700), id="plan")
    assert pipeline.feedback(plan).anomalies == []
    assert submit(pipeline, calls(600, 100, 20)) == []
    opened, *_ = submit(pipeline, calls(700, 30, 20))
    assert said([opened]) == [("burst", TRIAGE, "opened")]
    assert opened.opened_at >= utc(NOW + 700)


def test_a_plan_closes_what_stands_open_in_its_scope() -> None:
    pipeline = learned()
    opened, *_ = submit(pipeline, calls(600, 30, 20))
    elsewhere = word("planned", 630, 1, scope=Scope("search"), until=utc(NOW + 900))
    assert pipeline.feedback(elsewhere).anomalies == []
    (closed,) = pipeline.feedback(word("planned", 630, 2, scope=Scope("support"), until=utc(NOW + 900))).anomalies
    assert (closed.id, closed.state) == (opened.id, "closed")
    assert submit(pipeline, calls(630, 30, 20)) == []


def test_a_plan_without_a_scope_is_for_what_it_names_or_else_for_the_whole_tenant() -> None:
    for named, planned in (({"series": TRIAGE}, False), ({}, True)):
        pipeline = learned()
        submit(pipeline, calls(600, 30, 20))
        pipeline.feedback(word("planned", 630, until=utc(NOW + 4000), **named))
        assert bool(submit(pipeline, going_round(700, 10, "solver"))) != planned


def test_a_loop_that_is_excused_is_let_go_round_for_a_day() -> None:
    pipeline = Pipeline(BURSTS)
    (opened, *_) = submit(pipeline, going_round(0, 8))
    (closed,) = pipeline.feedback(word("false_alarm", 40, anomaly=opened.id)).anomalies
    assert (closed.id, closed.state) == (opened.id, "closed")
    assert submit(pipeline, going_round(45, 100)) == []
    assert of(submit(pipeline, going_round(DAY / 2, 20)), "opened") == []
    assert of(submit(pipeline, going_round(DAY + 60, 10)), "opened") == [("opened", opened.series)]


def test_a_budget_planned_to_be_used_up_is_told_of_when_the_plan_ends() -> None:
    pipeline = Pipeline(Config(budgets=(BudgetConfig(tenant="acme", limit=Decimal(10), burn=()),)))
    pipeline.feedback(word("planned", 0, until=utc(NOW + 3600)))
    assert submit(pipeline, [event(1, 10, cost_usd=Decimal(9))]) == []
    opened = submit(pipeline, [event(2, 3700, cost_usd=Decimal("0.01"))])
    assert said(opened) == [("budget", "tenant=acme#budget-usd", "opened")]
    assert opened[0].opened_at == utc(NOW + 3600)


@pytest.mark.parametrize("corrected", [600, 7200])
def test_a_corrected_plan_hides_a_budget_until_its_new_end(corrected: int) -> None:
    """Nothing more is spent: that the budget was used up would be told by nobody else."""
    pipeline = Pipeline(Config(budgets=(BudgetConfig(tenant="acme", limit=Decimal(10), burn=()),)))
    pipeline.feedback(word("planned", 0, until=utc(NOW + 3600)))
    assert submit(pipeline, [event(1, 10, cost_usd=Decimal(12))]) == []
    assert pipeline.feedback(word("planned", 120, 2, until=utc(NOW + corrected))).anomalies == []
    assert pipeline.tick(NOW + corrected - 1).anomalies == []
    (opened,) = pipeline.tick(NOW + corrected + 300).anomalies
    assert (opened.state, opened.line, opened.opened_at) == ("opened", "hard", utc(NOW + corrected))


def test_an_excused_line_of_a_budget_does_not_hide_the_next() -> None:
    pipeline = Pipeline(Config(budgets=(BudgetConfig(tenant="acme", limit=Decimal(10), burn=()),)))
    (soft,) = submit(pipeline, [event(1, 10, cost_usd=Decimal(8))])
    (closed,) = pipeline.feedback(word("expected", 20, series=soft.series)).anomalies
    assert (closed.id, closed.state) == (soft.id, "closed")
    (hard,) = submit(pipeline, [event(2, 30, cost_usd=Decimal(5))])
    assert (hard.state, hard.line) == ("opened", "hard")


def months(**fields: Any) -> Pipeline:
    """A tenant with a budget of $10 a month; NOON is on the 22nd of November."""
    return Pipeline(Config(budgets=(BudgetConfig(tenant="acme", limit=Decimal(10), **fields),)))


@pytest.mark.parametrize("verdict", ["expected", "false_alarm"])
@pytest.mark.parametrize("spent", [8, 12])
def test_what_is_said_of_a_budgets_line_holds_until_its_period_ends_and_no_longer(verdict: Verdict, spent: int) -> None:
    pipeline = months(burn=())
    (crossed,) = submit(pipeline, [event(1, 10, cost_usd=Decimal(spent))])
    pipeline.feedback(word(verdict, 20, series=crossed.series))
    more = [event(f"m{day}", day * DAY, cost_usd=Decimal(spent) / 40) for day in range(1, 8)]
    assert submit(pipeline, more) == []
    told = submit(pipeline, [event("d1", 9 * DAY, cost_usd=Decimal(8)), event("d2", 10 * DAY, cost_usd=Decimal(3))])
    assert [(one.state, one.line, one.opened_at.month) for one in told] == [
        ("opened", "soft", 12),
        ("updated", "hard", 12),
    ]


def test_what_is_said_of_a_line_after_its_period_ended_changes_nothing_of_the_next() -> None:
    pipeline = months(burn=())
    (crossed,) = submit(pipeline, [event(1, 10, cost_usd=Decimal(12))])
    submit(pipeline, [event(2, 9 * DAY, cost_usd=Decimal(1))])
    assert pipeline.feedback(word("expected", 9 * DAY, anomaly=crossed.id)).anomalies == []
    assert pipeline.heard() == {("expected", "ignored"): 1}
    (soft,) = submit(pipeline, [event(3, 10 * DAY, cost_usd=Decimal(7))])
    assert (soft.state, soft.line) == ("opened", "soft")


def test_a_burn_that_was_expected_hides_no_line() -> None:
    pipeline = months()
    (burn,) = submit(pipeline, [event(1, -20 * DAY, cost_usd=Decimal(1)), event(2, 10 - 20 * DAY, cost_usd=Decimal(3))])
    assert (burn.line, burn.score > 0.57) == ("burn", True)
    pipeline.feedback(word("expected", 20 - 20 * DAY, series=burn.series))
    (soft,) = submit(pipeline, [event(3, 30 - 20 * DAY, cost_usd=Decimal(4))])
    assert (soft.state, soft.line) == ("opened", "soft")


def grown(start: float, seconds: float, tokens: int) -> list[UsageEvent]:
    """A request every five seconds, of so many tokens."""
    return [
        event(
            f"g-{start}-{n}", start + 5 * n, use_case="support", agent="triage", session=f"{start}-{n}", requests=1,
            input_tokens=tokens, cost_usd=Decimal(tokens) / 100_000,
        )
        for n in range(int(seconds / 5))
    ]  # fmt: skip


@pytest.mark.parametrize("verdict", ["expected", "false_alarm"])
def test_requests_that_grew_as_expected_are_the_new_usual_and_what_grows_further_is_told(verdict: Verdict) -> None:
    pipeline = Pipeline(Config())
    assert submit(pipeline, grown(0, 3600, 1000)) == []
    opened, *_ = submit(pipeline, grown(3600, 1200, 3000))
    assert opened.kind == "bloat"
    (closed,) = pipeline.feedback(word(verdict, 4800, series=opened.series)).anomalies
    assert (closed.id, closed.state) == (opened.id, "closed")
    assert submit(pipeline, grown(4800, 3600, 3000)) == []
    assert of(submit(pipeline, grown(8400, 1200, 12_000)), "opened") == [("opened", opened.series)]


def test_a_repeated_word_changes_nothing_and_is_counted() -> None:
    pipeline = learned()
    submit(pipeline, calls(600, 30, 20))
    pipeline.feedback(word("expected", 630, series=TRIAGE))
    before = pipeline.heard()
    assert pipeline.feedback(word("expected", 630, series=TRIAGE)) == Output()
    assert pipeline.heard() - before == {("expected", "repeated"): 1}


def test_the_same_word_on_another_anomaly_is_another() -> None:
    pipeline = learned()
    burst = submit(pipeline, calls(600, 30, 20))[0]
    loop = next(one for one in submit(pipeline, going_round(630, 8)) if one.kind == "loop")
    for one in (burst, loop):
        pipeline.feedback(word("false_alarm", 670, anomaly=one.id))
    assert pipeline.heard() == {("false_alarm", "applied"): 2}


@pytest.mark.parametrize(
    ("feedback", "outcome"),
    [
        (word("expected", 700, series="tenant=acme#nothing"), "unknown"),
        (word("false_alarm", 700, anomaly="nobody"), "unknown"),
        (word("planned", 700, series="tenant=acme#nothing", until=utc(NOW + 800)), "unknown"),
        (word("false_alarm", 700, series=TRIAGE, tenant="nobody"), "unknown"),
        (word("planned", 100, until=utc(NOW + 200)), "ignored"),
        (word("acknowledge", 700, series=TRIAGE), "ignored"),
        (word("mute", 700, series=TRIAGE), "ignored"),
    ],
)
def test_what_means_nothing_here_is_counted_and_changes_nothing(feedback: Feedback, outcome: str) -> None:
    pipeline = learned()
    opened = submit(pipeline, calls(600, 30, 20))[0]
    assert pipeline.feedback(feedback) == Output()
    assert pipeline.heard() == {(feedback.verdict, outcome): 1}
    assert {one.id for one in submit(pipeline, calls(630, 30, 20))} == {opened.id}


def test_a_plan_may_come_before_its_tenant() -> None:
    pipeline = Pipeline(BURSTS)
    pipeline.feedback(word("planned", 0, until=utc(NOW + 600)))
    assert submit(pipeline, going_round(10, 10)) == []


def test_a_clock_ahead_makes_no_event_count_twice() -> None:
    pipeline = Pipeline(BURSTS)
    submit(pipeline, [event(1, 0)])
    pipeline.feedback(word("planned", 30 * DAY, until=utc(NOW + 31 * DAY)))
    submit(pipeline, [event(1, 0)])
    assert pipeline.counts()["duplicate"] == 1


# A tenant's life: events, words, passing time, checkpoints.
Step = tuple[Literal["submit", "say", "tick", "checkpoint"], int, float]


class Life:
    """Plays steps into a Pipeline; words are about what the Pipeline told before."""

    def __init__(self, pipeline: Pipeline, told: Iterable[Anomaly] = (), times: int = 1) -> None:
        self.pipeline, self.told, self.times = pipeline, list(told), times
        self.now, self.log = NOW, dict[str, bytes]()

    def play(self, steps: Iterable[Step]) -> list[bytes]:
        return [self._step(*step) for step in steps]

    def keep(self) -> None:
        for key, part in self.pipeline.changes():
            self.log.pop(key, None) if part is None else self.log.update({key: part})

    def _step(self, what: str, seed: int, pause: float) -> bytes:
        self.now += pause
        output = Output()
        if what == "submit":
            output = self.pipeline.submit(self._events(Random(seed)), self.now)
        elif what == "tick":
            output = self.pipeline.tick(self.now)
        elif what == "checkpoint":
            self.keep()
        else:
            said = self._word(Random(seed))
            output = self.pipeline.feedback(said)
            for _ in range(self.times - 1):
                assert self.pipeline.feedback(said) == Output()
        assert output.failed == []
        self.told += output.anomalies
        return msgspec.json.encode([output.anomalies, output.rollups])

    def _events(self, rng: Random) -> list[UsageEvent]:
        busy = 20 if rng.random() < 0.2 else 1
        fields: dict[str, Any] = {
            "use_case": rng.choice(["u", "u", "v"]),
            "agent": rng.choice(["g", "h"]),
            "session": rng.choice(["", "s", "t"]),
            "kind": rng.choice(["llm", "llm", "tool"]),
            "tool": "search",
            "tool_args_hash": rng.choice(["x", "x", "y"]),
            "tool_calls": 1,
            "requests": 1,
            "input_tokens": rng.choice([10, 500]) * busy,
            "cost_usd": Decimal(rng.randrange(1, 500_000)).scaleb(-6),
        }
        at = self.now - NOW - rng.choice([0, 0, 0, 1, 12])
        return [event(f"{rng.random()}-{n}", max(0, at), **fields) for n in range(busy)]

    def _word(self, rng: Random) -> Feedback:
        about = rng.choice(self.told) if self.told else None
        verdict = rng.choice(["expected", "planned", "planned", "false_alarm", "mute"])
        scope = Scope(*(rng.choice(["", name]) for name in ("u", "g")))
        return word(
            verdict,  # type: ignore[arg-type]
            self.now - NOW,
            rng.random(),
            series=about.series if about and rng.random() < 0.7 else "",
            anomaly=about.id if about and rng.random() < 0.3 else "",
            scope=scope if rng.random() < 0.7 else Scope(),
            until=utc(self.now + rng.choice([5, 30, 200])) if verdict == "planned" else None,
        )


def life(seed: int) -> list[Step]:
    rng = Random(seed)
    kinds = rng.choices(["submit", "say", "tick", "checkpoint"], [12, 2, 2, 1], k=rng.randrange(200))
    pauses = [rng.choice([0, 0.5, 2, 2, 5, 40 if rng.random() < 0.1 else 1]) for _ in kinds]
    return [(kind, rng.randrange(2**32), pause) for kind, pause in zip(kinds, pauses, strict=True)]  # type: ignore[misc]


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.floats(0, 1))
def test_a_restart_between_any_two_steps_changes_nothing(seed: int, share: float) -> None:
    steps = life(seed)
    cut = int(share * len(steps))
    whole = Life(Pipeline(NERVOUS))
    whole.play(steps[:cut])
    whole.pipeline.tick(whole.now)
    whole.keep()
    restored = Life(Pipeline(NERVOUS), whole.told)
    restored.pipeline.restore(whole.log)
    restored.pipeline.tick(whole.now)
    restored.now, restored.log = whole.now, dict(whole.log)
    assert restored.play(steps[cut:]) == whole.play(steps[cut:])
    last: list[Step] = [("tick", 0, 1000.0), ("submit", 1, 1.0), ("checkpoint", 0, 0.0)]
    assert restored.play(last) == whole.play(last)
    assert restored.log == whole.log


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_words_that_are_said_twice_count_once(seed: int) -> None:
    steps = life(seed)
    assert Life(Pipeline(NERVOUS)).play(steps) == Life(Pipeline(NERVOUS), times=2).play(steps)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_whatever_people_say_a_case_is_opened_once_and_closed_at_most_once(seed: int) -> None:
    lived = Life(Pipeline(NERVOUS))
    lived.play([*life(seed), ("tick", 0, 10_000.0)])
    states: dict[str, list[str]] = defaultdict(list)
    for one in lived.told:
        states[one.id].append(one.state)
        assert one.opened_at <= one.updated_at
        assert (one.closed_at is not None) == (one.state == "closed")
    for seen in states.values():
        assert seen[0] == "opened"
        assert seen.count("opened") == 1
        assert set(seen[1:-1]) <= {"updated"}


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.floats(0, 1), st.sampled_from([Scope(), Scope("u"), Scope("u", "g"), Scope(session="s")]))
def test_nothing_in_a_planned_scope_is_opened_before_the_plan_ends(seed: int, share: float, scope: Scope) -> None:
    steps = [step for step in life(seed) if step[0] != "say"]
    cut = int(share * len(steps))
    lived = Life(Pipeline(NERVOUS))
    lived.play(steps[:cut])
    until = lived.now + 60
    plan = word("planned", lived.now - NOW, "plan", scope=scope, until=utc(until))
    known = max([NOON, *(one.updated_at for one in lived.told)])
    told = list(lived.pipeline.feedback(plan).anomalies)
    seen = len(lived.told)
    lived.play(steps[cut:])
    assert all(one.state == "closed" and contains(scope, one.scope) for one in told)
    for one in lived.told[seen:]:
        assert (
            one.state != "opened" or one.opened_at >= utc(until) or not contains(scope, one.scope) or known > utc(until)
        )
