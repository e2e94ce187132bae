"""The Pipeline: exact totals, early verdicts, and the same bytes out whatever was interrupted."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.config import (
    BudgetConfig,
    BurstConfig,
    Config,
    DetectConfig,
    EventsConfig,
    FloorsConfig,
    LoopConfig,
    PricingConfig,
    WindowsConfig,
)
from streamer.events.usage import UsageEvent
from streamer.pipeline import Output, Pipeline
from streamer.pricing.book import PriceBook
from streamer.records import Rollup
from tests.streamer.samples import NOW, event, said, submit

# Small baselines and short memories, so that a few dozen events open and close cases of every kind.
NERVOUS = Config(
    windows=WindowsConfig(max_entities=10),
    pricing=PricingConfig(tool=Decimal("0.01")),
    events=EventsConfig(duplicate_span_seconds=120),
    detect=DetectConfig(
        burst=BurstConfig(
            warm_up_seconds=10,
            half_life_seconds=60,
            deviations=2,
            ratio=1.5,
            floors=FloorsConfig(tokens=0, steps=0, tool_calls=0, requests=0, usd=0),
            clear_windows=2,
            max_series=10,
        ),
        loop=LoopConfig(repeats=2, cycle_repeats=2, longest_cycle=3, quiet_seconds=5, max_sessions=10),
    ),
    budgets=(
        BudgetConfig(tenant="acme", limit=Decimal(5)),
        BudgetConfig(tenant="beta", use_case="u", metric="tokens", limit=Decimal(3000)),
    ),
)
STEADY = Config()
SEEDS = st.integers(0, 2**32)
# A worker's life: events, passing time, checkpoints.
Step = tuple[Literal["submit", "tick", "checkpoint"], UsageEvent, float]


def drawn(rng: Random, number: int, seconds: float) -> UsageEvent:
    """Some event: of one of two tenants, often the same tool call, now and then a burst, a credit or a repeated id."""
    busy = rng.random() < 0.05
    return event(
        rng.randrange(number + 1) if rng.random() < 0.1 else number,
        round(seconds, 3),
        tenant=rng.choice(["acme", "beta"]),
        use_case=rng.choice(["", "u", "u", "v"]),
        agent=rng.choice(["", "g"]),
        session=rng.choice(["", "s", "s", "t"]),
        kind=rng.choice(["llm", "tool", "tool", "vector", "saas", "outcome"]),
        model=rng.choice(["", "gpt-4o", "in-house"]),
        tool=rng.choice(["", "search", "search"]),
        tool_args_hash=rng.choice(["", "x", "x", "y"]),
        input_tokens=rng.choice([0, 1, 10, 500]) * (1000 if busy else 1),
        output_tokens=rng.choice([0, 7]),
        steps=rng.choice([0, 1]),
        tool_calls=rng.choice([0, 1, 3]) * (50 if busy else 1),
        requests=rng.choice([0, 1]),
        cost_usd=rng.choice([None, Decimal(rng.randrange(-100, 500_000)).scaleb(-6)]),
        status=rng.choice(["ok", "ok", "error"]),
    )


def stream(seed: int) -> list[UsageEvent]:
    """A few minutes of events, some of them late."""
    rng = Random(seed)
    return [drawn(rng, n, max(0, 2 * n - rng.choice([0, 0, 0, 1, 12, 60]))) for n in range(rng.randrange(120))]


def life(seed: int) -> list[Step]:
    """Events with now and then a silence, a tick or a checkpoint between them."""
    rng, steps, at = Random(seed), list[Step](), 0.0
    for number in range(rng.randrange(200)):
        pause = rng.choice([0, 0.5, 2, 2, 5, 40 if rng.random() < 0.1 else 1])
        at += pause
        what = rng.choices(["submit", "tick", "checkpoint"], [8, 2, 1])[0]
        steps.append((what, drawn(rng, number, max(0, at - rng.choice([0, 0, 0, 1, 12, 60]))), pause))  # type: ignore[arg-type]
    return steps


def encoded(output: Output) -> bytes:
    return msgspec.json.encode([output.anomalies, output.rollups])


def rollups_of(pipeline: Pipeline, events: Iterable[UsageEvent]) -> list[Rollup]:
    """All rollups of events that arrive one by one, each at its own time, and of the end."""
    found = [rollup for one in events for rollup in pipeline.submit([one], one.time.timestamp()).rollups]
    return found + pipeline.flush().rollups


def first_of_each_id(events: Iterable[UsageEvent]) -> list[UsageEvent]:
    found: dict[tuple[str, str], UsageEvent] = {}
    for one in events:
        found.setdefault((one.tenant, one.id), one)
    return list(found.values())


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_rollups_hold_what_was_submitted_to_the_last_unit(seed: int) -> None:
    """Late events and repeated ids among them: on-time and late rollups of a tenant add up to its events."""
    events = stream(seed)
    config = NERVOUS.model_copy(update={"events": EventsConfig()})
    rolled: dict[str, Counter[str]] = defaultdict(Counter)
    usd: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for rollup in rollups_of(Pipeline(config), events):
        if rollup.level == "tenant":
            counts = {name: getattr(rollup, name) for name in ("events", "input_tokens", "output_tokens", "errors")}
            rolled[rollup.tenant].update(counts | {"steps": rollup.steps, "tool_calls": rollup.tool_calls})
            assert sum(rollup.usd_by_kind.values(), Decimal(0)) == rollup.usd
            for kind, amount in rollup.usd_by_kind.items():
                usd[rollup.tenant, kind] += amount
    own: dict[str, Counter[str]] = defaultdict(Counter)
    spent: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    prices = PriceBook(config.pricing.units())
    for one in first_of_each_id(events):
        counts = {name: getattr(one, name) for name in ("input_tokens", "output_tokens", "steps", "tool_calls")}
        own[one.tenant].update(counts | {"events": 1, "errors": int(one.status == "error")})
        if one.kind != "outcome":
            spent[one.tenant, one.kind] += prices.cost(one).usd
    assert rolled == own
    assert {key: amount for key, amount in usd.items() if amount} == {
        k: amount for k, amount in spent.items() if amount
    }


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_every_level_adds_up_to_its_events(seed: int) -> None:
    events = stream(seed)
    config = Config(detect=NERVOUS.detect)
    rollups = rollups_of(Pipeline(config), events)
    for level in ("use_case", "agent", "model", "session"):
        named = [one for one in first_of_each_id(events) if getattr(one, level)]
        assert sum(rollup.input_tokens for rollup in rollups if rollup.level == level) == sum(
            one.input_tokens for one in named
        )


def played(pipeline: Pipeline, steps: Iterable[Step], now: float, log: dict[str, bytes]) -> tuple[list[bytes], float]:
    """Play steps from `now` on; gives each one's output and the time at the end."""
    outputs = []
    for step, one, pause in steps:
        now += pause
        if step == "checkpoint":
            keep(pipeline, log)
        else:
            outputs.append(encoded(pipeline.tick(now) if step == "tick" else pipeline.submit([one], now)))
    return outputs, now


