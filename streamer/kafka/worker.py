"""The worker: a Faust app with one agent a topic, each feeding the runners of the partitions that it was given."""

import asyncio
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, cast

import faust
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition
from faust.types import TP

from alerts.console import ConsoleReceiver
from streamer.clock import wall
from streamer.config import Config
from streamer.errors import KafkaUnreachable, StateUnreadable
from streamer.garbage import collect_seldom
from streamer.kafka.answers import Standing
from streamer.kafka.app import App
from streamer.kafka.backlog import Backlog
from streamer.kafka.batches import Batches
from streamer.kafka.connection import writer_of
from streamer.kafka.group import must_be_ours
from streamer.kafka.history import RollupHistory
from streamer.kafka.journal import Journal, OrderedJournal, TransactionJournal, stopped
from streamer.kafka.notifier import Notifier
from streamer.kafka.partitions import Kind, Partitions
from streamer.kafka.showback import Showbacks
from streamer.kafka.slack import SlackSide
from streamer.kafka.stages import AlertStage, MeterStage, NormaliseStage
from streamer.kafka.topics import CHANGELOGS, Topics, ensure
from streamer.kafka.transport import Run, RunConsumer
from streamer.pipeline import Pipeline
from streamer.receivers import receivers_of, reporters_of, slack_of
from streamer.routing import owners_of
from streamer.web.metrics import Metrics
from streamer.web.server import OF_WORKERS, operations, serving
from streamer.wiring import decoder_of, desk_of

log = structlog.get_logger()
_TICK_SECONDS = 0.25
NORMALISER, METER, ALERTS = "normaliser", "meter", "alerts"


