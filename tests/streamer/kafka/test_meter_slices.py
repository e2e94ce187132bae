"""The meter itself, written down tenant by tenant, says over any crashes what it says without one, byte by byte."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import BudgetConfig, Config, WindowsConfig
from streamer.events.decoder import Decoder
from streamer.kafka import runner as module
from streamer.kafka.stages import MeterStage
from streamer.pipeline import Pipeline
from streamer.web.metrics import Metrics
from tests.streamer.kafka.fakes import TOPICS
from tests.streamer.kafka.tenants import Life, Log, Step
from tests.streamer.samples import NOW, event

TENANTS = ("acme", "beta", "gamma")
CONFIG = Config(
    windows=WindowsConfig(size_seconds=10, lateness_seconds=0, grace_seconds=0, stagger_seconds=4),
    budgets=tuple(BudgetConfig(tenant=tenant, metric="tokens", limit=Decimal(10**6)) for tenant in TENANTS),
)
KINDS = st.sampled_from(["hurried", "slice", "slice", "slice", "whole"])
ENDS = st.sampled_from(["kept", "kept", "kept", "lost", "unknown"])
STEPS = st.builds(Step, st.integers(0, 40), st.just(False), KINDS, st.integers(0, 30), ENDS)


@pytest.fixture(autouse=True, scope="module")
def one_owner_a_slice() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SLICE", 0.0)
        yield


@cache
def records() -> tuple[bytes, ...]:
    """A minute of three tenants, each with a session that comes to nothing, with repeats and a broken record."""
    made = []
    for second in range(60):
        tenant = TENANTS[second % 3]
        made.append(event(second, second, tenant=tenant, input_tokens=10 + second, model="gpt-4o", session="s"))
        loop = {"kind": "tool", "tool": "search", "tool_args_hash": "aa", "tool_calls": 1, "session": "runaway"}
        made.append(event(f"loop-{second}", second, tenant=TENANTS[second % 2], **loop))
    values = [msgspec.json.encode(one) for one in made]
    return (*values[:50], b"{", *values[40:])


class MeterLife(Life):
    """A life of the meter."""

    now = NOW + 60

    def _stage(self, number: int) -> MeterStage:
        return MeterStage(Decoder(feedback=True), Pipeline(CONFIG), TOPICS, Metrics(), 0)


def said(steps: Iterable[Sequence[Step]]) -> dict[tuple[str, str], list[bytes | None]]:
    """What is on the topics in the end, by key, in its order."""

    async def all_lives() -> Log:
        log = Log()
        for number, of_one in enumerate([*steps, [Step(len(records()), False, "whole", 0)]]):
            await MeterLife(log, records(), number).live(of_one)
        return log

    found: defaultdict[tuple[str, str], list[bytes | None]] = defaultdict(list)
    for out in asyncio.run(all_lives()).outs:
        found[out.topic, out.key].append(out.value)
    return found


@cache
def uninterrupted() -> dict[tuple[str, str], list[bytes | None]]:
    return said([])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(STEPS, max_size=6), max_size=4))
def test_over_any_crashes_it_says_the_same(steps: list[list[Step]]) -> None:
    assert said(steps) == uninterrupted()


def test_there_is_something_to_say() -> None:
    topics = [topic for topic, _ in uninterrupted()]
    assert (topics.count(TOPICS.anomalies), topics.count(TOPICS.dead_letters)) == (3, 1)
    assert min(topics.count(TOPICS.rollups), topics.count(TOPICS.session_rollups)) > 3
