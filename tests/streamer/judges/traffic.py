"""Traffic of a small tenant, steady and from a seed, with whatever a test plants in it."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from random import Random
from typing import Any

from streamer.events.usage import UsageEvent
from streamer.pipeline import Pipeline
from streamer.records import Anomaly
from tests.streamer.samples import event, submit

Agent = tuple[str, str]
TRIAGE, SOLVER, RANKER = ("support", "triage"), ("support", "solver"), ("search", "ranker")
AGENTS: tuple[Agent, ...] = (TRIAGE, SOLVER, RANKER)
HOUR = 3600.0
USUAL = {"model": "gpt-4o", "output_tokens": 100, "steps": 1}


def requests(
    agents: Iterable[Agent],
    start: float,
    seconds: float,
    *,
    every: float = 2.0,
    tokens: float = 1000.0,
    seed: int = 1,
    usd_per_token: float = 2e-5,
    **fields: Any,
) -> list[UsageEvent]:
    """Requests of each agent, one each `every` seconds or so, from `start` on (seconds after NOON), in order of time.

    Eight in a row are one session; tokens vary by a third.
    """
    rng = Random(f"{seed}/{start}/{every}/{tokens}")
    found = [
        _request(rng, agent, number, at, round(tokens * rng.lognormvariate(0, 0.3)), usd_per_token, fields)
        for agent in agents
        for number, at in enumerate(_moments(rng, start, seconds, every))
    ]
    return sorted(found, key=lambda one: one.time)


def calls(
    agent: Agent, start: float, count: int, every: float, *, same: bool = False, **fields: Any
) -> list[UsageEvent]:
    """Tool calls of one session, each unlike the others or all the same."""
    return [
        event(
            f"call-{start}-{n}",
            start + n * every,
            use_case=agent[0],
            agent=agent[1],
            kind="tool",
            tool="search_orders",
            tool_args_hash="same" if same else f"args-{n}",
            cost_usd=Decimal("0.01"),
            **{"session": f"calling-{start}", **fields},
        )
        for n in range(count)
    ]


def merged(*streams: list[UsageEvent]) -> list[UsageEvent]:
    """Several streams in order of time."""
    return sorted((one for stream in streams for one in stream), key=lambda one: one.time)


def opened(anomalies: Iterable[Anomaly]) -> list[Anomaly]:
    """The openings among what was said."""
    return [anomaly for anomaly in anomalies if anomaly.state == "opened"]


def after(parts: dict[str, bytes], pipeline: Pipeline) -> Pipeline:
    """A pipeline that goes on from a written state."""
    pipeline.restore(parts)
    return pipeline


def written(pipeline: Pipeline, events: list[UsageEvent]) -> dict[str, bytes]:
    """The state after some events that nothing was to be said of."""
    said = submit(pipeline, events)
    assert said == [], [(anomaly.kind, anomaly.reason) for anomaly in said]
    return {key: part for key, part in pipeline.changes() if part is not None}


def _moments(rng: Random, start: float, seconds: float, every: float) -> Iterator[float]:
    at = start + rng.uniform(0, every)
    while at < start + seconds:
        yield at
        at += every * rng.uniform(0.6, 1.4)


def _request(  # noqa: PLR0917 - one of `requests`
    rng: Random, agent: Agent, number: int, at: float, tokens: int, usd_per_token: float, fields: dict[str, Any]
) -> UsageEvent:
    name = f"{agent[1]}-{at:.3f}-{rng.randrange(10**6)}"
    known = {**USUAL, "session": f"{agent[1]}-{at // HOUR}-{number // 8}", **fields}
    usd = Decimal(repr(round(tokens * usd_per_token * rng.lognormvariate(0, 0.05), 9)))
    return event(
        name,
        round(at, 3),
        use_case=agent[0],
        agent=agent[1],
        **{"input_tokens": tokens, "cost_usd": usd, **known},
    )
