"""Seconds in which nothing is due cost nothing, and are missed by nobody."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.throttle.command import Command
from streamer.config import Config, PolicyConfig, ThrottleConfig
from streamer.feedback import Feedback
from streamer.pipeline import Output, Pipeline
from streamer.records import Rollup, Scope
from streamer.replay.office import Office, Told
from streamer.replay.run import Chunk, Shard, Word
from streamer.replay.seconds import Seconds
from tests.streamer.samples import NOON, NOW, event
from tests.streamer.test_pipeline import NERVOUS, drawn

pytestmark = pytest.mark.slow

CONFIG: Config = NERVOUS.model_copy(
    update={
        "throttle": ThrottleConfig(
            policies=(
                PolicyConfig(kind="loop", action="limit_rate", mode="enforce", params={"requests_per_minute": 6}),
                PolicyConfig(kind="burst", scope="agent", action="pause", expires_seconds=40, escalate_seconds=0),
            ),
            hold_seconds=10,
        ),
    }
)
SEEDS = st.integers(0, 2**32)


class EverySecond(Pipeline):
    """Lets every second pass for every tenant."""

    @property
    def due(self) -> float:
        return float("-inf")

    def tick(self, now: float) -> Output:
        return self._of_all(sorted(self._meters), lambda meter: meter.tick(now))


class OpenEverySecond(Office):
    """Looks at its desk every second."""

    def _due(self) -> float:
        return float("-inf")


def sparse(seed: int) -> list[Word]:
    """Events now and then, crowded or with long gaps, stragglers among them, and a person's word here and there.

    Many begin with hours of steady traffic, which tell what is usual.
    """
    rng = Random(seed)
    words: list[Word] = list(_steady(rng)) if rng.random() < 0.6 else []
    at = words[-1].time.timestamp() - NOW + rng.choice([5, 400]) if words else 0.0
    for number in range(rng.randrange(5, 60)):
        at += rng.choice([0, 0.3, 1, 1, 2.5, 5, 20, 60, 200 if rng.random() < 0.3 else 0])
        words.append(drawn(rng, number, max(0, at - rng.choice([0, 0, 0, 1, 30]))))
        if rng.random() < 0.1:
            words.append(_word(rng, number, at))
    return words


def _steady(rng: Random) -> Iterator[Word]:
    cost, tokens = Decimal(rng.choice(["0.02", "2"])), rng.choice([10, 500])
    for number in range(150):
        larger = rng.choice([1, 4]) if number > 120 else 1
        yield event(
            f"steady-{number}",
            20 * number + rng.random(),
            **{"use_case": "u", "agent": rng.choice(["g", "g", "h"]), "session": f"s{number // 3}", "model": "gpt-4o"},
            **{"requests": 1, "steps": 1, "output_tokens": 7, "tool_calls": number % 2},
            **{"input_tokens": larger * tokens, "cost_usd": cost},
        )


def _word(rng: Random, number: int, at: float) -> Feedback:
    time, until = (NOON + timedelta(seconds=round(at + wait, 3)) for wait in (0, rng.choice([30, 90])))
    scope = Scope(use_case=rng.choice(["", "u"]), agent=rng.choice(["", "g"]))
    return Feedback(id=f"w{number}", time=time, verdict="planned", tenant="acme", scope=scope, until=until)


def chunks(words: list[Word], pipeline: Pipeline, size: int) -> tuple[list[Chunk], list[tuple[int, Rollup]]]:
    """What comes of words, so many at a time, and the rollups with the numbers of their steps."""
    shard, rollups = Shard(CONFIG, pipeline=pipeline), list[tuple[int, Rollup]]()

    def see(number: int, rollup: Rollup) -> None:
        rollups.append((number, rollup))

    parts = [words[begin : begin + size] for begin in range(0, len(words), size)]
    return [*(shard.take(part, see) for part in parts), shard.end(see)], rollups


def told(office: Office, chunks: list[Chunk]) -> list[bytes]:
    """All that people and gateways are told."""
    found = [one for chunk in chunks for one in office.take(chunk)] + list(office.close())
    return [msgspec.json.encode(one if isinstance(one, Command) else _said(one)) for one in found]


def _said(one: Told) -> Any:
    return one.at, one.notification.because, one.notification.receiver, one.notification.incident


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from([1, 7, 100]))
def test_seconds_that_are_passed_over_change_no_byte(seed: int, size: int) -> None:
    words = sparse(seed)
    waiting, ticking = Pipeline(CONFIG), EverySecond(CONFIG)
    found, all_found = chunks(words, waiting, size), chunks(words, ticking, 3)
    assert _steps(found[0]) == _steps(all_found[0])
    assert msgspec.json.encode(found[1]) == msgspec.json.encode(all_found[1])
    assert waiting.counts() == ticking.counts()
    assert told(Office(CONFIG), found[0]) == told(OpenEverySecond(CONFIG), all_found[0])


@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_the_state_is_the_same_when_somebody_wakes(seed: int) -> None:
    newest = [event("newest", 9000, tenant=tenant) for tenant in ("acme", "beta")]
    waiting, ticking = Pipeline(CONFIG), EverySecond(CONFIG)
    for pipeline in (waiting, ticking):
        Shard(CONFIG, pipeline=pipeline).take([*sparse(seed), newest[0]], lambda *_: None)
        pipeline.submit(newest, newest[0].time.timestamp())
    assert dict(waiting.changes()) == dict(ticking.changes())


def _steps(chunks: list[Chunk]) -> bytes:
    return msgspec.json.encode([step for chunk in chunks for step in chunk.steps])


def test_what_is_compared_here_is_of_every_kind_and_some_of_it_comes_of_time_alone() -> None:
    steps = [
        step for seed in range(15) for chunk in chunks(sparse(seed), Pipeline(CONFIG), 100)[0] for step in chunk.steps
    ]
    kinds = {"burst", "loop", "budget", "silence", "busywork", "bloat"}
    assert {case.kind for step in steps for case in step.anomalies} >= kinds
    assert {case.kind for step in steps if step.passed for case in step.anomalies} >= kinds - {"budget"}
    assert not all(step.passed for step in steps)


@given(
    st.floats(1e9, 2e9),
    st.lists(st.floats(0, 40), min_size=1, max_size=6),
    st.lists(st.floats(-5, 130), max_size=20),
)
def test_of_all_seconds_those_are_given_by_which_something_is_due(
    since: float, pauses: list[float], dues: list[float]
) -> None:
    """`dues` are taken off one by one, as by somebody who does what is due and learns of the next."""

    def gone_through(*, all_of_them: bool) -> list[float]:
        seconds, waiting, found, at = Seconds(), list(dues), list[float](), since
        seconds.begin(since)
        for pause in pauses:
            at += pause
            for second in (
                seconds.until(at, lambda: since + waiting[-1] if waiting else float("inf"))
                if (not all_of_them)
                else seconds.until(at, lambda: since)
            ):
                if waiting and since + waiting[-1] <= second:
                    found.append(second)
                    waiting.pop()
        assert seconds.passed == int(at - since)
        return found

    assert gone_through(all_of_them=False) == gone_through(all_of_them=True)


def test_a_gap_of_a_year_costs_no_more_than_one_of_a_minute() -> None:
    def ticks(gap: float) -> int:
        pipeline = Counting(CONFIG)
        chunks([event(1), event(2, gap)], pipeline, 100)
        return pipeline.ticks

    assert ticks(60.0) == ticks(3.2e7) < 10


class Counting(Pipeline):
    """Counts how often time passes."""

    ticks = 0

    def tick(self, now: float) -> Output:
        self.ticks += 1
        return super().tick(now)


def test_what_a_budget_said_ends_at_its_second_in_the_midst_of_a_gap() -> None:
    """That of the month with the month, and that of the quarter when it does not burn any more."""
    words: list[Word] = [event(1, cost_usd=Decimal(6)), event(2, 15 * 86_400, tenant="beta")]
    steps = [step for chunk in chunks(words, Pipeline(CONFIG), 100)[0] for step in chunk.steps if step.passed]
    ended = [(step.at, case) for step in steps for case in step.anomalies]
    assert {(case.kind, case.state) for _, case in ended} == {("budget", "closed")}
    assert [case.closed_at for _, case in ended][-1] == datetime(2026, 12, 1, tzinfo=UTC)
    assert len(ended) == 2
    for at, case in ended:
        # Its lateness, its own few seconds, and how long it may be silent.
        assert case.closed_at and 10 <= at - case.closed_at.timestamp() < 15