def keep(pipeline: Pipeline, log: dict[str, bytes]) -> None:
    """Lay what changed over what was kept before."""
    for key, part in pipeline.changes():
        if part is None:
            log.pop(key, None)
        else:
            log[key] = part


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.floats(0, 1))
def test_a_pipeline_that_is_restored_anywhere_goes_on_to_the_byte(seed: int, share: float) -> None:
    steps = life(seed)
    cut = int(share * len(steps))
    before, after = steps[:cut], steps[cut:]
    pipeline, log = Pipeline(NERVOUS), dict[str, bytes]()
    _, now = played(pipeline, before, NOW, log)
    pipeline.tick(now)
    keep(pipeline, log)
    restored = Pipeline(NERVOUS)
    restored.restore(log)
    # Time that brought nothing out is in no checkpoint: letting it pass again brings nothing out either.
    assert encoded(restored.tick(now)) == encoded(Output())
    outputs, end = played(pipeline, after, now, {})
    assert played(restored, after, now, {}) == (outputs, end)
    assert encoded(restored.tick(end + 100)) == encoded(pipeline.tick(end + 100))
    assert encoded(restored.flush()) == encoded(pipeline.flush())


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_a_restored_state_is_written_as_the_same_bytes(seed: int) -> None:
    steps = life(seed)
    pipeline, log = Pipeline(NERVOUS), dict[str, bytes]()
    _, now = played(pipeline, steps, NOW, log)
    keep(pipeline, log)
    restored, again = Pipeline(NERVOUS), dict(log)
    restored.restore(log)
    newest = [event("newest", now - NOW + 1000, tenant=tenant) for tenant in ("acme", "beta")]
    for one, kept in ((pipeline, log), (restored, again)):
        one.submit(newest, now + 1000)
        keep(one, kept)
    assert again == log


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_another_tenants_events_change_nothing(seed: int) -> None:
    steps = life(seed)
    both, alone = Pipeline(NERVOUS), Pipeline(NERVOUS)
    now = NOW
    for step, one, pause in steps:
        now += pause
        if step == "tick":
            outputs = both.tick(now), alone.tick(now)
        else:
            mine = [one] if one.tenant == "acme" else []
            outputs = both.submit([one], now), alone.submit(mine, now)
        ours = [
            Output(
                [a for a in output.anomalies if a.tenant == "acme"], [r for r in output.rollups if r.tenant == "acme"]
            )
            for output in outputs
        ]
        assert encoded(ours[0]) == encoded(ours[1])


