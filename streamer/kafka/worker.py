"""The worker: a Faust app with one agent a topic, each feeding the runners of the partitions that it was given."""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, cast

import faust
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from faust.types import TP

from alerts.console import ConsoleReceiver
from streamer.clock import wall
from streamer.config import Config
from streamer.kafka.app import App
from streamer.kafka.connection import producer_of
from streamer.kafka.notifier import Notifier
from streamer.kafka.runner import Runner, StaleOwner
from streamer.kafka.stage import Stage
from streamer.kafka.stages import AlertStage, MeterStage, NormaliseStage
from streamer.kafka.topics import Topics, changelog, ensure
from streamer.kafka.transport import Run, RunConsumer
from streamer.pipeline import Pipeline
from streamer.web.metrics import Metrics
from streamer.web.server import operations, serving
from streamer.wiring import decoder_of, desk_of, receivers_of

log = structlog.get_logger()
_TICK_SECONDS = 0.25
METER, ALERTS = "meter", "alerts"


class Worker:
    """Everything that one `tidegate worker` process runs."""

    def __init__(self, config: Config, partitions: Mapping[str, int]) -> None:
        self.config, self.topics, self.metrics = config, Topics.named(config.kafka.topic_prefix), Metrics()
        self.app = App.of(config.kafka, self._start)
        self._runners: dict[TP, Runner] = {}
        self._ready = False
        self._producer: AIOKafkaProducer | None = None
        self._edges = AsyncExitStack()
        self._notifier = Notifier(receivers_of(config), ConsoleReceiver(sys.stderr), self.metrics)
        self._tables = {
            METER: self._table(METER, partitions[self.topics.usage]),
            ALERTS: self._table(ALERTS, partitions[self.topics.anomalies]),
        }
        for topic in (self.topics.raw, self.topics.usage, self.topics.anomalies, self.topics.acks):
            self._agent(topic, partitions[topic])
        self.app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        self.app.on_before_shutdown.connect(self._on_shutdown, weak=False)
        self.app.task(self._run)

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; gives the exit status."""
        worker = faust.Worker(self.app, loglevel="WARN", override_logging=False, redirect_stdouts=False, quiet=True)
        worker.spinner = None  # standard output belongs to the console receiver
        try:
            worker.execute_from_commandline()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    def why_not_ready(self) -> str:
        """Say why the worker is not ready, "" if it is."""
        return "" if self._ready else "waiting for partitions and their state"

    @property
    def _consumer(self) -> RunConsumer:
        return cast(RunConsumer, self.app.consumer)

    def _table(self, name: str, partitions: int) -> Any:
        return self.app.Table(name, partitions=partitions, key_type=bytes, value_type=bytes)

    def _agent(self, topic: str, partitions: int) -> None:
        # acks=False: the runners commit, Faust does not.
        source = self.app.topic(
            topic, partitions=partitions, key_serializer="raw", value_serializer="raw", acks=False, internal=False
        )

        async def agent(stream: Any) -> None:
            async for run in stream:
                await self._take(run)

        self.app.agent(source, name=f"tidegate-{topic}")(agent)

    async def _take(self, run: Run) -> None:
        runner = self._runners.get(run.tp)
        # A run that was under way while its partition went elsewhere is not ours any more.
        if runner is not None:
            await runner.take(run, wall())

    async def _start(self) -> None:
        """Before anything is consumed: serve health and metrics, connect the producer."""
        web = self.config.web
        await self._edges.enter_async_context(serving(operations(self.metrics, self.why_not_ready), web.host, web.port))
        self._producer = producer_of(self.config.kafka)
        await self._producer.start()
        self._consumer.wanted, self._consumer.settled = self._restored, self._settled

    async def _run(self) -> None:
        """The background task: tick, send notifications, write checkpoints."""
        saved = wall()
        while not self.app.should_stop:
            await self.app.sleep(_TICK_SECONDS)
            if self._ready:
                await self._tick()
                if wall() - saved >= self.config.kafka.checkpoint_seconds:
                    await self._checkpoint()
                    saved = wall()

    async def _tick(self) -> None:
        for runner in set(self._runners.values()):
            await runner.tick(wall())
            if isinstance(runner.stage, AlertStage):
                self._notifier.send_due(runner.stage.desk.dispatcher, wall())

    async def _checkpoint(self) -> None:
        for runner in set(self._runners.values()):
            try:
                await runner.checkpoint()
            except StaleOwner as why:
                log.warning("dropping what was not saved", why=str(why))
                self._drop(runner)

    def _restored(self, assigned: set[TP]) -> Mapping[TP, int]:
        """Make the runners of the partitions that we now have, from their tables; gives where each is to go on."""
        self._runners.clear()
        for partition in sorted({tp.partition for tp in assigned}):
            self._adopt(self._normaliser(), [tp for tp in assigned if tp == (self.topics.raw, partition)], None)
            self._adopt(self._meter(), [tp for tp in assigned if tp == (self.topics.usage, partition)], METER)
            alerting = (self.topics.anomalies, self.topics.acks)
            own = [tp for tp in assigned if tp.topic in alerting and tp.partition == partition]
            self._adopt(self._alerting(), own, ALERTS)
        positions = {tp: runner.positions[tp] for tp, runner in self._runners.items()}
        return {tp: offset for tp, offset in positions.items() if offset is not None}

    def _settled(self, positions: Mapping[TP, int]) -> None:
        """Take up where each partition goes on; from here on there is something to apply."""
        for tp, runner in self._runners.items():
            runner.begin(tp, positions[tp])
        self._ready = True
        self.metrics.ready.set(1)
        log.info("ready", partitions=sorted(f"{tp.topic}[{tp.partition}]" for tp in self._runners))

    def _adopt(self, stage: Stage, sources: list[TP], table: str | None) -> None:
        if not sources:
            return
        runner = Runner(
            stage,
            sources,
            changelog(self.config.kafka.group, table) if table else None,
            consumer=self._consumer,
            producer=self._producer,
            metrics=self.metrics,
            dead_letters=self.topics.dead_letters,
        )
        if table:
            runner.restore(_of_partition(self._tables[table], sources[0].partition))
        self._runners.update(dict.fromkeys(sources, runner))

    def _normaliser(self) -> NormaliseStage:
        return NormaliseStage(decoder_of(self.config), self.topics, self.metrics)

    def _meter(self) -> MeterStage:
        return MeterStage(decoder_of(self.config), Pipeline(self.config), self.topics, self.metrics)

    def _alerting(self) -> AlertStage:
        return AlertStage(desk_of(self.config), self.topics, self.metrics)

    def _drop(self, runner: Runner) -> None:
        self._runners = {tp: other for tp, other in self._runners.items() if other is not runner}

    async def _on_revoked(self, *_: Any, **__: Any) -> None:
        """Save all before the partitions go elsewhere; the group waits for us."""
        self._ready = False
        self.metrics.ready.set(0)
        try:
            await self._checkpoint()
        except KafkaError as error:
            log.warning("no checkpoint before the partitions went: they go on from the last one", error=repr(error))
        self._runners.clear()

    async def _on_shutdown(self, *_: Any, **__: Any) -> None:
        """SIGTERM: finish deliveries, save, commit."""
        self._ready = False
        await self._notifier.close()
        if self._producer is not None:
            await self._checkpoint()
            await self._producer.stop()
        await self._edges.aclose()
        log.info("stopped")


def _of_partition(table: Any, partition: int) -> dict[bytes, bytes]:
    prefix = f"{partition}:".encode()
    return {key: value for key, value in table.items() if key.startswith(prefix) and value is not None}


def start(config: Config) -> int:
    """Make sure of the topics, then run a worker until it is told to stop; gives the exit status."""
    topics = Topics.named(config.kafka.topic_prefix)
    partitions = asyncio.run(ensure(config.kafka, topics, {METER: 0, ALERTS: 1}))
    return Worker(config, partitions).run()
