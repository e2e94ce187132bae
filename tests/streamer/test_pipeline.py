"""The Pipeline: exact totals, early verdicts, and the same bytes out whatever was interrupted."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from random import Random
from typing import Any, Literal, cast

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.config import (
    BudgetConfig,
    BurstConfig,
    BusyworkConfig,
    Config,
    DetectConfig,
    DriftConfig,
    EventsConfig,
    FloorsConfig,
    GatesConfig,
    LoopConfig,
    PriceConfig,
    PricingConfig,
    RatioConfig,
    SilenceConfig,
    WindowsConfig,
)
from streamer.dedup import SeenIds
from streamer.events.usage import UsageEvent
from streamer.pipeline import Output, Pipeline
from streamer.pricing.book import PriceBook
from streamer.pricing.money import dollars, femtodollars
from streamer.records import Rollup, Scope
from streamer.tenant import TenantMeter
from tests.streamer.samples import NOW, event, said, submit

# Small baselines and short memories, so that a few dozen events open and close cases of every kind.
NERVOUS = Config(
    windows=WindowsConfig(max_entities=10),
    pricing=PricingConfig(prices=(PriceConfig(kind="tool", each=Decimal("0.01")),)),
    events=EventsConfig(duplicate_span_seconds=120),
    detect=DetectConfig(
        max_series=10,
        least_usd_per_hour=0,
        burst=BurstConfig(
            warm_up_seconds=10,
            half_life_seconds=60,
            counts=GatesConfig(deviations=2, ratio=1.5, margin=1),
            amounts=GatesConfig(deviations=2, ratio=1.5, margin=1),
            floors=FloorsConfig(tokens=0, steps=0, tool_calls=0, requests=0, usd=0),
            least_events=1,
            clear_windows=2,
        ),
        ratio=RatioConfig(
            size=1.2, price=1.2, uncached=1.2, evaluation=1.2, evidence=0.5, warm_up_slices=2, least_units=1
        ),
        drift=DriftConfig(slice_seconds=60, ratio=1.2, share=1.2, evidence=0.5, warm_up_slices=2),
        silence=SilenceConfig(expected=1, least_windows=2, warm_up_windows=2, margin=1, longest_seconds=600),
        loop=LoopConfig(
            repeats=2,
            window=4,
            longest_cycle=2,
            ring_handovers=3,
            growth_steps=2,
            growth_factor=1,
            pause_seconds=5,
            quiet_seconds=5,
            max_sessions=10,
        ),
        busywork=BusyworkConfig(
            slice_seconds=10,
            longest_seconds=30,
            lag_seconds=10,
            expected=1,
            ratio=1.1,
            evidence=0.1,
            warm_up_outcomes=1,
            max_series=10,
        ),
    ),
    budgets=(
        BudgetConfig(tenant="acme", limit=Decimal(5)),
        BudgetConfig(tenant="acme", period="quarter", limit=Decimal(50), soft=Decimal("0.9")),
        BudgetConfig(tenant="beta", use_case="u", metric="tokens", limit=Decimal(3000)),
    ),
)
STEADY = Config(windows=WindowsConfig(stagger_seconds=0), detect=DetectConfig(burst=BurstConfig(clear_windows=3)))
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
        agent=rng.choice(["", "g", "h"]),
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
    assert output.failed == []
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
    prices = PriceBook(config.pricing)
    for one in first_of_each_id(events):
        counts = {name: getattr(one, name) for name in ("input_tokens", "output_tokens", "steps", "tool_calls")}
        own[one.tenant].update(counts | {"events": 1, "errors": int(one.status == "error")})
        if one.kind != "outcome":
            spent[one.tenant, one.kind] += dollars(prices.cost(one)[0])
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
@example(81, 0.9)
@example(424, 0.9)
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
        if step == "checkpoint":
            assert parts_of(both, "acme") == parts_of(alone, "acme")
            continue
        if step == "tick":
            outputs = both.tick(now), alone.tick(now)
        else:
            mine = [one] if one.tenant == "acme" else []
            outputs = both.submit([one], now), alone.submit(mine, now)
        assert encoded(only(outputs[0], "acme")) == encoded(outputs[1])


def only(output: Output, *tenants: str) -> Output:
    """What an output says of some tenants."""
    assert output.failed == []
    return Output(
        [anomaly for anomaly in output.anomalies if anomaly.tenant in tenants],
        [rollup for rollup in output.rollups if rollup.tenant in tenants],
    )


def parts_of(pipeline: Pipeline, *tenants: str) -> dict[str, bytes | None]:
    """The changed parts of some tenants."""
    return {key: part for key, part in pipeline.changes() if owner(key) in tenants}


def owner(key: str) -> str:
    """Whose a part is; none of these tests' tenants has a slash in its name."""
    return key.split("/")[1 if key.startswith("tenant/") else 2]


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