class Worker:
    """Everything that one `tidegate worker` process runs."""

    def __init__(self, config: Config, partitions: Mapping[str, int]) -> None:
        self.config, self.topics, self.metrics = config, Topics.named(config.kafka.topic_prefix), Metrics()
        self.app = App.of(config.kafka, self._start)
        self.partitions = Partitions(config.kafka, self._kinds(), self._journal, lambda: self._consumer, self.metrics)
        raw = [TopicPartition(self.topics.raw, number) for number in range(partitions[self.topics.raw])]
        self._backlog = Backlog(config.kafka, raw)
        self._producer: AIOKafkaProducer | None = None
        self._unreadable: StateUnreadable | None = None
        self._edges = AsyncExitStack()
        alerts, last_resort = config.alerts, ConsoleReceiver(sys.stderr)
        slack, history = slack_of(config), RollupHistory(config.kafka, self.topics, partitions)
        receivers = receivers_of(config, slack, history)
        self._notifier = Notifier(
            receivers, last_resort, self.metrics, fallback=alerts.fallback, dead_after=alerts.dead_after_seconds
        )
        self._showbacks = Showbacks(config, self.topics, partitions, reporters_of(receivers))
        self._slack = SlackSide(config, slack, self.topics, self.metrics, self._standing)
        for kind in self._kinds():
            for topic in kind.topics:
                self._agent(topic, partitions[topic])
        self.app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        self.app.on_before_shutdown.connect(self._on_shutdown, weak=False)
        self.app.task(self._run)

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; gives the exit status. Raises StateUnreadable."""
        worker = faust.Worker(self.app, loglevel="WARN", override_logging=False, redirect_stdouts=False, quiet=True)
        worker.spinner = None  # standard output belongs to the console receiver
        status = 0
        try:
            worker.execute_from_commandline()
        except SystemExit as end:
            status = int(end.code or 0)
        if self._unreadable:
            raise self._unreadable
        return status

    def why_not_ready(self) -> str:
        """Say why the worker is not ready, "" if it is."""
        return "" if self.partitions.ready else "waiting for partitions and their state"

    @property
    def _consumer(self) -> RunConsumer:
        return cast(RunConsumer, self.app.consumer)

    def _kinds(self) -> list[Kind]:
        config, topics, metrics = self.config, self.topics, self.metrics
        return [
            Kind(
                NORMALISER,
                (topics.raw,),
                (topics.usage, topics.dead_letters),
                lambda _: NormaliseStage(decoder_of(config), topics, metrics),
                keeps_state=False,
            ),
            Kind(
                METER,
                (topics.usage,),
                (topics.rollups, topics.session_rollups, topics.anomalies, topics.budgets, topics.dead_letters),
                lambda partition: MeterStage(
                    decoder_of(config, feedback=True), Pipeline(config), topics, metrics, partition
                ),
            ),
            Kind(
                ALERTS,
                (topics.anomalies, topics.acks, topics.feedback),
                (topics.alerts, topics.throttle, topics.usage, topics.dead_letters),
                lambda _: AlertStage(desk_of(config), topics, metrics, config.events.max_future_seconds, config.trust),
            ),
        ]

    def _journal(self, name: str, changelog: TP | None) -> Journal:
        kafka = self.config.kafka
        if kafka.idempotence:
            return TransactionJournal(lambda: writer_of(kafka, name), kafka.group, changelog)
        return OrderedJournal(Batches(cast(Any, self._producer)), self._consumer.commit_positions, changelog)

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
        await self.partitions.take(run)

    async def _start(self) -> None:
        """Before anything is consumed: serve health and metrics, connect what all partitions share."""
        web = self.config.web
        await self._edges.enter_async_context(self._slack)
        routes = [*operations(self.metrics, self.why_not_ready), *self._slack.routes]
        await self._edges.enter_async_context(serving(routes, web.host, web.port, ports=OF_WORKERS))
        if not self.config.kafka.idempotence:
            self._producer = writer_of(self.config.kafka, None)
            await self._producer.start()
        consumer = self._consumer
        consumer.adopt, consumer.settled = self._adopt, self._settled
        consumer.restarted = self.partitions.restarted

    async def _adopt(self, assigned: set[TP]) -> Mapping[TP, int]:
        """Take partitions over; where their state cannot be read, leave the group to workers that can, and end."""
        try:
            return await self.partitions.adopt(assigned)
        except StateUnreadable as why:
            self._unreadable = why
            signal.raise_signal(signal.SIGTERM)
            return {}

    def _settled(self, positions: Mapping[TP, int]) -> None:
        """Go on with the partitions; no time passes for tenants before what is there already has been read."""
        self.partitions.settled(positions)
        self._backlog.begin(lambda: self.partitions.applied(self.topics.usage))

    async def _run(self) -> None:
        """The background task: let time pass, and send notifications."""
        while not self.app.should_stop:
            await self.app.sleep(_TICK_SECONDS)
            if self.partitions.ready:
                await self._tick()

    async def _tick(self) -> None:
        for runner in self.partitions:
            await runner.tick(wall(), waits=isinstance(runner.stage, MeterStage) and not self._backlog.through)
        stage = self._alerts()
        if stage:
            self._notifier.send_due(stage.desk.dispatcher, stage.dead, wall())
            self._showbacks.send_due(stage.told, wall())
        else:
            self.metrics.without_incidents()
        await self._slack.listen(stage is not None)

    def _alerts(self) -> AlertStage | None:
        """The stage that keeps the incidents, where this worker has it."""
        return next((runner.stage for runner in self.partitions if isinstance(runner.stage, AlertStage)), None)

    def _standing(self, incident: str) -> Standing:
        stage = self._alerts()
        if stage is None:
            return "elsewhere"
        found = stage.desk.dispatcher.find(incident)
        if found is None or (found.state == "resolved" and not found.commands):
            return "over"
        return "open" if found.state == "open" else "held"

    async def _on_revoked(self, *_: Any, **__: Any) -> None:
        """Save all before the partitions go elsewhere; the group waits for us."""
        await self.partitions.release()

    async def _on_shutdown(self, *_: Any, **__: Any) -> None:
        """SIGTERM: finish deliveries, save, commit."""
        self._backlog.close()
        await self._notifier.close()
        await self._showbacks.close()
        await self.partitions.release()
        if self._producer is not None:
            await stopped(self._producer)
        await self._edges.aclose()
        log.info("stopped")


def start(config: Config) -> int:
    """Make sure of the topics, then run a worker until it is told to stop; gives the exit status."""
    collect_seldom()
    owners_of(config.alerts)  # a mistake in the owners' file is said now, not when alerts are assigned to this worker
    topics = Topics.named(config.kafka.topic_prefix)
    partitions = asyncio.run(ensure(config.kafka, topics, CHANGELOGS))
    _check(partitions, topics)
    asyncio.run(must_be_ours(config.kafka, topics))
    return Worker(config, partitions).run()


def _check(partitions: Mapping[str, int], topics: Topics) -> None:
    """Make sure that what is read together is split alike, or its parts would go to workers that fence each other."""
    for topic in (topics.acks, topics.feedback):
        if partitions[topic] != partitions[topics.anomalies]:
            many = partitions[topics.anomalies]
            raise KafkaUnreachable(f"{topic} must have as many partitions as {topics.anomalies}: {many}")
