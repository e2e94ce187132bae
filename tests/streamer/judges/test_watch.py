"""What a tenant's watch knows is bounded, survives a restart to the byte, and is no other tenant's business."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import (
    BurstConfig,
    Config,
    DetectConfig,
    DriftConfig,
    FloorsConfig,
    GatesConfig,
    RatioConfig,
    SilenceConfig,
)
from streamer.events.usage import UsageEvent
from streamer.pipeline import Output, Pipeline
from streamer.records import Anomaly
from tests.streamer.judges.history import NEXT, hour, said
from tests.streamer.judges.traffic import AGENTS, TRIAGE, merged, requests
from tests.streamer.samples import NOW, event, submit

FEW = Config(detect=DetectConfig(max_series=10))
GATES = GatesConfig(deviations=2, ratio=2, margin=1)
# All judges of rates and ratios, quick to learn and quick to tell; and few entities, so that some are forgotten.
QUICK = Config(
    detect=DetectConfig(
        max_series=10,
        least_usd_per_hour=0,
        burst=BurstConfig(
            warm_up_seconds=60,
            half_life_seconds=300,
            counts=GATES,
            amounts=GATES,
            floors=FloorsConfig(tokens=100, steps=5, tool_calls=5, requests=5, usd=0.001),
            least_events=3,
            clear_windows=2,
        ),
        ratio=RatioConfig(
            size=1.3, price=1.3, uncached=1.3, evaluation=1.3, evidence=2, warm_up_slices=3, least_units=2
        ),
        drift=DriftConfig(slice_seconds=300, ratio=1.2, share=1.2, evidence=1, warm_up_slices=2),
        silence=SilenceConfig(expected=3, least_windows=2, warm_up_windows=5, margin=1, longest_seconds=3600),
    )
)
SEEDS = st.integers(0, 2**32)
# A moment (seconds after NOON), and the event that comes at it; None where only time passes.
Step = tuple[float, UsageEvent | None]


def phases(seed: int, hours: float = 2.0) -> list[Step]:
    """A tenant's afternoon in phases of minutes: busy, calm and silent ones, with other models, sizes and caches."""
    rng, at, steps = Random(seed), 0.0, list[Step]()
    while at < hours * 3600:
        until, every = at + rng.choice([60, 300, 900, 1800]), rng.choice([2, 5, 20, 20, 60])
        quiet, size, price = rng.random() < 0.15, rng.choice([1, 1, 1, 6]), rng.choice([1, 1, 8])
        names = rng.sample([("u", "g"), ("u", "h"), ("v", "k"), ("", "l"), ("w", ""), ("x", "m")], rng.randrange(1, 5))
        while at < until:
            at += every * rng.uniform(0.5, 1.5)
            steps.append((at, None if quiet else _some(rng, rng.choice(names), at, size, price)))
    return steps


def _some(rng: Random, name: tuple[str, str], at: float, size: int, price: int) -> UsageEvent:
    tokens = round(1000 * size * rng.lognormvariate(0, 0.3))
    kind = rng.choice(["llm", "llm", "llm", "tool", "evaluation"])
    return event(
        f"{at:.3f}",
        round(at, 3),
        use_case=name[0],
        agent=name[1],
        kind=kind,
        session=rng.choice(["", *(f"s{at // 300}-{n}" for n in range(3))]),
        model=rng.choice(["gpt-4o", "o1"]),
        tool="search" if kind == "tool" else "",
        input_tokens=tokens,
        cache_read_tokens=tokens // rng.choice([2, 2, 20]),
        requests=rng.choice([0, 1, 3]),
        cost_usd=Decimal(tokens * price).scaleb(-6),
    )


def played(pipeline: Pipeline, steps: Iterable[Step]) -> list[bytes]:
    """Each step's output, as it would be published."""
    return [encoded(at_step(pipeline, at, one)) for at, one in steps]


def at_step(pipeline: Pipeline, at: float, one: UsageEvent | None) -> Output:
    return pipeline.submit([one], NOW + at) if one else pipeline.tick(NOW + at)


def encoded(output: Output) -> bytes:
    assert output.failed == []
    return msgspec.json.encode([output.anomalies, output.rollups])


def keep(pipeline: Pipeline, log: dict[str, bytes]) -> None:
    for key, part in pipeline.changes():
        if part is None:
            log.pop(key, None)
        else:
            log[key] = part


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(SEEDS, st.lists(st.floats(0, 1), min_size=1, max_size=3))
def test_a_watch_that_is_restored_anywhere_goes_on_to_the_byte(seed: int, shares: list[float]) -> None:
    """Through bursts, silence, bloat, mix and drift, and the forgetting of entities; written a part at a time."""
    steps = phases(seed)
    cuts = sorted(round(share * len(steps)) for share in shares)
    pipeline, log = Pipeline(QUICK), dict[str, bytes]()
    for begin, end in zip([0, *cuts], cuts, strict=False):
        played(pipeline, steps[begin:end])
        pipeline.tick(NOW + (steps[end - 1][0] if end else 0.0))
        keep(pipeline, log)
    again = Pipeline(QUICK)
    again.restore(log)
    now = NOW + (steps[cuts[-1] - 1][0] if cuts[-1] else 0.0)
    assert encoded(again.tick(now)) == encoded(Output())
    assert played(again, steps[cuts[-1] :]) == played(pipeline, steps[cuts[-1] :])
    late = NOW + steps[-1][0] + 10_000
    assert encoded(again.tick(late)) == encoded(pipeline.tick(late))
    one, other = dict[str, bytes](), dict[str, bytes](log)
    keep(pipeline, one)
    keep(again, other)
    assert {key: other[key] for key in one} == one