def bursting() -> Pipeline:
    """A pipeline that knows its level, 40 windows long."""
    pipeline = Pipeline(STEADY)
    assert submit(pipeline, steady(40, **AGENT)) == []
    return pipeline


def rushing(seconds: float = 400, **fields: Any) -> list[UsageEvent]:
    """A hundred events like the steady ones within one window."""
    return [event(f"rush-{n}", seconds + n / 20, input_tokens=1000, **{**AGENT, **fields}) for n in range(100)]


def opening_of(pipeline: Pipeline, rush: list[UsageEvent]) -> int:
    """At which event something is said for the first time."""
    return next(n for n, one in enumerate(rush) if submit(pipeline, [one]))


def test_a_burst_opens_at_the_event_that_passes_the_ceiling() -> None:
    pipeline, rush = bursting(), rushing()
    opening = opening_of(pipeline, rush)
    # As soon as there are enough events, and so many requests above the one of each window before.
    assert STEADY.detect.burst.least_events <= opening + 1 <= STEADY.detect.burst.floors.requests + 2
    # The window was open until 12:06:50; nothing more is said of it before it closes.
    assert submit(pipeline, rush[opening + 1 :]) == []


def test_a_burst_is_one_case_about_its_agent_and_closes_after_quiet_windows() -> None:
    """Several metrics of the tenant, its use case and its agent pass their ceilings: that is still one burst."""
    pipeline, rush = bursting(), rushing()
    (opened,) = submit(pipeline, rush)
    assert (opened.kind, opened.state) == ("burst", "opened")
    assert (opened.scope.use_case, opened.scope.agent) == ("support", "triage")
    assert opened.opened_at in {one.time for one in rush}
    assert opened.expected == pytest.approx(1000 if opened.series.endswith("#tokens") else 1, rel=0.01)
    after = submit(pipeline, [event(f"after-{n}", 410 + 10 * n, input_tokens=1000, **AGENT) for n in range(5)])
    assert {anomaly.id for anomaly in after} == {opened.id}
    assert [anomaly.state for anomaly in after] == ["updated", "closed"]
    assert after[0].observed > opened.observed
    # The burst's own window ended at 410, and three quiet ones after it.
    assert after[-1].closed_at is not None
    assert after[-1].closed_at.timestamp() - NOW == 440


def test_a_burst_that_is_followed_by_silence_closes_by_the_clock_alone() -> None:
    pipeline = bursting()
    (opened,) = submit(pipeline, rushing())
    ended = [*pipeline.tick(NOW + 430).anomalies, *pipeline.tick(NOW + 470).anomalies]
    assert said(ended) == [("burst", opened.series, "updated"), ("burst", opened.series, "closed")]


def test_silence_before_a_burst_does_not_end_it() -> None:
    """The windows of the silence close after the burst was opened, and would be quiet ones if they counted."""
    pipeline = bursting()
    assert [anomaly.state for anomaly in submit(pipeline, rushing(1000))] == ["opened"]


def test_windows_that_close_after_a_burst_was_opened_but_lie_before_it_do_not_end_it() -> None:
    pipeline = Pipeline(STEADY.model_copy(update={"windows": WindowsConfig(lateness_seconds=60)}))
    submit(pipeline, steady(40))
    (opened,) = submit(pipeline, rushing(use_case="", agent=""))
    later = submit(pipeline, [event(f"later-{n}", 410 + 10 * n, input_tokens=1000) for n in range(12)])
    assert {anomaly.id for anomaly in later} == {opened.id}
    assert [anomaly.state for anomaly in later] == ["updated", "closed"]
    assert later[-1].closed_at is not None
    assert later[-1].closed_at.timestamp() == NOW + 440


