"""Owners are written down one by one, in any order, and a crash at any moment changes no total and no output."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.kafka import runner as module
from streamer.kafka.ahead import Ahead
from tests.streamer.kafka.fakes import USAGE
from tests.streamer.kafka.tenants import Life, Log, Step, Tenants, lives

# Tenants' records (large: somebody waits), rejected ones, ones that the next worker takes for another's, shared ones.
RECORDS = st.lists(
    st.sampled_from([b"a", b"b", b"c", b"d", b"A", b"B", b"D", b"r", b"q", b"?", b"~", b"&"]), max_size=60
)
KINDS = st.sampled_from(["hurried", "slice", "slice", "whole", "none"])
ENDS = st.sampled_from(["kept", "kept", "kept", "lost", "unknown"])
STEPS = st.builds(Step, st.integers(0, 8), st.booleans(), KINDS, st.integers(0, 8), ENDS)
LIVES = st.lists(st.lists(STEPS, max_size=10), max_size=5)


@pytest.fixture(autouse=True, scope="module")
def one_owner_a_slice() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SLICE", 0.0)
        yield


@settings(max_examples=300, deadline=None)
@given(RECORDS, LIVES)
def test_whatever_is_written_when_and_wherever_it_crashes_each_record_counts_once(
    records: list[bytes], steps: list[list[Step]]
) -> None:
    log, kept = asyncio.run(lives(records, steps))
    check(log, kept, records)


def check(log: Log, kept: Tenants, records: Sequence[bytes]) -> None:
    """Each record is one output for each of whom it is, and in the state of just those."""
    said = Counter((out.key, int(out.value or b"")) for out in log.outs if out.topic == "out")
    assert set(said.values()) <= {1}
    for offset, value in enumerate(records):
        owners = {key for key, place in said if place == offset}
        assert owners - {"nobody"} == {name for name, met in kept.met.items() if offset in met}
        assert owners in expected(value)
    for name, met in kept.met.items():
        assert len(met) == len(set(met))
        # What one worker took for another's comes to its tenant when it is read again.
        steady = [offset for offset in met if records[offset] not in (b"?", b"~")]
        assert steady == sorted(steady)
        assert kept.told[name] == [int(out.value or b"") for out in log.outs if (out.topic, out.key) == ("ticks", name)]
        assert sum(kept.told[name]) == len(met)


def expected(value: bytes) -> list[set[str]]:
    """What a record may be taken for."""
    special = {
        "r": [{"nobody"}],
        "q": [{"nobody", "c"}],
        "?": [{"nobody"}, {"a"}],
        "~": [{"a"}, {"b"}],
        "&": [{"b", "c"}],
    }
    name = value.decode().lower()
    return special.get(name, [{name}])


async def written(records: Sequence[bytes], *steps: Step) -> tuple[Log, Life]:
    log = Log()
    life = Life(log, records, 0)
    await life.live(steps)
    return log, life


def keys(log: Log) -> list[str]:
    return [out.key for out in log.outs]


async def test_what_somebody_waits_for_takes_along_its_owner_only() -> None:
    log, life = await written([b"a", b"B", b"c", b"b"], Step(4, False, "hurried", 0))
    assert keys(log) == ["b", "b"]
    assert {key.decode().split(":")[-1] for key in log.stored} == {"b/met", "head"}
    again = Life(log, [], 1)
    assert (again.runner.positions[USAGE], dict(again.stage.met)) == (0, {"b": [1, 3]})
    assert life.runner.positions[USAGE] == 4


async def test_the_position_follows_when_all_who_changed_before_it_are_written() -> None:
    records = [b"a", b"b", b"r", b"c", b"a", b"r"]
    steps = [Step(4, False, "slice", 2), Step(0, False, "slice", 0), Step(0, False, "slice", 0)]
    log, _ = await written(records, *steps[:2])
    assert (keys(log), Life(log, [], 1).runner.positions[USAGE]) == (["a", "b"], 0)
    log, life = await written(records, *steps)
    assert (keys(log), Life(log, [], 1).runner.positions[USAGE]) == (["a", "b", "c", "nobody"], 4)
    await life.live([Step(0, False, "slice", 0)])
    assert (keys(log)[4:], Life(log, [], 1).runner.positions[USAGE]) == (["a", "nobody"], 6)


async def test_a_record_of_several_is_written_with_all_of_them() -> None:
    log, _ = await written([b"d", b"&", b"B"], Step(3, False, "hurried", 0))
    assert Counter(keys(log)) == Counter("bbcd")
    assert Life(log, [], 1).runner.positions[USAGE] == 3


async def test_a_log_that_begins_anew_knows_nothing_of_what_was_ahead() -> None:
    log, life = await written([b"a", b"B", b"c", b"B"], Step(4, False, "hurried", 0))
    life.runner.restart(USAGE, 0)
    await life.live([Step(3, False, "hurried", 0)])
    assert Life(log, [], 1).runner.positions[USAGE] == 3
    assert life.stage.met["b"] == [1, 3, 1]


async def test_who_takes_over_goes_back_to_no_position_before_his_own() -> None:
    log, _ = await written([b"a", b"b", b"A"], Step(2, False, "whole", 0))
    life = Life(log, [b"a", b"b", b"A", b"b"], 1)
    await life.live([Step(2, False, "hurried", 0)])
    assert Life(log, [], 2).runner.positions[USAGE] == 2


@given(st.integers(0, 100), st.lists(st.tuples(st.integers(0, 120), st.integers(0, 40)), max_size=10))
def test_what_is_ahead_is_known_through_moves_and_after_it_was_written(base: int, steps: list[tuple[int, int]]) -> None:
    ahead, known = Ahead(base), set[int]()
    for offset, further in steps:
        ahead.add([offset])
        known.add(offset)
        base += further
        ahead.move(base)
        ahead = Ahead(base, ahead.written())
        assert {at for at in range(base, 150) if ahead.holds(at)} == {at for at in known if at >= base}
        assert all(at < ahead.end for at in known if at >= base)