@pytest.mark.slow
def test_those_afternoons_are_eventful() -> None:
    """What the property above is worth."""
    kinds = defaultdict[str, set[str]](set)
    for seed in range(6):
        pipeline = Pipeline(QUICK)
        for at, one in phases(seed):
            for anomaly in at_step(pipeline, at, one).anomalies:
                kinds[anomaly.kind].add(anomaly.state)
    assert all("closed" in kinds[kind] for kind in ("burst", "silence", "bloat", "mix"))
    assert "opened" in kinds["drift"]


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_no_case_is_left_open_about_an_entity_that_was_forgotten(seed: int) -> None:
    pipeline, log, standing = Pipeline(QUICK), dict[str, bytes](), dict[str, Anomaly]()
    for at, one in phases(seed, hours=1.5):
        for anomaly in at_step(pipeline, at, one).anomalies:
            standing[anomaly.series] = anomaly
            if anomaly.state == "closed":
                del standing[anomaly.series]
    keep(pipeline, log)
    known = {key.removeprefix("models/4/acme/") for key in log if key.startswith("models/")}
    judged = {series.partition("#")[0] for series, case in standing.items() if case.kind != "loop"}
    assert judged <= known
    assert len(known) <= QUICK.detect.max_series


def test_an_entity_that_is_crowded_out_takes_its_open_case_with_it() -> None:
    config = Config(detect=DetectConfig(max_series=10))
    pipeline = Pipeline(config)
    pipeline.restore(hour())
    told = submit(pipeline, merged(requests(AGENTS, NEXT, 180), requests([TRIAGE], NEXT + 120, 60, every=0.1)))
    assert [anomaly.state for anomaly in told][:1] == ["opened"]
    crowd = [event(f"crowd-{n}", NEXT + 181 + n / 10, use_case=f"u{n}", agent="g") for n in range(40)]
    after = submit(pipeline, [*crowd, event("last", NEXT + 260)])
    assert [anomaly.state for anomaly in after if anomaly.id == told[0].id][-1:] == ["closed"]
    assert after[-1].closed_at is not None


@pytest.mark.slow
@settings(max_examples=3, deadline=None)
@given(SEEDS)
def test_a_tenant_that_floods_changes_no_byte_of_another(seed: int) -> None:
    steps, rng = phases(seed, hours=0.5), Random(seed)
    alone, both = Pipeline(QUICK), Pipeline(QUICK)
    for number, (at, one) in enumerate(steps):
        flood = [
            event(f"{number}-{n}", at, tenant="flood", use_case=f"u{rng.randrange(99)}", agent=f"g{rng.randrange(9)}")
            for n in range(rng.choice([0, 3, 3, 60]))
        ]
        both.submit(flood, NOW + at)
        assert encoded(only(at_step(both, at, one), "acme")) == encoded(at_step(alone, at, one))
    parts = {key: part for key, part in both.changes() if "/acme" in key}
    assert parts == dict(alone.changes())


def only(output: Output, tenant: str) -> Output:
    return Output(
        [anomaly for anomaly in output.anomalies if anomaly.tenant == tenant],
        [rollup for rollup in output.rollups if rollup.tenant == tenant],
        output.failed,
    )


@pytest.mark.parametrize("disabled", ["burst", "ratio", "drift", "silence"])
def test_a_judge_that_is_switched_off_tells_nothing(disabled: str) -> None:
    off = getattr(QUICK.detect, disabled).model_copy(update={"enabled": False})
    pipeline = Pipeline(Config(detect=QUICK.detect.model_copy(update={disabled: off})))
    kinds = {"burst": {"rate"}, "ratio": {"ratio"}, "drift": set(), "silence": {"silence"}}[disabled]
    for at, one in phases(1):
        found = at_step(pipeline, at, one).anomalies
        assert not kinds & {anomaly.detector for anomaly in found}
        assert not (disabled == "drift" and any(anomaly.series.endswith("#drift") for anomaly in found))


def test_levels_that_are_not_judged_are_not_told_of() -> None:
    pipeline = Pipeline(Config(detect=QUICK.detect.model_copy(update={"levels": ("tenant",)})))
    for at, one in phases(2):
        for anomaly in at_step(pipeline, at, one).anomalies:
            assert anomaly.kind == "loop" or anomaly.series.startswith("tenant=acme#")


def test_an_hour_of_the_usual_is_told_nothing_of() -> None:
    assert said(requests(AGENTS, NEXT, 3600)) == []


def test_what_is_known_of_a_tenant_that_invents_names_is_bounded_in_every_part() -> None:
    """To the notes of which use cases have agents: they are kept with the tenant, which is written at every change."""
    pipeline, parts, sizes = Pipeline(FEW), dict[str, bytes | None](), list[int]()
    for number in range(600):
        submit(pipeline, [event(number, 10 * number, use_case=f"use-case-{number}", agent="g")])
        if number in (299, 599):
            parts |= dict(pipeline.changes())
            sizes.append(len(parts["tenant/acme"] or b""))
    assert sizes[1] < sizes[0] + 100
    kept = [key for key, part in parts.items() if part is not None and key.startswith("models/")]
    assert len(kept) <= 10