def test_nor_do_those_in_which_the_bursting_one_had_nothing() -> None:
    """Its agent pauses while others go on; their windows close after its burst was opened, but lie before it."""
    pipeline = Pipeline(STEADY.model_copy(update={"windows": WindowsConfig(lateness_seconds=60)}))
    others = [event(f"other-{n}", 10 * n, input_tokens=1000, agent="other") for n in range(60)]
    submit(pipeline, sorted(steady(40, agent="bursting") + others[:46], key=lambda one: one.time))
    (opened,) = submit(pipeline, rushing(460, use_case="", agent="bursting"))
    later = submit(pipeline, others[47:])
    assert {anomaly.id for anomaly in later} <= {opened.id}
    closed = [anomaly.closed_at.timestamp() - NOW for anomaly in later if anomaly.closed_at]
    assert closed == [] or min(closed) >= 500


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
    assert (opened.observed, opened.usd_excess, opened.scope.tool) == (6, Decimal(3), "search_orders")
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


def test_an_idle_tenants_windows_close_by_the_clock() -> None:
    pipeline = Pipeline(STEADY)
    submit(pipeline, [event(1, 3, input_tokens=5), event(2, 12, input_tokens=7)])
    assert pipeline.tick(NOW + 19).rollups == []
    rollups = pipeline.tick(NOW + 30).rollups
    assert [(r.start.timestamp() - NOW, r.input_tokens, r.late) for r in rollups] == [(0, 5, False), (10, 7, False)]
    assert pipeline.tick(NOW + 1000).rollups == []


def test_tenants_close_the_same_window_at_moments_of_their_own_so_that_the_work_is_spread() -> None:
    tenants = [f"tenant-{number}" for number in range(50)]
    pipeline = Pipeline(Config(windows=WindowsConfig(lateness_seconds=5, stagger_seconds=4)))
    closed: Counter[int] = Counter()
    for second in range(25):
        events = [event(f"{tenant}-{second}", second, tenant=tenant) for tenant in tenants]
        of_first = [r for r in pipeline.submit(events, NOW + second).rollups if r.start.timestamp() == NOW]
        closed[second] += sum(r.level == "tenant" for r in of_first)
    assert set(+closed) == {16, 17, 18, 19}
    assert sum(closed.values()) == 50
    assert max(closed.values()) < 25


def test_what_comes_after_its_window_was_closed_is_rolled_up_as_late_when_the_next_window_closes() -> None:
    pipeline = Pipeline(STEADY)
    submit(pipeline, [event(1, 3, input_tokens=5), event(2, 60)])
    late = [event(3, 4, input_tokens=7), event(4, 5, input_tokens=4), event(5, 14, input_tokens=1)]
    assert pipeline.submit(late, NOW + 60).rollups == []
    assert pipeline.counts()["late"] == 3
    rollups = pipeline.submit([event(6, 75)], NOW + 75).rollups
    assert [(r.start.timestamp() - NOW, r.input_tokens, r.late, r.part) for r in rollups] == [
        (0, 11, True, 1),
        (10, 1, True, 2),
        (60, 0, False, 0),
    ]
    assert pipeline.submit([event(7, 4)], NOW + 75).rollups == []
    (later,) = pipeline.tick(NOW + 95).rollups[:1]
    assert (later.start.timestamp() - NOW, later.part) == (0, 3)


def test_past_the_cap_sessions_are_folded_and_past_twice_the_cap_all_and_the_tenants_totals_stay() -> None:
    pipeline = Pipeline(Config(windows=WindowsConfig(max_entities=10)))
    events = [event(n, n / 10, use_case=f"u{n}", session=f"s{n}", input_tokens=1) for n in range(50)]
    rollups = rollups_of(pipeline, events)
    by_level: Counter[str] = Counter()
    for rollup in rollups:
        by_level[rollup.level] += rollup.input_tokens
    # What is `other` of everything is `other` of the levels too that its events did not name.
    assert by_level == {"tenant": 50, "use_case": 50, "session": 50, "agent": 30, "model": 30}
    counted = {(r.level, r.scope.use_case, r.scope.session): r.input_tokens for r in rollups if r.scope.session}
    own = {("session", f"u{n}", f"s{n}" if n < 10 else "other"): 1 for n in range(20)}
    assert counted == own | {("session", "other", "other"): 30}
    assert pipeline.counts()["folded"] == 40


