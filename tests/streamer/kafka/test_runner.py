"""A runner applies each record once, in order, and a crash at any moment of a checkpoint changes no total."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NoReturn

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.kafka import runner as module
from streamer.kafka.journal import Entry, StaleOwner
from streamer.kafka.pace import Pace
from streamer.kafka.runner import Runner
from streamer.kafka.stage import AT_ONCE, LATER, Out, Record
from streamer.kafka.transport import Run
from streamer.web.metrics import Metrics
from tests.streamer.kafka.fakes import LOG, TOPICS, USAGE, FakeConsumer, FakeProducer, run, runner_of, sample

ACKS = TP(TOPICS.acks, 0)
NOW = 1_000.0


class Counting:
    """A stage that counts each value, and says so; `bad` breaks it."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.ticks: list[float] = []
        self.reports = 0
        self.within = LATER
        self._dirty: set[str] = set()

    def apply(self, records: Sequence[Record], now: float) -> Iterable[Out]:
        for record in records:
            name = (record.value or b"").decode()
            if name == "bad":
                raise RuntimeError(name)
            self.counts[name] += 1
            self._dirty.add(name)
            yield Out("out", name, record.value, within=self.within)

    def tick(self, now: float) -> Iterable[Out]:
        self.ticks.append(now)
        return [Out("ticks", "tick", b"")]

    def report(self) -> None:
        self.reports += 1

    def touched(self) -> Mapping[str | None, Sequence[int]]:
        return {}

    def owners(self) -> Collection[str]:
        return ()

    def changes(self, owner: str | None = None) -> Iterator[tuple[str, bytes | None]]:
        for name in sorted(self._dirty):
            yield name, str(self.counts[name]).encode()
        self._dirty.clear()

    def restore(self, parts: Mapping[str, bytes]) -> None:
        self.counts = Counter({name: int(count) for name, count in parts.items()})


class Bench:
    """A runner over a counting stage, with all that it talks to."""

    def __init__(self, *, sources: Iterable[TP] = (USAGE,), changelog: str | None = LOG) -> None:
        self.journal: list[str] = []
        self.stage, self.metrics = Counting(), Metrics()
        self.consumer, self.producer = FakeConsumer(self.journal), FakeProducer(self.journal)
        self.runner = runner_of(
            self.stage, self.consumer, self.producer, sources=sources, changelog=changelog, metrics=self.metrics
        )

    async def take(self, *values: bytes, base: int = 0, tp: TP = USAGE) -> None:
        await self.runner.take(run(values, base, tp), NOW)


def restored(log: Mapping[bytes, bytes]) -> tuple[Counting, Runner]:
    stage = Counting()
    again = runner_of(stage, FakeConsumer(), FakeProducer())
    again.restore(log)
    return stage, again


async def test_runs_that_join_are_applied_in_order() -> None:
    bench = Bench()
    await bench.take(b"a", b"b")
    await bench.take(b"c", base=2)
    assert bench.producer.values("out") == []
    await bench.runner.checkpoint()
    assert bench.producer.values("out") == [b"a", b"b", b"c"]
    assert bench.runner.positions == {USAGE: 3}


async def test_the_first_run_may_begin_anywhere() -> None:
    bench = Bench()
    await bench.take(b"a", base=70)
    assert bench.runner.positions == {USAGE: 71}


async def test_a_run_without_records_moves_the_position() -> None:
    """Marks of transactions have offsets too."""
    bench = Bench()
    await bench.take(b"a")
    await bench.runner.take(Run(USAGE, 1, 4, ()), NOW)
    assert bench.runner.positions == {USAGE: 4}
    bench.consumer.ends = {USAGE: 4}
    await bench.runner.tick(NOW)
    assert bench.stage.ticks == [NOW]


async def test_of_an_overlapping_run_only_what_is_new_is_applied() -> None:
    bench = Bench()
    await bench.take(b"a", b"b")
    await bench.take(b"b", b"c", base=1)
    assert bench.stage.counts == Counter("abc")
    assert bench.runner.positions == {USAGE: 3}


