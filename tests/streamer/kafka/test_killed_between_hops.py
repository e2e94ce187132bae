"""Killed between any two hops, from the usage event to the person: nothing is lost, and little is said twice.

The real runners, stages, desk and notifier run over logs in memory, whose transactions hold whole or not at all. Every
place at which the process can die is tried, one after the other: the test counts them itself.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from faust.types import TP

from alerts.notification import Notification
from alerts.receiver import DeliveryFailed
from streamer.config import AlertsConfig, Config, DetectConfig, LoopConfig, ReceiverConfig, RouteConfig, StepConfig
from streamer.feedback import Feedback
from streamer.kafka import notifier as module
from streamer.kafka.journal import Entry
from streamer.kafka.notifier import Notifier
from streamer.kafka.runner import Runner
from streamer.kafka.stage import Stage
from streamer.kafka.stages import AlertStage, MeterStage
from streamer.pipeline import Pipeline
from streamer.web.metrics import Metrics
from streamer.wiring import decoder_of, desk_of
from tests.alerts.build import NOW, START
from tests.streamer.kafka.fakes import TOPICS, USAGE, FakeConsumer, FakeProducer, run, runner_of

pytestmark = pytest.mark.slow

INPUTS = (TP(TOPICS.anomalies, 0), TP(TOPICS.acks, 0), TP(TOPICS.feedback, 0))
LENGTH = 45
CONFIG = Config(
    detect=DetectConfig(loop=LoopConfig(quiet_seconds=10)),
    alerts=AlertsConfig(
        receivers=(ReceiverConfig(name="team", type="console"), ReceiverConfig(name="boss", type="console")),
        routes=(
            RouteConfig(
                receiver="team",
                group_wait_seconds=2,
                group_interval_seconds=3,
                repeat_interval_seconds=600,
                escalate=(StepConfig(after_seconds=6, receiver="boss"),),
            ),
        ),
    ),
)
Told = tuple[str, str, int]


class Killed(BaseException):
    """No handler of ours may live on after this."""


class World:
    """What outlives the process: the logs, the receivers' people, and the time."""

    def __init__(self, deadly: Collection[int]) -> None:
        self.topics: dict[str, list[bytes]] = {USAGE.topic: [], **{tp.topic: [] for tp in INPUTS}}
        self.changelogs: dict[str, dict[bytes, bytes]] = {"meter": {}, "alerts": {}}
        self.taken: list[Notification] = []
        self.unsaved: list[Notification] = []
        self.at_risk: list[Notification] = []
        self.second, self.hops, self.deadly, self.dead = 0, 0, deadly, False
        self.names: list[str] = []

    def hop(self, name: str) -> None:
        """A place between two steps, at which the process may be gone."""
        if not self.dead:
            self.names.append(name)
            self.hops += 1
            self.dead = self.hops in self.deadly
        if self.dead:
            raise Killed(name)

    def now(self) -> float:
        return NOW + self.second

    def written(self, changelog: str, entry: Entry) -> None:
        """One transaction."""
        for out in entry.outs:
            if out.topic in self.topics and out.value is not None:
                self.topics[out.topic].append(out.value)
        for key, value in (*entry.parts, *([entry.head] if entry.head else [])):
            if value is None:
                self.changelogs[changelog].pop(key, None)
            else:
                self.changelogs[changelog][key] = value
        if changelog == "alerts":
            self.unsaved.clear()


class LogJournal:
    """Writes a runner's checkpoints to the world."""

    def __init__(self, world: World, changelog: str) -> None:
        self._world, self._changelog = world, changelog

    async def open(self) -> None: ...

    async def discard(self, topics: Iterable[str]) -> None: ...

    async def close(self) -> None: ...

    async def ready(self) -> bool:
        return True

    async def write(self, entry: Entry) -> None:
        self._world.hop(f"{self._changelog}: before the checkpoint")
        self._world.written(self._changelog, entry)
        self._world.hop(f"{self._changelog}: after the checkpoint")


class Person:
    """Takes what comes; the first delivery fails."""

    def __init__(self, world: World, fails: bool) -> None:
        self._world, self._fails = world, fails

    async def send(self, notification: Notification) -> str:
        self._world.hop("before it is taken")
        if self._fails:
            self._fails = False
            raise DeliveryFailed("503", permanent=False)
        self._world.taken.append(notification)
        self._world.unsaved.append(notification)
        await asyncio.sleep(0)
        self._world.hop("taken, but not answered")
        return f"ref {len(self._world.taken)}"