def test_an_entity_that_is_folded_is_not_judged_by_what_others_used() -> None:
    pipeline = Pipeline(Config(windows=WindowsConfig(max_entities=10)))
    submit(pipeline, steady(40, use_case="quiet"))
    crowd = [event(f"crowd-{n}", 400 + n / 20, use_case=f"u{n}", input_tokens=30_000) for n in range(80)]
    last = event("quiet", 405, use_case="quiet", input_tokens=1000)
    (opened,) = submit(pipeline, [*crowd, last])
    assert (opened.kind, opened.scope) == ("burst", Scope())


def test_a_tenant_that_invents_names_is_folded_and_changes_no_bit_for_the_others() -> None:
    """Of 30,000 sessions, agents, tools and ids a small share is kept, and the tenant is named once for a warning."""
    config = NERVOUS.model_copy(update={"events": EventsConfig(max_ids=4096)})
    with_flood, without, log = Pipeline(config), Pipeline(config), dict[str, bytes]()
    steps, now, sent = [step for seed in range(3) for step in life(seed)], NOW, 0
    for number, (step, one, pause) in enumerate(steps):
        now += pause
        flood = [invented(sent + n, now - NOW) for n in range(30_000 // len(steps) + 1)]
        sent += len(flood)
        mine = event(f"{number}-{one.id}", time=one.time, **calls_of(one))
        assert encoded(only(with_flood.submit([*flood, mine], now), *OTHERS)) == encoded(without.submit([mine], now))
        if step == "tick":
            assert encoded(only(with_flood.tick(now), *OTHERS)) == encoded(without.tick(now))
        if step == "checkpoint":
            parts = dict(with_flood.changes())
            assert {k: part for k, part in parts.items() if owner(k) in OTHERS} == dict(without.changes())
            log = {k: part for k, part in {**log, **parts}.items() if part is not None}
    assert encoded(only(with_flood.flush(), *OTHERS)) == encoded(without.flush())
    assert sent >= 30_000
    kept = {kind: [part for key, part in log.items() if key.startswith(f"{kind}/5/flood/")] for kind in KINDS}
    assert 0 < len(kept["models"]) <= config.detect.max_series
    assert 0 < len(kept["loops"]) <= config.detect.loop.max_sessions + SeenIds.PARTS + 1
    assert 0 < sum(map(len, kept["seen"])) <= 8 * (4096 + SeenIds.CHUNK)
    assert len(log["tenant/flood"]) < 20_000
    assert with_flood.counts()["folded"] > 25_000
    assert with_flood.counts()["forgotten"] > 20_000
    assert with_flood.crowded() == ["flood"]
    assert with_flood.crowded() == without.crowded() == []


OTHERS = ("acme", "beta")
KINDS = ("models", "loops", "seen")


def invented(number: int, seconds: float) -> UsageEvent:
    """An event that names nothing that was named before."""
    names = {
        name: f"{name}-{number}" for name in ("use_case", "agent", "session", "model", "tool", "user", "tool_args_hash")
    }
    return event(f"flood-{number}", seconds, tenant="flood", tool_calls=1, steps=3, **names)


def calls_of(one: UsageEvent) -> dict[str, Any]:
    """All fields of an event but its id and time."""
    return {name: getattr(one, name) for name in one.__struct_fields__ if name not in ("id", "time")}


def test_ids_beyond_the_bound_are_forgotten_early_and_counted_and_newer_ones_are_not() -> None:
    pipeline = Pipeline(Config(events=EventsConfig(max_ids=4096)))
    events = [event(n, n / 1000) for n in range(8000)]
    pipeline.submit(events, NOW)
    pipeline.submit(events[-3000:], NOW)
    assert pipeline.counts() == {"counted": 8000, "duplicate": 3000, "unpriced": 8000} | {
        name: pipeline.counts()[name] for name in ("counted", "duplicate", "unpriced")
    }
    pipeline.flush()
    assert pipeline.counts()["forgotten"] >= 8000 - 4096 - SeenIds.CHUNK
    assert pipeline.crowded() == ["acme"]


def restored(pipeline: Pipeline, config: Config) -> Pipeline:
    """A pipeline that takes up another one's state."""
    again = Pipeline(config)
    again.restore({key: part for key, part in pipeline.changes() if part is not None})
    return again


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 1])
def test_a_burst_opens_at_the_same_event_after_a_restart_in_the_middle_of_its_window(share: float) -> None:
    rush = rushing()
    opening = opening_of(bursting(), rush)
    cut, pipeline = round(share * opening), bursting()
    assert submit(pipeline, rush[:cut]) == []
    again = restored(pipeline, STEADY)
    assert submit(again, rush[cut:opening]) == []
    assert encoded(Output(submit(again, rush[opening:]))) == encoded(Output(submit(pipeline, rush[cut:])))


