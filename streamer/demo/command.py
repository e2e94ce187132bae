"""`tidegate demo`: plays traffic through the real front door, worker and gateway, and shows what happens."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
from aiokafka import AIOKafkaConsumer
from rich.console import Console

from alerts.incident import Incident
from streamer.clock import wall
from streamer.demo.gateway import Gateway
from streamer.demo.screen import Screen
from streamer.demo.stack import Stack, running
from streamer.demo.story import BURSTER, LOOPER, Story
from streamer.demo.traffic import Traffic
from streamer.kafka.connection import aiokafka_settings
from streamer.kafka.topics import Topics
from streamer.records import Anomaly, Rollup

_PUMP_SECONDS = 0.2
_DRAW_SECONDS = 0.5
# When trouble is planted, in seconds after everything is up: the baselines need 20 of them.
_LOOP_AT, _BURST_AT, _BURST_ENDS = 24.0, 28.0, 42.0
_BURST_FACTOR = 12.0
# The looping agent gives up after so many refused calls, as a repaired one would behave again.
_PATIENCE = 12
_LONGEST_STORY = 75.0


def run(*, once: bool) -> int:
    """Run the demo; with `once` it ends by itself, with status 0 only if the whole story was seen."""
    try:
        return asyncio.run(_run(once))
    except KeyboardInterrupt:
        return 0


async def _run(once: bool) -> int:
    console = Console()
    console.print(
        "[bold]Tidegate[/bold]: starting a broker, the front door, a worker and the live page on this machine …"
    )
    async with running() as stack:
        with Screen(console) as screen:
            demo = Demo(stack, screen)
            screen.say(f"everything is up: watch it live on {stack.page_url}")
            screen.say(f"metrics at {stack.web_url}/metrics, events to {stack.events_url}")
            await demo.play(once)
            screen.draw(demo.story)
    missing = demo.story.missing()
    console.print(f"not seen: {', '.join(missing)}" if missing else "the whole story was seen", highlight=False)
    return 1 if missing else 0


class Demo:
    """Plays the story through a running stack, wherever that is."""

    def __init__(self, stack: Stack, screen: Screen) -> None:
        self._stack, self._screen = stack, screen
        self._topics = Topics.named(stack.config.kafka.topic_prefix)
        self.story = Story(screen.say)
        self._gateway = Gateway(stack.config.kafka, self.story.on_command)
        self._traffic = Traffic(seed=20261122)
        self._loop = ""
        self._calls: list[float] = []

    async def play(self, once: bool) -> None:
        """Play until the story is complete (`once`), or until interrupted."""
        jobs = (self._gateway.run, self._pump, self._watch, self._messages, self._draw)
        tasks = [asyncio.create_task(job()) for job in jobs]
        told = asyncio.create_task(self.story.complete.wait())
        waiting = [*tasks, told] if once else tasks
        try:
            done, _ = await asyncio.wait(
                waiting, return_when=asyncio.FIRST_COMPLETED, timeout=_LONGEST_STORY if once else None
            )
        finally:  # also when interrupted: what then fails, because the front door has gone, is heard by nobody
            for task in (told, *tasks):
                task.cancel()
            await asyncio.gather(told, *tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _pump(self) -> None:
        """Make the traffic that is due, ask the gateway for each request, and post what goes through."""
        began = sent = wall()
        self._traffic.due(began - 120, began)
        async with aiohttp.ClientSession() as session:
            while True:
                await asyncio.sleep(_PUMP_SECONDS)
                self.story.now, now = self._screen.seconds, wall()
                self._plant(now - began, now)
                events = self._traffic.due(sent, now, self._gateway.admits)
                sent = now
                self._after(events, now)
                if events:
                    async with session.post(self._stack.events_url, data=msgspec.json.encode(events)) as answer:
                        answer.raise_for_status()

    def _plant(self, seconds: float, now: float) -> None:
        if seconds >= _LOOP_AT and not self._loop:
            self._loop = self._traffic.start_loop(LOOPER, now)
            self.story.planted("loop", f"planted: an agent of {LOOPER} begins to repeat one call for ever")
        if seconds >= _BURST_AT and "planted" not in self.story.chapters["burst"].seen:
            self._traffic.start_burst(BURSTER, now, now + _BURST_ENDS - _BURST_AT, _BURST_FACTOR)
            self.story.planted("burst", f"planted: {BURSTER} sends {_BURST_FACTOR:g} times its usual requests")

    def _after(self, events: list[dict[str, Any]], now: float) -> None:
        """Follow the looping session and the refusals."""
        self._calls += [now for event in events if event.get("session") == self._loop and event.get("requests")]
        self._calls = [at for at in self._calls if at > now - 4]
        if self._loop:
            self.story.session_rate(len(self._calls) / 4)
        refused = self._gateway.refused
        for kind, tenant in (("loop", LOOPER), ("burst", BURSTER)):
            self.story.on_refusals(kind, sum(n for key, n in refused.items() if key.startswith(f"tenant={tenant}")))
        if self._loop and sum(n for (_, _, s), n in self._traffic.refused.items() if s == self._loop) >= _PATIENCE:
            self._traffic.stop_loop(self._loop)

    async def _watch(self) -> None:
        """Follow the topics that Tidegate writes."""
        hear: dict[str, tuple[type, Callable[[Any], None]]] = {
            self._topics.rollups: (Rollup, self.story.on_rollup),
            self._topics.anomalies: (Anomaly, self.story.on_anomaly),
            self._topics.alerts: (Incident, self.story.on_incident),
        }
        settings = aiokafka_settings(self._stack.config.kafka)
        async with AIOKafkaConsumer(*hear, **settings, auto_offset_reset="earliest") as consumer:
            async for record in consumer:
                if record.value:
                    kind, take = hear[record.topic]
                    take(msgspec.json.decode(record.value, type=kind))

    async def _messages(self) -> None:
        """Show what the worker's console receiver writes."""
        stdout = self._stack.worker.stdout
        while stdout and (line := await stdout.readline()):
            self._screen.message(line.decode(errors="replace").rstrip())

    async def _draw(self) -> None:
        draws = 0
        while True:
            await asyncio.sleep(_DRAW_SECONDS)
            self._screen.draw(self.story)
            draws += 1
            if draws % 20 == 0:
                self._screen.rates(self.story)