@settings(max_examples=30, deadline=None)
@given(SEEDS)
@example(seed=6347)
def test_a_case_is_opened_once_and_closed_once_and_no_moment_goes_back(seed: int) -> None:
    events = stream(seed)
    pipeline = Pipeline(NERVOUS)
    anomalies = submit(pipeline, events) + pipeline.tick(NOW + 10_000).anomalies + pipeline.flush().anomalies
    states: dict[str, list[str]] = defaultdict(list)
    for anomaly in anomalies:
        states[anomaly.id].append(anomaly.state)
        assert anomaly.opened_at <= anomaly.updated_at
        assert 0 <= anomaly.score <= 1
        assert (anomaly.closed_at is not None) == (anomaly.state == "closed")
    for seen in states.values():
        assert seen[0] == "opened"
        assert set(seen[1:-1]) <= {"updated"}
        assert seen.count("opened") == 1


def test_counts_say_what_became_of_the_events() -> None:
    pipeline = Pipeline(Config())
    submit(pipeline, [event(1), event(1), event(2, 60), event(3, 0, model="in-house", input_tokens=1)])
    assert pipeline.counts() == {"counted": 3, "duplicate": 1, "late": 1, "unpriced": 3}
    assert pipeline.unpriced() == ["kind llm", "model /in-house"]


def steady(windows: int, **fields: Any) -> list[UsageEvent]:
    """One event of 1,000 tokens in each of the first windows."""
    return [event(f"steady-{n}", 10 * n, input_tokens=1000, **fields) for n in range(windows)]


AGENT = {"use_case": "support", "agent": "triage"}
SERIES = [
    "tenant=acme#tokens",
    "tenant=acme/use_case=support#tokens",
    "tenant=acme/use_case=support/agent=triage#tokens",
]


def bursting() -> Pipeline:
    """A pipeline that knows its level, 40 windows long."""
    pipeline = Pipeline(STEADY)
    assert submit(pipeline, steady(40, **AGENT)) == []
    return pipeline


def test_a_burst_opens_at_the_event_that_passes_the_ceiling() -> None:
    pipeline = bursting()
    rush = [event(f"rush-{n}", 400 + n / 10, input_tokens=900, **AGENT) for n in range(90)]
    opening = next(n for n, one in enumerate(rush) if submit(pipeline, [one]))
    assert 900 * opening <= 1000 + 20_000 < 900 * (opening + 1)
    # The window was open until 12:06:50; nothing more is said of it before it closes.
    assert submit(pipeline, rush[opening + 1 :]) == []


def test_a_burst_is_told_in_full_and_closes_after_quiet_windows() -> None:
    pipeline = bursting()
    rush = event("rush", 401, input_tokens=100_000, **AGENT)
    opened = submit(pipeline, [rush])
    assert said(opened) == [("burst", series, "opened") for series in SERIES]
    assert all(anomaly.opened_at == rush.time for anomaly in opened)
    assert opened[0].observed == 100_000
    assert opened[0].expected == pytest.approx(1000, rel=0.01)
    assert opened[0].reason == "100,000 tokens in 10 s, 100.0 times the usual 1,000"
    after = submit(pipeline, [event(f"after-{n}", 410 + 10 * n, input_tokens=1000, **AGENT) for n in range(5)])
    assert {anomaly.state for anomaly in after[:3]} == {"updated"}
    closed = after[3:]
    assert sorted(said(closed)) == sorted(("burst", series, "closed") for series in SERIES)
    # The burst's own window ended at 410, and three quiet ones after it.
    assert {anomaly.closed_at.timestamp() - NOW for anomaly in closed if anomaly.closed_at} == {440}


