"""A stage whose state is split among tenants, and a log with transactions that outlives its workers: to be crashed."""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from streamer.kafka.checkpoint import Checkpoints
from streamer.kafka.journal import Entry, StaleOwner
from streamer.kafka.stage import AT_ONCE, LATER, Out, Record
from tests.streamer.kafka.fakes import USAGE, FakeConsumer, FakeProducer, run, runner_of


class Item(NamedTuple):
    """What one record holds: whose it is (None: rejected), and whether somebody waits for what comes of it."""

    owners: tuple[str | None, ...]
    hurried: bool = False


class Tenants:
    """Notes the place of each record with its tenants, says so, and on a tick says how many came since the last.

    `life` turns what two letters of the alphabet mean: a worker that reads a record again may take it for another's.
    """

    def __init__(self, life: int) -> None:
        self.met: defaultdict[str, list[int]] = defaultdict(list)
        self.told: defaultdict[str, list[int]] = defaultdict(list)
        self._life = life
        self._dirty: set[str] = set()
        self._touched: defaultdict[str | None, list[int]] = defaultdict(list)

    def read(self, record: Record) -> Item:
        """What this worker takes a record for."""
        kind, hurried = (record.value or b"").decode().lower(), (record.value or b"").isupper()
        turns = {"?": ("a", None), "~": ("a", "b"), "&": ("b", "c")}
        if kind[0] in "rq":  # rejected, with an accepted item or without
            return Item((None, "c") if kind == "q" else (None,))
        if kind in turns:
            both = turns[kind]
            return Item(both if kind == "&" else (both[self._life % 2],))
        return Item((kind,), hurried)

    def apply(self, records: Sequence[Record], now: float) -> Iterator[Out]:
        for record in records:
            item = self.read(record)
            for owner in item.owners:
                self._touched[owner].append(record.offset)
                if owner is not None:
                    self.met[owner].append(record.offset)
                    self._dirty.add(owner)
                within = AT_ONCE if item.hurried else LATER
                yield Out("out", owner or "nobody", b"%d" % record.offset, within=within, owner=owner)

    def tick(self, now: float) -> Iterator[Out]:
        for owner, met in self.met.items():
            if len(met) > sum(self.told[owner]):
                self.told[owner].append(len(met) - sum(self.told[owner]))
                self._dirty.add(owner)
                yield Out("ticks", owner, b"%d" % self.told[owner][-1], owner=owner)

    def report(self) -> None:
        """It counts nothing."""

    def touched(self) -> Mapping[str | None, Sequence[int]]:
        touched, self._touched = self._touched, defaultdict(list)
        return touched

    def owners(self) -> Collection[str]:
        return self._dirty

    def changes(self, owner: str | None = None) -> Iterator[tuple[str, bytes | None]]:
        for name in sorted(self._dirty if owner is None else self._dirty & {owner}):
            self._dirty.discard(name)
            yield f"{name}/met", json.dumps(self.met[name]).encode()
            if self.told[name]:
                yield f"{name}/told", json.dumps(self.told[name]).encode()

    def restore(self, parts: Mapping[str, bytes]) -> None:
        for key, part in parts.items():
            name, what = key.split("/")
            (self.met if what == "met" else self.told)[name] = json.loads(part)


class Log:
    """What Kafka keeps of all lives: outputs, and the compacted changelog."""

    def __init__(self) -> None:
        self.outs: list[Out] = []
        self.stored: dict[bytes, bytes] = {}

    def keep(self, entry: Entry) -> None:
        """Take up a transaction."""
        self.outs += entry.outs
        for key, value in [*entry.parts, *([entry.head] if entry.head else [])]:
            self.stored.pop(key, None) if value is None else self.stored.update({key: value})


class Transactions:
    """A journal on such a log; each write waits for `end`, and ends as it says: kept, lost, or kept and not known."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.begun = asyncio.Event()
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        """Nobody is to be fenced."""

    async def discard(self, topics: Iterable[str]) -> None:
        """Nothing is to be ended."""

    async def ready(self) -> bool:
        return True

    async def write(self, entry: Entry) -> bool:
        self.begun.set()
        end = await self.end
        self.end = asyncio.get_running_loop().create_future()
        if end != "lost":
            self._log.keep(entry)
        if end != "kept":
            raise StaleOwner(end)
        return True

    async def close(self) -> None:
        """There is nothing to let go of."""


class Step(NamedTuple):
    """Records are applied, time may pass, and a checkpoint of some kind is taken, more being applied meanwhile."""

    records: int
    ticks: bool
    kind: str  # hurried, slice, whole, none
    meanwhile: int
    end: str = "kept"


class Life:
    """A worker over `records`; one that goes on where the log says."""

    now = 1_000.0

    def __init__(self, log: Log, records: Sequence[bytes], number: int) -> None:
        self._records, self._journal = records, Transactions(log)
        self.stage = self._stage(number)
        self.runner = runner_of(self.stage, FakeConsumer(), FakeProducer(), journal=self._journal)
        self.runner.restore(log.stored)
        self.runner.begin(USAGE, 0)

    def _stage(self, number: int) -> Any:
        return Tenants(number)

    async def live(self, steps: Iterable[Step]) -> None:
        """Take the steps; ends early where a checkpoint fails."""
        with contextlib.suppress(StaleOwner):
            for step in steps:
                await self._step(step)

    async def _step(self, step: Step) -> None:
        await self._take(step.records)
        if step.ticks:
            self._keep_time()
        if step.kind != "none":
            await self._checkpoint(step)

    async def _checkpoint(self, step: Step) -> None:
        self._journal.begun.clear()
        hurried, whole = step.kind == "hurried", step.kind == "whole"
        writing = asyncio.create_task(self.runner.checkpoint(hurried=hurried, whole=whole))
        begun = asyncio.create_task(self._journal.begun.wait())
        await asyncio.wait([writing, begun], return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if not writing.done():
            await self._take(step.meanwhile)
            self._journal.end.set_result(step.end)
        await writing

    async def _take(self, many: int) -> None:
        base = self.runner.positions[USAGE] or 0
        values = self._records[base : base + many]
        if values:
            await self.runner.take(run(values, base), self.now)

    def _keep_time(self) -> None:
        position = self.runner.positions[USAGE] or 0
        self.runner._keep(lambda: self.stage.tick(self.now), position)


async def lives(records: Sequence[bytes], steps: Iterable[Sequence[Step]]) -> tuple[Log, Tenants]:
    """Go through the lives, and one more that is not disturbed; gives what is left."""
    log = Log()
    number = -1
    for number, of_one in enumerate(steps):
        await Life(log, records, number).live(of_one)
    last = Life(log, records, number + 1)
    await last.live([Step(len(records), True, "whole", 0)])
    kept = Tenants(0)
    kept.restore(Checkpoints(0).restore(log.stored))
    return log, kept