async def test_a_run_whose_topic_is_made_anew_meanwhile_is_given_up() -> None:
    """Else what the new topic holds would be taken for known."""
    bench = Bench()
    long = asyncio.create_task(bench.take(*[b"a"] * 1000))
    await asyncio.sleep(0)
    bench.runner.restart(USAGE, 0)
    await long
    assert bench.stage.counts["a"] < 1000
    await bench.take(b"b")
    assert bench.stage.counts["b"] == 1
    assert bench.runner.positions == {USAGE: 1}


async def test_partitions_with_a_backlog_leave_the_event_loop_to_others_after_each_turn() -> None:
    """However many have one: between two turns whoever waits for an answer gets on by several steps."""
    turns, stages = asyncio.Lock(), [Counting() for _ in range(4)]
    runners = [runner_of(stage, FakeConsumer(), FakeProducer(), turns=turns) for stage in stages]
    backlog = asyncio.gather(*(runner.take(run([b"a"] * 500), NOW) for runner in runners))
    applied, behind = [0], []
    while not backlog.done():
        await asyncio.sleep(0)
        each = [stage.counts["a"] for stage in stages]
        applied.append(sum(each))
        behind.append(max(each) - min(each))
    assert applied[-1] == 2000
    rounds = [round for round, (before, after) in enumerate(pairwise(applied)) if after > before]
    assert max(after - before for before, after in pairwise(applied)) <= 50
    assert min(after - before for before, after in pairwise(rounds)) >= 4
    # Each gets its turn: none has to wait until another is through.
    assert max(behind) <= 50