def test_a_checkpoint_holds_only_what_changed() -> None:
    pipeline = Pipeline(STEADY)
    submit(pipeline, [event(n, 10 * n, tenant=tenant, session="s") for n in range(40) for tenant in ("acme", "beta")])
    assert {owner(key) for key, _ in pipeline.changes()} == {"acme", "beta"}
    assert pipeline.tick(NOW + 390.5) == Output()
    assert list(pipeline.changes()) == []

    def changed(number: int, seconds: float, **fields: Any) -> list[str]:
        submit(pipeline, [event(f"more-{number}", seconds, **fields)])
        keys = [key for key, part in pipeline.changes() if part is not None]
        assert {owner(key) for key in keys} == {"acme"}
        return [key.split("/")[0] + "/" + key.split("/")[-1] for key in keys if not key.startswith("seen/")]

    # No window is closed by these: no baseline learns.
    assert changed(1, 391) == ["tenant/acme"]
    assert changed(2, 392, session="s") == ["tenant/acme"]
    assert changed(3, 393, session="s", tool="t", tool_args_hash="x") == ["tenant/acme", "loops/s"]
    assert changed(4, 394, session="s") == ["tenant/acme", "loops/s"]
    # And by this one is; of the entities that are judged only the tenant was there.
    assert changed(5, 405) == ["tenant/acme", "models/tenant=acme"]
    submit(pipeline, [event("same", 405), event("same", 405)])
    assert len([key for key, _ in pipeline.changes() if key.startswith("seen/")]) == 1


AMOUNTS = [
    {"cost_usd": Decimal(20_000)},
    {"cost_usd": Decimal(-10_000)},
    {"cost_usd": Decimal("999_999_999_999.999999999999999")},
    {"input_tokens": 2**53, "output_tokens": 2**53, "steps": 2**53, "tool_calls": 2**53, "requests": 2**53},
]


@pytest.mark.parametrize("fields", AMOUNTS, ids=["costs", "credits", "the largest costs", "the largest counts"])
def test_amounts_of_any_size_that_is_let_in_are_written_down_and_taken_up_again(fields: dict[str, Any]) -> None:
    """The sums of thousands of the largest events, of a session that is followed too."""
    pipeline = Pipeline(STEADY)
    calls = {"kind": "tool", "session": "s", "tool": "t", "tool_args_hash": "x"} | fields
    pipeline.submit([event(n, n / 1000, **calls) for n in range(2100)], NOW)
    again = restored(pipeline, STEADY)
    ends = pipeline.flush(), again.flush()
    assert encoded(ends[0]) == encoded(ends[1])
    tenant = ends[0].rollups[0]
    assert tenant.usd == dollars(2100 * femtodollars(fields.get("cost_usd", Decimal(0))))
    assert tenant.steps == 2100 * fields.get("steps", 0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["a", "a/b", "1/a", "1", "/", "//", "tenant/a", "3/a/b", "models/1/a"]), min_size=1))