class Process:
    """A worker, from its start to its end."""

    def __init__(self, world: World) -> None:
        self._world, metrics = world, Metrics()
        meter = MeterStage(decoder_of(CONFIG, feedback=True), Pipeline(CONFIG), TOPICS, metrics, 0)
        self._alerts = AlertStage(desk_of(CONFIG), TOPICS, metrics)
        self._runners = [self._runner(meter, "meter", (USAGE,)), self._runner(self._alerts, "alerts", INPUTS)]
        people = {"team": Person(world, world.hops == 0), "boss": Person(world, False)}
        self._notifier = Notifier(people, Person(world, False), metrics, chance=lambda: 1.0)

    def _runner(self, stage: Stage, name: str, sources: tuple[TP, ...]) -> tuple[Runner, FakeConsumer]:
        consumer = FakeConsumer()
        journal = LogJournal(self._world, name)
        runner = runner_of(stage, consumer, FakeProducer(), sources=sources, changelog=name, journal=journal)
        runner.restore(self._world.changelogs[name])
        for tp in sources:
            runner.begin(tp, runner.wanted().get(tp, 0))
        return runner, consumer

    async def step(self) -> None:
        """Read on, let time pass, write down, tell."""
        for runner, consumer in self._runners:
            for tp in runner.positions:
                known = self._world.topics[tp.topic]
                consumer.ends[tp] = len(known)
                base = runner.wanted()[tp]
                if base < len(known):
                    self._world.hop(f"before {tp.topic} is read")
                    await runner.take(run(known[base:], base, tp), self._world.now())
            await runner.tick(self._world.now())
            self._world.hop("applied, not written down")
            await runner.checkpoint()
        self._notifier.send_due(self._alerts.desk.dispatcher, self._alerts.dead, self._world.now())
        for _ in range(4):
            await asyncio.sleep(0)
        self._world.hop("delivered, not written down")


def usage(tenant: str, second: int, number: int) -> bytes:
    at = (START + timedelta(seconds=second)).isoformat()
    who = {"id": f"{second}-{number}", "time": at, "tenant": tenant, "use_case": "support", "agent": "triage"}
    call = {"session": "s1", "kind": "tool", "tool": "search", "tool_args_hash": "aa", "tool_calls": 1}
    return msgspec.json.encode(who | call)


def happen(world: World) -> None:
    """Two tenants loop, one of them for longer, and somebody says that he has seen it."""
    usages = world.topics[USAGE.topic]
    if world.second in (0, 5):
        usages += [usage("acme", world.second, number) for number in range(7)]
    if world.second == 1:
        usages += [usage("globex", 1, number) for number in range(7)]
    if world.second == 6:
        at = START + timedelta(seconds=6)
        word = Feedback(id="w1", time=at, verdict="acknowledge", tenant="acme", by="ann")
        world.topics[TOPICS.feedback].append(msgspec.json.encode(word))


async def lived(monkeypatch: pytest.MonkeyPatch, *deadly: int) -> World:
    world = World(deadly)
    monkeypatch.setattr(module, "wall", world.now)
    process = Process(world)
    while world.second < LENGTH:
        happen(world)
        try:
            await process.step()
        except Killed:
            assert world.dead
        if world.dead:
            world.at_risk += world.unsaved
            world.unsaved.clear()
            world.dead = False
            process = Process(world)
        world.second += 1 if world.second < 12 else 3
    return world


def told(found: Iterable[Notification]) -> Counter[tuple[str, str]]:
    """What people heard, by receiver: what began, and what ended. Changes may be told in one or in two."""
    lasting = ("new", "resolved", "escalated")
    return Counter((one.incident.id, one.because) for one in found if one.because in lasting)


def by_text(found: Iterable[Notification]) -> dict[str, Any]:
    """How each incident stands, as people were told last."""
    return {one.incident.id: (one.incident.state, one.incident.word, sorted(one.incident.alerts)) for one in found}


async def test_killed_between_any_two_hops_it_loses_nothing_and_repeats_what_was_in_flight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calm = await lived(monkeypatch)
    assert {because for _, because in told(calm.taken)} == {"new", "resolved", "escalated"}
    assert [word for _, word, _ in by_text(calm.taken).values() if "ann acknowledged it" in word]
    assert len(set(calm.names)) >= 9
    for deadly in range(1, calm.hops + 1):
        world = await lived(monkeypatch, deadly)
        judge(world, calm, calm.names[deadly - 1])
        assert len(world.at_risk) <= 2, "one an incident"


@pytest.mark.parametrize("later", [1, 2, 5])
async def test_killed_again_right_after_its_start_it_keeps_to_that(monkeypatch: pytest.MonkeyPatch, later: int) -> None:
    calm = await lived(monkeypatch)
    for deadly in range(1, calm.hops + 1, 3):
        judge(await lived(monkeypatch, deadly, deadly + later), calm, calm.names[deadly - 1])


def judge(world: World, calm: World, where: str) -> None:
    lost = told(calm.taken) - told(world.taken)
    assert not lost, f"killed {where}: lost {lost}"
    assert by_text(world.taken) == by_text(calm.taken), where
    repeated = told(world.taken) - Counter(told(world.taken).keys())
    assert not repeated - told(world.at_risk), f"killed {where}: repeated {repeated}"
    assert told(world.taken).keys() == told(calm.taken).keys(), where