async def test_a_checkpoint_before_which_nothing_was_applied_leaves_no_time_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was held back under load is out as soon as the load is gone."""
    works: list[float] = []
    monkeypatch.setattr(Pace, "ran", lambda _, work, *__, **___: works.append(work))
    bench = Bench()
    await bench.take(b"a")
    for _ in range(2):
        await bench.runner.checkpoint(whole=False)
    assert [work > 0 for work in works] == [True, False]


async def test_a_run_that_is_known_already_changes_nothing() -> None:
    bench = Bench()
    await bench.take(b"a", b"b", b"c")
    await bench.take(b"a")
    assert bench.stage.counts == Counter("abc")
    assert bench.runner.positions == {USAGE: 3}


async def test_a_gap_is_fetched_again_and_nothing_behind_it_is_applied() -> None:
    bench = Bench()
    await bench.take(b"a")
    await bench.take(b"c", base=2)
    assert bench.stage.counts == Counter("a")
    assert bench.consumer.rewinds == [(USAGE, 1)]
    assert sample(bench.metrics, "tidegate_rewinds_total") == 1
    await bench.take(b"b", b"c", base=1)
    assert bench.stage.counts == Counter("abc")


async def test_a_checkpoint_writes_outputs_then_parts_then_the_head_then_commits() -> None:
    bench = Bench()
    await bench.take(b"a", b"b")
    await bench.runner.checkpoint()
    assert bench.journal == ["out a", "out b", f"{LOG} 0:0:a", f"{LOG} 0:0:b", f"{LOG} 0:head", "commit"]
    assert bench.consumer.committed == {USAGE: 2}
    assert {tp for tp, _ in bench.producer.places if tp.topic == LOG} == {TP(LOG, 0)}


async def test_nothing_is_stored_before_the_outputs_are_acknowledged() -> None:
    bench = Bench()
    slow: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    bench.producer.answer = lambda topic, _: slow if topic == "out" else None
    await bench.take(b"a")
    checkpoint = asyncio.create_task(bench.runner.checkpoint())
    for _ in range(9):
        await asyncio.sleep(0)
    assert bench.journal == ["out a"]
    slow.set_result(None)
    await checkpoint
    assert bench.journal == ["out a", f"{LOG} 0:0:a", f"{LOG} 0:head", "commit"]


async def test_the_head_waits_for_every_part() -> None:
    bench = Bench()
    slow: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    bench.producer.answer = lambda _, key: slow if key.endswith(b":a") else None
    await bench.take(b"a", b"b")
    checkpoint = asyncio.create_task(bench.runner.checkpoint())
    for _ in range(9):
        await asyncio.sleep(0)
    assert f"{LOG} 0:head" not in bench.journal
    slow.set_result(None)
    await checkpoint
    assert bench.journal[-2:] == [f"{LOG} 0:head", "commit"]


async def test_records_that_arrive_during_a_checkpoint_belong_to_the_next() -> None:
    bench = Bench()
    slow: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    bench.producer.answer = lambda _, key: slow if key.endswith(b":a") else None
    await bench.take(b"a")
    checkpoint = asyncio.create_task(bench.runner.checkpoint())
    for _ in range(9):
        await asyncio.sleep(0)
    await bench.take(b"b", base=1)
    assert bench.producer.values("out") == [b"a"]
    slow.set_result(None)
    await checkpoint
    stage, again = restored(bench.producer.log())
    assert (stage.counts, again.positions) == (Counter("a"), {USAGE: 1})
    await bench.runner.checkpoint()
    stage, again = restored(bench.producer.log())
    assert (stage.counts, again.positions) == (Counter("ab"), {USAGE: 2})


async def test_without_news_a_checkpoint_only_makes_sure_of_its_ownership() -> None:
    bench = Bench()
    await bench.take(b"a")
    await bench.runner.checkpoint()
    written = len(bench.journal)
    await bench.runner.checkpoint()
    assert bench.journal[written:] == ["commit"]


async def test_before_the_first_record_there_is_nothing_to_write() -> None:
    bench = Bench()
    await bench.runner.checkpoint()
    assert bench.journal == []


async def test_without_a_changelog_only_offsets_are_kept() -> None:
    bench = Bench(changelog=None)
    await bench.take(b"a")
    await bench.runner.checkpoint()
    assert bench.journal == ["out a", "commit"]


async def test_whom_the_group_refuses_writes_nothing_behind_the_fence() -> None:
    bench = Bench()
    await bench.take(b"a")
    await bench.runner.checkpoint()
    bench.consumer.accepts = False
    await bench.take(b"b", base=1)
    written = len(bench.journal)
    with pytest.raises(StaleOwner):
        await bench.runner.checkpoint()
    assert bench.journal[written:] == ["refused"]
    assert restored(bench.producer.log())[0].counts == Counter("a")


async def test_where_the_group_does_not_answer_a_checkpoint_waits() -> None:
    """Nobody knows then whose the partition is."""
    bench = Bench()
    await bench.take(b"a")
    await bench.runner.checkpoint()
    bench.consumer.answers = False
    await bench.take(b"b", base=1)
    written = len(bench.journal)
    await bench.runner.checkpoint()
    assert bench.journal[written:] == ["no answer"]
    bench.consumer.answers = True
    await bench.runner.checkpoint()
    assert restored(bench.producer.log())[0].counts == Counter("ab")
    assert bench.consumer.committed == {USAGE: 2}


async def test_offsets_that_the_group_did_not_take_follow_with_the_next_checkpoint() -> None:
    bench = Bench()
    bench.consumer.answers = False
    await bench.take(b"a")
    await bench.runner.checkpoint()
    assert restored(bench.producer.log())[1].positions == {USAGE: 1}
    assert bench.consumer.committed == {}
    bench.consumer.answers = True
    await bench.runner.checkpoint()
    assert bench.consumer.committed == {USAGE: 1}


async def test_a_stage_that_raises_has_its_state_read_again() -> None:
    """Stages do not; one that does has changed nobody knows what."""
    bench = Bench()
    await bench.take(b"a")
    await bench.runner.checkpoint()
    await bench.take(b"b", b"bad", base=1)
    with pytest.raises(StaleOwner):
        await bench.runner.checkpoint()
    stage, again = restored(bench.producer.log())
    assert (stage.counts, again.positions) == (Counter("a"), {USAGE: 1})


def _refuse(_: str, __: bytes) -> NoReturn:
    raise KafkaConnectionError("the buffer is full")


async def test_an_output_that_the_producer_does_not_take_leaves_the_last_checkpoint() -> None:
    bench = Bench()
    bench.producer.answer = _refuse
    await bench.take(b"a", b"b")
    with pytest.raises(StaleOwner):
        await bench.runner.checkpoint()
    assert restored(bench.producer.log())[1].positions == {USAGE: None}


async def test_after_a_checkpoint_that_failed_no_other_pretends_to_be_whole() -> None:
    """A worker that crashes over it is shut down in order, and that writes a last checkpoint."""
    bench = Bench()
    await bench.take(b"a")
    await bench.runner.checkpoint()
    before = bench.producer.log()
    failed: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    failed.set_exception(KafkaConnectionError("no broker"))
    bench.producer.answer = lambda topic, _: failed if topic == "out" else None
    await bench.take(b"b", base=1)
    with pytest.raises(StaleOwner):
        await bench.runner.checkpoint()
    bench.producer.answer = lambda _, __: None
    await bench.take(b"c", base=2)
    with pytest.raises(StaleOwner):
        await bench.runner.checkpoint()
    assert bench.producer.log() == before
    assert bench.consumer.committed == {USAGE: 1}


async def test_time_passes_only_when_all_that_has_arrived_is_applied_and_metrics_are_kept_up_meanwhile() -> None:
    bench = Bench(sources=(USAGE, ACKS))
    bench.consumer.ends = {USAGE: 2}
    await bench.take(b"a")
    await bench.runner.tick(NOW)
    bench.consumer.ends = {USAGE: 2, ACKS: 0}
    await bench.runner.tick(NOW + 1)
    assert (bench.stage.ticks, bench.stage.reports) == ([], 2)
    assert sample(bench.metrics, "tidegate_lag_records", topic=TOPICS.usage, partition="0") == 1
    await bench.take(b"b", base=1)
    await bench.runner.tick(NOW + 2, waits=True)
    assert bench.stage.ticks == []
    await bench.runner.tick(NOW + 2)
    assert bench.stage.ticks == [NOW + 2]
    await bench.runner.checkpoint()
    assert bench.producer.values("ticks") == [b""]


async def test_of_a_partition_that_went_elsewhere_no_lag_is_told_any_more() -> None:
    bench = Bench()
    bench.consumer.ends = {USAGE: 9}
    await bench.runner.tick(NOW)
    labels = {"topic": TOPICS.usage, "partition": "0"}
    assert bench.metrics.registry.get_sample_value("tidegate_lag_records", labels) == 9
    await bench.runner.close()
    await bench.runner.tick(NOW + 1)  # a round of ticks that was under way
    assert bench.metrics.registry.get_sample_value("tidegate_lag_records", labels) is None


async def test_what_was_handed_over_and_never_came_is_fetched_again_after_a_while() -> None:
    bench = Bench()
    await bench.take(b"a")
    bench.consumer.handed = {USAGE: 3}
    for _ in range(19):
        await bench.runner.tick(NOW)
    assert bench.consumer.rewinds == []
    await bench.runner.tick(NOW)
    assert bench.consumer.rewinds == [(USAGE, 1)]
    await bench.runner.tick(NOW)
    assert len(bench.consumer.rewinds) == 1


async def test_a_run_that_arrives_late_is_no_stall() -> None:
    bench = Bench()
    await bench.take(b"a")
    bench.consumer.handed = {USAGE: 3}
    for _ in range(19):
        await bench.runner.tick(NOW)
    await bench.take(b"b", base=1)
    for _ in range(19):
        await bench.runner.tick(NOW)
    assert bench.consumer.rewinds == []


class CrashError(Exception):
    """The process is gone."""


class Life:
    """One life of a worker on a log that outlives it; it ends when `left` records of the changelog are stored."""

    def __init__(self, log: dict[bytes, bytes], left: int) -> None:
        self.stage, self.producer = Counting(), FakeProducer()
        self._left = left
        self.producer.answer = self._count_down
        self.runner = runner_of(self.stage, FakeConsumer(), self.producer)
        self.runner.restore(log)
        self.log = log

    def _count_down(self, topic: str, key: bytes) -> None:
        if topic == LOG:
            if not self._left:
                raise CrashError
            self._left -= 1

    def stored(self) -> dict[bytes, bytes]:
        """The changelog after this life."""
        kept = dict(self.log)
        for topic, value, key in self.producer.sent:
            if topic == LOG:
                kept.pop(key, None) if value is None else kept.update({key: value})
        return kept


RECORDS = [b"%d" % (number % 17) for number in range(60)]
# Of each life: how many changelog records it stores before it ends, and its runs: length, and whether saved after it.
LIVES = st.lists(
    st.tuples(st.integers(0, 25), st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=8)), max_size=6
)


async def _live(life: Life, steps: Iterable[tuple[int, bool]]) -> None:
    position = life.runner.positions[USAGE] or 0
    for length, saved in steps:
        # The last record of each run comes again with the next.
        base = max(0, position - 1)
        await life.runner.take(run(RECORDS[base : position + length], base), NOW)
        position = min(position + length, len(RECORDS))
        if saved:
            await life.runner.checkpoint()


@settings(max_examples=150, deadline=None)
@given(LIVES)
def test_after_any_crashes_every_record_is_counted_exactly_once(
    lives: list[tuple[int, list[tuple[int, bool]]]],
) -> None:
    async def all_lives() -> tuple[Counter[str], set[bytes | None]]:
        log: dict[bytes, bytes] = {}
        out: set[bytes | None] = set()
        for left, steps in [*lives, (1000, [(len(RECORDS), True)])]:
            life = Life(log, left)
            with contextlib.suppress(CrashError):
                await _live(life, steps)
            log = life.stored()
            out.update(life.producer.values("out"))
        return restored(log)[0].counts, out

    counts, out = asyncio.run(all_lives())
    assert counts == Counter(value.decode() for value in RECORDS)
    assert out == set(RECORDS)


async def settled(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for is in stand-ins that know no events
            await asyncio.sleep(0.001)


async def test_what_somebody_waits_for_is_committed_at_once_and_the_rest_with_the_next_checkpoint() -> None:
    bench = Bench()
    writing = asyncio.create_task(bench.runner.run())
    await bench.take(b"a")
    await asyncio.sleep(0.02)
    assert bench.journal == []
    bench.stage.within = AT_ONCE
    await bench.take(b"b", base=1)
    await settled(lambda: bench.consumer.committed == {USAGE: 2})
    assert bench.producer.values("out") == [b"a", b"b"]
    writing.cancel()


class Reluctant:
    """A journal that leaves the group's offsets out of what is hurried."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    async def open(self) -> None:
        """There is nobody to fence."""

    async def discard(self, topics: Iterable[str]) -> None:
        """There is nothing to end."""

    async def ready(self) -> bool:
        return True

    async def write(self, entry: Entry) -> bool:
        self.entries.append(entry)
        return not entry.hurried

    async def close(self) -> None:
        """There is nothing to let go of."""