def test_no_tenants_name_is_mixed_up_with_anothers_parts(tenants: list[str]) -> None:
    pipeline = Pipeline(NERVOUS)
    for number, tenant in enumerate(tenants):
        fields = {"use_case": tenant, "session": tenant, "tool": "t", "tool_args_hash": "x"}
        submit(pipeline, [event(number, 5 * number, tenant=tenant, input_tokens=number, **fields)])
    again = restored(pipeline, NERVOUS)
    last = [event("last", 5 * len(tenants), tenant=tenant) for tenant in dict.fromkeys(tenants)]
    assert encoded(again.submit(last, NOW)) == encoded(pipeline.submit(last, NOW))
    assert encoded(again.flush()) == encoded(pipeline.flush())
    assert again.counts()["duplicate"] == pipeline.counts()["duplicate"]


class Visiting(Pipeline):
    """Lets time pass for every tenant at every tick, idle or not."""

    def tick(self, now: float) -> Output:
        return self._of_all(sorted(self._meters), lambda meter: meter.tick(now))


def quiet_life(seed: int) -> list[Step]:
    """Few events, long silences with ticks in them, and stragglers of all ages that come after those."""
    rng, steps, at = Random(seed), list[Step](), 0.0
    for number in range(rng.randrange(60)):
        pause = rng.choice([0, 1, 5, 20, 60])
        at += pause
        what = rng.choices(["submit", "tick", "checkpoint"], [3, 3, 1])[0]
        steps.append((what, drawn(rng, number, max(0, at - rng.choice([0, 0, 5, 20, 60, 200]))), pause))  # type: ignore[arg-type]
    return steps


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_idle_tenants_are_not_visited_and_their_stragglers_are_late_all_the_same(seed: int) -> None:
    steps = quiet_life(seed)
    idling, visiting = Pipeline(NERVOUS), Visiting(NERVOUS)
    assert played(idling, steps, NOW, {}) == played(visiting, steps, NOW, {})
    assert idling.counts() == visiting.counts()


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.floats(0, 1))
def test_stragglers_of_an_idle_tenant_are_treated_alike_before_and_after_a_restart(seed: int, share: float) -> None:
    steps = quiet_life(seed)
    cut = int(share * len(steps))
    pipeline, log = Pipeline(NERVOUS), dict[str, bytes]()
    _, now = played(pipeline, steps[:cut], NOW, log)
    pipeline.tick(now)
    keep(pipeline, log)
    again = Pipeline(NERVOUS)
    again.restore(log)
    again.tick(now)
    assert played(again, steps[cut:], now, {}) == played(pipeline, steps[cut:], now, {})
    assert encoded(again.flush()) == encoded(pipeline.flush())


def test_a_straggler_of_an_idle_tenant_is_late_once_the_clock_has_passed_its_window() -> None:
    pipeline = Pipeline(STEADY)
    submit(pipeline, [event(1, 3)])
    for seconds in (20, 40, 300):
        pipeline.tick(NOW + seconds)
    pipeline.submit([event(2, 100)], NOW + 300)
    assert pipeline.counts()["late"] == 1


class Visited:
    """A meter that tells when time passes for it."""

    def __init__(self, meter: TenantMeter, visit: Callable[[], None]) -> None:
        self._meter, self._visit = meter, visit

    def tick(self, now: float) -> Iterable[Rollup]:
        self._visit()
        return self._meter.tick(now)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._meter, name)


def test_ticks_pass_by_the_tenants_that_are_idle() -> None:
    pipeline, visits = Pipeline(STEADY), Counter[str]()
    submit(pipeline, [event(n, 3, tenant=f"t{n}") for n in range(100)])
    for tenant, meter in pipeline._meters.items():
        pipeline._meters[tenant] = cast(TenantMeter, Visited(meter, lambda tenant=tenant: visits.update([tenant])))
    for seconds in range(20, 40):
        pipeline.tick(NOW + seconds)
    assert list(pipeline.changes())
    visits.clear()
    submit(pipeline, [event("back", 50, tenant="t7")])
    pipeline.tick(NOW + 51)
    assert set(visits) == {"t7"}
