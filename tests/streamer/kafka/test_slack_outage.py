"""Slack is away for ten minutes: nothing is lost, nothing is said twice, and nobody waits for it."""

import asyncio
from collections.abc import AsyncIterator
from io import StringIO
from random import Random
from types import SimpleNamespace

import msgspec
import pytest
from slack_sdk.http_retry import async_handler, builtin_async_handlers

from alerts.channels import Channels
from alerts.console import ConsoleReceiver
from alerts.dispatcher import Dispatcher
from alerts.routes import Route
from alerts.slack.app import SlackApp
from alerts.slack.client import SlackReceiver
from alerts.storm import StormRule
from streamer.config import Config
from streamer.kafka import notifier as module
from streamer.kafka.notifier import Notifier
from streamer.kafka.stages import MeterStage
from streamer.pipeline import Pipeline
from streamer.web.metrics import Metrics
from streamer.wiring import decoder_of
from tests.alerts.build import NOW, START, TRIAGE, alert
from tests.slack.standin import DROP, HANG, TOKEN, Failure, SlackStandIn, page, rate_limited, server_error
from tests.streamer.kafka.fakes import TOPICS, USAGE, FakeConsumer, FakeProducer, run, runner_of, sample

TENANTS = ("acme", "globex", "initech")


class Worker:
    """A dispatcher, a notifier and a clock that is moved by hand, with the real client of Slack."""

    def __init__(self, slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.metrics, self.dead = NOW, Metrics(), Channels()
        monkeypatch.setattr(module, "wall", lambda: self.now)
        self.dispatcher = Dispatcher(
            [Route(receiver="team", group_wait=0, group_interval=60)], storm=StormRule(tenants=99, incidents=99)
        )
        app = SlackApp(TOKEN, base_url=slack.base_url, timeout=2, spacing=0)
        receiver = SlackReceiver(app, "#finops")
        self.fallen_back = StringIO()
        self.notifier = Notifier({"team": receiver}, ConsoleReceiver(self.fallen_back), self.metrics)

    async def run_until(self, seconds: float) -> None:
        """Let time pass in steps of the worker's, each with what comes of it."""
        while self.now < NOW + seconds:
            self.now += 5
            list(self.dispatcher.changes())  # a checkpoint
            self.notifier.send_due(self.dispatcher, self.dead, self.now)
            await self.notifier.close()

    def burst(self, tenant: str, *, over: bool = False, after: float = 0.0) -> None:
        labels = {**TRIAGE, "tenant": tenant}
        self.dispatcher.submit(alert(tenant, "closed" if over else "opened", labels=labels, after=after), self.now)


@pytest.fixture
async def slack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SlackStandIn]:
    async def nap(_: float) -> None:
        await asyncio.sleep(0)

    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    for waits in (async_handler, builtin_async_handlers):
        monkeypatch.setattr(waits, "asyncio", SimpleNamespace(sleep=nap))
    async with SlackStandIn() as slack:
        yield slack


@pytest.mark.parametrize(
    "down", [server_error(503), page(502), DROP, rate_limited(30)], ids=["503", "bad gateway", "cut", "limited"]
)
async def test_ten_minutes_without_slack_lose_nothing(
    slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch, down: Failure
) -> None:
    """One incident was told before, one begins and one begins and ends while Slack is away."""
    worker = Worker(slack, monkeypatch)
    worker.burst("acme")
    await worker.run_until(10)
    slack.down = down
    worker.burst("globex")
    worker.burst("initech")
    await worker.run_until(300)
    worker.burst("acme", over=True, after=300)
    worker.burst("initech", over=True, after=300)
    await worker.run_until(610)
    assert len(slack.messages) == 1
    assert len(slack.calls) < 400
    slack.down = None
    await worker.run_until(700)
    tops = sorted(message.text.partition(" · ")[0] for message in slack.messages.values() if not message.thread_ts)
    assert tops == ["🟠 globex", "🟢 acme", "🟢 initech"]
    said = [message.text for message in slack.messages.values() if message.thread_ts and not message.file]
    assert [text[:6] for text in said] == ["🟢 acme"]
    assert list(worker.dispatcher.pending(worker.now)) == []
    assert worker.fallen_back.getvalue().count("incident ") == 2, "that Slack is dead, and that it is back"
    assert sample(worker.metrics, "tidegate_notifications_total", receiver="team", result="delivered") == 4


async def test_every_incident_of_a_long_outage_ends_as_it_is_and_metering_never_waits(
    slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty incidents begin and end at random in ten minutes in which Slack only fails, by turns in all ways."""
    dice, worker = Random(5), Worker(slack, monkeypatch)
    tenants = [f"t{number}" for number in range(40)]
    ends = {tenant: dice.choice((0, dice.randrange(100, 590))) for tenant in tenants}
    begins = {tenant: dice.randrange(0, 90) for tenant in tenants}
    for second in range(0, 600, 5):
        slack.down = dice.choice((server_error(503), page(502), DROP, rate_limited(30)))
        for tenant in tenants:
            if second <= begins[tenant] < second + 5:
                worker.burst(tenant)
            if ends[tenant] and second <= ends[tenant] < second + 5:
                worker.burst(tenant, over=True, after=second + 5)
        await worker.run_until(second + 5)
    assert slack.messages == {}
    slack.down = None
    await worker.run_until(900)
    tops = {message.text.split(" · ")[0]: message for message in slack.messages.values() if not message.thread_ts}
    assert sorted(tops) == sorted(f"{'🟢' if ends[tenant] else '🟠'} {tenant}" for tenant in tenants)
    posted = [call for call in slack.calls if call.method == "chat.postMessage" and "thread_ts" not in call.arguments]
    assert len(slack.messages) == len(tops), "one message each, and nothing in threads: there was nothing to repeat"
    assert len(posted) > len(tops)
    assert list(worker.dispatcher.pending(worker.now)) == []


async def test_while_slack_hangs_usage_is_metered_and_judged(
    slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it, before the delivery that hangs is even given up."""
    worker = Worker(slack, monkeypatch)
    slack.down = HANG
    worker.burst("acme")
    worker.notifier.send_due(worker.dispatcher, worker.dead, worker.now + 1)
    async with asyncio.timeout(5):
        while not slack.calls:  # noqa: ASYNC110 - the stand-in's state is what we wait for
            await asyncio.sleep(0)
    meter = MeterStage(decoder_of(Config(), feedback=True), Pipeline(Config()), TOPICS, Metrics(), 0)
    runner = runner_of(meter, FakeConsumer(), FakeProducer())
    runner.begin(USAGE, 0)
    for number in range(50):
        await runner.take(run([usage(number * 20 + one) for one in range(20)], number * 20), NOW)
        worker.notifier.send_due(worker.dispatcher, worker.dead, worker.now + 1)
    assert meter._pipeline.counts()["counted"] == 1000
    assert sample(worker.metrics, "tidegate_notifications_total", receiver="team", result="failed") == 0
    assert len(slack.calls) == 1


def usage(number: int) -> bytes:
    return msgspec.json.encode({"id": str(number), "time": START, "tenant": f"t{number % 7}", "input_tokens": 5})