async def test_offsets_that_a_hurried_checkpoint_left_out_are_told_by_the_next() -> None:
    journal, stage = Reluctant(), Counting()
    runner = runner_of(stage, FakeConsumer(), FakeProducer(), journal=journal)
    writing = asyncio.create_task(runner.run())
    stage.within = AT_ONCE
    await runner.take(run((b"a",), 0, USAGE), NOW)
    await settled(lambda: len(journal.entries) == 1)
    writing.cancel()
    for _ in range(3):
        await runner.checkpoint()
    assert [(entry.hurried, len(entry.outs), entry.positions) for entry in journal.entries] == [
        (True, 1, {USAGE: 1}),
        (False, 0, {USAGE: 1}),
    ]


async def test_what_comes_while_a_commit_is_under_way_shares_the_next() -> None:
    bench = Bench()
    bench.stage.within = AT_ONCE
    slow: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    bench.producer.answer = lambda _, key: slow if key == b"a" else None
    writing = asyncio.create_task(bench.runner.run())
    await bench.take(b"a")
    await settled(lambda: bench.journal == ["out a"])
    await bench.take(b"b", base=1)
    await bench.take(b"c", base=2)
    slow.set_result(None)
    await settled(lambda: bench.consumer.committed == {USAGE: 3})
    assert bench.journal.count(f"{LOG} 0:head") == 2
    writing.cancel()


async def test_no_more_is_applied_while_too_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_OUTS", 2)
    bench = Bench()
    taking = asyncio.create_task(bench.take(b"a", b"b"))
    await asyncio.sleep(0)
    assert not taking.done()
    await bench.runner.checkpoint()
    await taking
    taking = asyncio.create_task(bench.take(b"c", b"d", base=2))
    await asyncio.sleep(0)
    await bench.runner.close()
    await taking


async def test_a_log_that_does_not_hold_the_position_is_applied_from_where_it_begins() -> None:
    """The topic was made anew: its offsets count from 0 again, and none of its records is known."""
    bench = Bench()
    await bench.take(b"a", b"b")
    bench.runner.restart(USAGE, 0)
    await bench.take(b"c")
    assert bench.stage.counts == Counter("abc")
    assert bench.runner.positions == {USAGE: 1}
