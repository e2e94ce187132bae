"""The partitions that a worker has: who takes them over, who applies their runs, and how they are let go."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP

from streamer.clock import wall
from streamer.config import KafkaConfig
from streamer.errors import StateUnreadable
from streamer.kafka.checkpoint import Topic
from streamer.kafka.identity import identified
from streamer.kafka.journal import Journal, StaleOwner
from streamer.kafka.restore import read_log
from streamer.kafka.runner import Runner
from streamer.kafka.stage import Stage
from streamer.kafka.topics import changelog, widen
from streamer.kafka.transport import Run, RunConsumer
from streamer.web.metrics import Metrics

log = structlog.get_logger()
# Between two tries to take partitions over, or to have them assigned anew.
_PAUSE = 1.0


class Kind(NamedTuple):
    """One of the worker's stages: its name, the topics that it reads together and writes, whether it keeps state."""

    name: str
    topics: tuple[str, ...]
    writes: tuple[str, ...]
    stage: Callable[[int], Stage]
    keeps_state: bool = True


class Partitions:
    """All runners of one worker."""

    def __init__(
        self,
        kafka: KafkaConfig,
        kinds: Iterable[Kind],
        journal: Callable[[str, TP | None], Journal],
        consumer: Callable[[], RunConsumer],
        metrics: Metrics,
    ) -> None:
        self._kafka, self._kinds, self._journal, self._metrics = kafka, tuple(kinds), journal, metrics
        self._consumer = consumer
        # A stage's partitions take turns in applying, so that a round of the event loop is short.
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._runners: dict[TP, Runner] = {}
        self._writers: list[asyncio.Task[None]] = []
        self.ready = False

    def __iter__(self) -> Iterator[Runner]:
        """Give each runner once."""
        return iter(dict.fromkeys(self._runners.values()))

    async def take(self, run: Run) -> None:
        """Have a run applied."""
        runner = self._runners.get(run.tp)
        # A run that was under way while its partition went elsewhere is not ours any more.
        if runner is not None:
            await runner.take(run, wall())

    async def adopt(self, assigned: set[TP]) -> Mapping[TP, int]:
        """Take the partitions over, each with its state; gives where each is to go on, as far as its state says.

        Raises StateUnreadable, having let all of them go.
        """
        await self._forget()
        while True:
            try:
                return await self._adopted(assigned)
            except KafkaError as error:
                log.warning("the partitions cannot be taken over yet", error=repr(error))
            except StateUnreadable:
                await self._forget()
                raise
            await self._forget()
            await asyncio.sleep(_PAUSE)

    def applied(self, topic: str) -> Mapping[TP, int | None]:
        """Give how far each partition of a topic has been applied."""
        return {tp: runner.positions[tp] for tp, runner in self._runners.items() if tp.topic == topic}

    def settled(self, positions: Mapping[TP, int]) -> None:
        """Go on with each partition there; from here on there is something to apply and to write."""
        if positions.keys() != self._runners.keys():
            return  # they were taken away again while their state was read
        for tp, runner in self._runners.items():
            runner.begin(tp, positions[tp])
        self._writers = [asyncio.create_task(self._write(runner)) for runner in self]
        self._say_ready(True)
        log.info("ready", partitions=sorted(f"{tp.topic}[{tp.partition}]" for tp in self._runners))

    def restarted(self, tp: TP, offset: int) -> None:
        """Go on with a topic that was made anew, or whose records have expired."""
        self._metrics.topic_changes.labels(tp.topic, "out_of_range").inc()
        if tp in self._runners:
            self._runners[tp].restart(tp, offset)

    async def release(self) -> None:
        """Save all and let the partitions go: others will have them."""
        self._say_ready(False)
        await asyncio.gather(*(self._save(runner) for runner in self))
        await self._forget()

    async def _adopted(self, assigned: set[TP]) -> Mapping[TP, int]:
        topics = await self._looked_up(assigned)
        owned = [
            (kind, *self._owned(kind, tps, topics)) for kind in self._kinds for tps in _by_partition(kind, assigned)
        ]
        # All are fenced before any state is read: what somebody else still has under way is in it then, or nowhere.
        await asyncio.gather(*(runner.journal.open() for _, runner, _ in owned))
        for kind, runner, changelog_of in owned:
            if changelog_of is not None:
                runner.restore(await self._read(kind, runner, changelog_of))
        return {tp: offset for _, runner, _ in owned for tp, offset in runner.wanted().items()}

    async def _read(self, kind: Kind, runner: Runner, changelog_of: TP) -> Mapping[bytes, bytes]:
        kept = await read_log(self._kafka, changelog_of)
        if kept.hanging:
            log.warning("the broker left a transaction without an end: it is discarded", changelog=str(changelog_of))
            self._metrics.discarded.inc()
            await runner.journal.discard(kind.writes)
            kept = await read_log(self._kafka, changelog_of)
        return kept.values

    async def _looked_up(self, assigned: set[TP]) -> Mapping[str, Topic]:
        """Look the topics up; changelogs get the partitions that their sources have got."""
        logs = {changelog(self._kafka.group, kind.name): kind for kind in self._kinds if kind.keeps_state}
        found = await identified(self._kafka, {*(tp.topic for tp in assigned), *logs})
        for name, kind in logs.items():
            needed = 1 + max((tp.partition for tp in assigned if tp.topic in kind.topics), default=0)
            if name in found and found[name].partitions < needed:
                log.error("the changelog has fewer partitions than its source", changelog=name, needed=needed)
                await widen(self._kafka, name, needed)
        return found

    def _owned(self, kind: Kind, tps: list[TP], topics: Mapping[str, Topic]) -> tuple[Runner, TP | None]:
        partition = tps[0].partition
        stored = TP(changelog(self._kafka.group, kind.name), partition) if kind.keeps_state else None
        runner = Runner(
            kind.stage(partition),
            tps,
            self._journal(f"{self._kafka.group}-{kind.name}-{partition}", stored),
            consumer=self._consumer(),
            metrics=self._metrics,
            every=self._kafka.checkpoint_seconds,
            turns=self._turns[kind.name],
            runners=lambda: len(list(self)),
            keeps_state=kind.keeps_state,
            topics={topic: topics[topic] for topic in kind.topics if topic in topics},
        )
        self._runners.update(dict.fromkeys(tps, runner))
        return runner, stored

    async def _write(self, runner: Runner) -> None:
        """Write checkpoints until the partition is let go, or lost."""
        try:
            await runner.run()
        except StaleOwner as why:
            log.warning("dropping what was not saved", why=str(why))
        except Exception:
            log.exception("dropping what was not saved")
        await self._lose(runner)

    async def _lose(self, runner: Runner) -> None:
        """Apply nothing more, and ask the group whose the partition is: if it is ours, its state is read again."""
        self._say_ready(False)
        self._metrics.lost.inc()
        self._runners = {tp: other for tp, other in self._runners.items() if other is not runner}
        await runner.close()
        await asyncio.sleep(_PAUSE)
        await self._consumer().rejoin()

    async def _save(self, runner: Runner) -> None:
        """Save as long as the group waits for it: a broker that is gone would be waited for without end."""
        try:
            async with asyncio.timeout(self._kafka.rebalance_timeout_seconds):
                await runner.checkpoint()
        except (StaleOwner, KafkaError, TimeoutError) as why:
            log.warning("not saved: the partition goes on from its last checkpoint", why=repr(why))

    async def _forget(self) -> None:
        runners, self._runners = list(self), {}
        writers, self._writers = self._writers, []
        for task in writers:
            task.cancel()
        await asyncio.gather(*(runner.close() for runner in runners))

    def _say_ready(self, ready: bool) -> None:
        self.ready = ready
        self._metrics.ready.set(ready)


def _by_partition(kind: Kind, assigned: Iterable[TP]) -> list[list[TP]]:
    found: dict[int, list[TP]] = {}
    for tp in sorted(assigned):
        if tp.topic in kind.topics:
            found.setdefault(tp.partition, []).append(tp)
    return list(found.values())