def test_a_burst_that_is_followed_by_silence_closes_by_the_clock_alone() -> None:
    pipeline = bursting()
    submit(pipeline, [event("rush", 401, input_tokens=100_000, **AGENT)])
    ended = [*pipeline.tick(NOW + 430).anomalies, *pipeline.tick(NOW + 470).anomalies]
    assert sorted(said(ended)) == sorted(
        ("burst", series, state) for series in SERIES for state in ("updated", "closed")
    )


def test_silence_before_a_burst_does_not_end_it() -> None:
    """The windows of the silence close after the burst was opened, and would be quiet ones if they counted."""
    pipeline = bursting()
    rush = [event(f"rush-{n}", 1000 + n, input_tokens=100_000, **AGENT) for n in range(5)]
    assert said(submit(pipeline, rush)) == [("burst", series, "opened") for series in SERIES]


def test_windows_that_close_after_a_burst_was_opened_but_lie_before_it_do_not_end_it() -> None:
    pipeline = Pipeline(Config(windows=WindowsConfig(lateness_seconds=60)))
    submit(pipeline, steady(40))
    (opened,) = submit(pipeline, [event("rush", 401, input_tokens=100_000)])
    later = submit(pipeline, [event(f"later-{n}", 410 + 10 * n, input_tokens=1000) for n in range(12)])
    assert {anomaly.id for anomaly in later} == {opened.id}
    assert [anomaly.state for anomaly in later] == ["updated", "closed"]
    assert later[-1].closed_at is not None
    assert later[-1].closed_at.timestamp() == NOW + 440


def test_credits_are_counted_and_break_nothing() -> None:
    pipeline = Pipeline(STEADY)
    credits = [event(n, 10 * n, cost_usd=Decimal("-2.5")) for n in range(40)]
    rollups = rollups_of(pipeline, credits)
    assert sum(rollup.usd for rollup in rollups) == Decimal(-100)


def call(number: int, seconds: float, **fields: Any) -> UsageEvent:
    """The same tool call of one session, again."""
    known = {"kind": "tool", "tool": "search_orders", "tool_args_hash": "x", "session": "s1", "tool_calls": 1}
    return event(f"call-{number}", seconds, **known, **AGENT, cost_usd=Decimal("0.5"), **fields)


LOOP = "tenant=acme/session=s1#loop"


def test_a_loop_opens_at_the_call_that_proves_it_and_closes_when_the_session_is_quiet() -> None:
    pipeline = Pipeline(STEADY)
    assert submit(pipeline, [call(n, 2 * n) for n in range(5)]) == []
    (opened,) = submit(pipeline, [call(5, 10)])
    assert said([opened]) == [("loop", LOOP, "opened")]
    assert opened.opened_at.timestamp() == NOW + 10
    assert (opened.observed, opened.usd_excess, opened.scope.tool) == (6, 3, "search_orders")
    assert opened.reason == "search_orders called 6 times with the same arguments in 10 s"
    (updated,) = submit(pipeline, [call(6, 12)])
    assert (updated.id, updated.state, updated.observed) == (opened.id, "updated", 7)
    # Thirty seconds of quiet, after what events may be late (5) and the clock may wait (5).
    assert pipeline.tick(NOW + 12 + 39).anomalies == []
    (closed,) = pipeline.tick(NOW + 12 + 40).anomalies
    assert (closed.id, closed.state) == (opened.id, "closed")
    assert closed.closed_at is not None
    assert closed.closed_at.timestamp() == NOW + 12 + 30
    assert closed.usd_per_hour == 0


def test_loops_that_end_together_are_closed_in_the_same_order_after_a_restart() -> None:
    def loop(pipeline: Pipeline) -> None:
        for session in ("s2", "s1"):
            submit(
                pipeline, [event(f"{session}-{n}", n, session=session, tool="t", tool_args_hash="x") for n in range(6)]
            )
        submit(pipeline, [event("more", 6, session="s2")])

    pipeline, restored = Pipeline(STEADY), Pipeline(STEADY)
    loop(pipeline)
    restored.restore({key: part for key, part in pipeline.changes() if part is not None})
    closed = pipeline.tick(NOW + 100)
    assert len(closed.anomalies) == 2
    assert encoded(restored.tick(NOW + 100)) == encoded(closed)


def test_a_budget_opens_at_the_soft_line_is_raised_at_the_hard_one_and_closes_with_the_month() -> None:
    config = Config(budgets=(BudgetConfig(tenant="acme", use_case="support", limit=Decimal(10)),))
    pipeline = Pipeline(config)

    def spend(number: int, usd: str, use_case: str = "support", time: datetime | None = None) -> list[Any]:
        moment = time or datetime(2026, 11, 22, 12, number, tzinfo=UTC)
        return submit(pipeline, [event(number, time=moment, use_case=use_case, cost_usd=Decimal(usd))])

    series = "tenant=acme/use_case=support#budget-usd"
    assert spend(1, "7.99") == []
    assert spend(2, "100", use_case="other") == []
    (soft,) = spend(3, "0.01")
    assert said([soft]) == [("budget", series, "opened")]
    assert soft.reason == "80% of the month's budget of 10 usd is used up (soft line)"
    assert spend(4, "1") == []
    (hard,) = spend(5, "1")
    assert (hard.id, hard.state, hard.score, hard.usd_excess) == (soft.id, "updated", 0.95, 0)
    assert spend(6, "5") == []
    (closed,) = spend(7, "1", time=datetime(2026, 12, 1, tzinfo=UTC))
    assert (closed.id, closed.state) == (soft.id, "closed")
    (again,) = spend(8, "8", time=datetime(2026, 12, 2, tzinfo=UTC))
    assert again.state == "opened"
    assert again.id != soft.id


def test_an_idle_tenants_windows_close_by_the_clock() -> None:
    pipeline = Pipeline(STEADY)
    submit(pipeline, [event(1, 3, input_tokens=5), event(2, 12, input_tokens=7)])
    assert pipeline.tick(NOW + 19).rollups == []
    rollups = pipeline.tick(NOW + 30).rollups
    assert [(r.start.timestamp() - NOW, r.input_tokens, r.late) for r in rollups] == [(0, 5, False), (10, 7, False)]
    assert pipeline.tick(NOW + 1000).rollups == []


def test_what_comes_after_its_window_was_closed_is_rolled_up_as_late() -> None:
    pipeline = Pipeline(STEADY)
    submit(pipeline, [event(1, 3, input_tokens=5), event(2, 60)])
    (late,) = pipeline.submit([event(3, 4, input_tokens=7)], NOW + 60).rollups
    assert (late.start.timestamp() - NOW, late.input_tokens, late.late) == (0, 7, True)
    assert pipeline.counts()["late"] == 1


def test_past_the_cap_entities_are_folded_and_the_tenants_totals_stay() -> None:
    pipeline = Pipeline(Config(windows=WindowsConfig(max_entities=10)))
    rollups = rollups_of(pipeline, [event(n, n / 10, use_case=f"u{n}", input_tokens=1) for n in range(50)])
    by_level: Counter[str] = Counter()
    for rollup in rollups:
        by_level[rollup.level] += rollup.input_tokens
    assert by_level == {"tenant": 50, "use_case": 50}
    assert len(rollups) == 11
    (other,) = [rollup for rollup in rollups if rollup.scope.use_case == "other"]
    assert other.input_tokens == 50 - 9
    assert pipeline.counts()["folded"] == 50 - 9


def test_an_entity_that_is_folded_is_not_judged_by_what_others_used() -> None:
    pipeline = Pipeline(Config(windows=WindowsConfig(max_entities=10)))
    submit(pipeline, steady(40, use_case="quiet"))
    crowd = [event(f"crowd-{n}", 400 + n / 10, use_case=f"u{n}", input_tokens=30_000) for n in range(20)]
    last = event("quiet", 405, use_case="quiet", input_tokens=1000)
    assert {anomaly.series for anomaly in submit(pipeline, [*crowd, last])} == {"tenant=acme#tokens"}
