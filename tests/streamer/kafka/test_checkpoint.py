"""A crash at any record of any checkpoint leaves the last whole checkpoint, never a mixture."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.kafka.checkpoint import Checkpoints, Record

NAMES = st.sampled_from(["a", "b", "c", "tenant/x", "seen/1/x:y"])
CHANGES = st.dictionaries(NAMES, st.none() | st.binary(max_size=4).map(lambda part: b"." + part), max_size=4)
Changes = dict[str, bytes | None]
# The changes of a checkpoint, and how many of its records are stored before a crash (None: no crash).
ROUNDS = st.lists(st.tuples(CHANGES, st.none() | st.integers(0, 12)), max_size=12)
Log = dict[bytes, bytes]


def store(log: Log, records: Iterable[Record]) -> None:
    """What a compacted topic keeps of the records."""
    for key, value in records:
        if value is None:
            log.pop(key, None)
        else:
            log[key] = value


def applied(state: dict[str, bytes], changes: Changes) -> dict[str, bytes]:
    merged = {**state, **changes}
    return {name: part for name, part in merged.items() if part is not None}


def restored(log: Log, partition: int = 0) -> tuple[Checkpoints, dict[str, bytes]]:
    checkpoints = Checkpoints(partition)
    return checkpoints, checkpoints.restore(log)


@settings(max_examples=300, deadline=None)
@given(ROUNDS)
def test_after_any_crash_the_last_whole_checkpoint_holds(rounds: list[tuple[Changes, int | None]]) -> None:
    log: Log = {}
    checkpoints, state = Checkpoints(0), dict[str, bytes]()
    positions: dict[str, int] = {}
    for number, (changes, crash) in enumerate(rounds):
        records = checkpoints.parts(changes.items())
        whole = [*records, checkpoints.head({"usage": number})]
        store(log, whole if crash is None else whole[:crash])
        if crash is None or crash >= len(whole):
            state, positions = applied(state, changes), {"usage": number}
        if crash is not None:
            checkpoints, found = restored(log)
            assert found == state
            assert checkpoints.positions == positions
    assert restored(log)[1] == state


@settings(max_examples=100, deadline=None)
@given(st.lists(CHANGES, max_size=12), st.data())
def test_restarts_leave_no_garbage(rounds: list[Changes], data: st.DataObject) -> None:
    """Of a dropped part nothing is left two checkpoints on, though the worker was started anew between them."""
    log: Log = {}
    checkpoints, state = Checkpoints(0), dict[str, bytes]()
    for changes in [*rounds, {}, {}]:
        if data.draw(st.booleans()):
            checkpoints, _ = restored(log)
        store(log, checkpoints.parts(changes.items()))
        store(log, [checkpoints.head({})])
        state = applied(state, changes)
    kept = {key.decode().split(":", 2)[2] for key in log if not key.endswith(b":head")}
    assert kept == set(state)


def test_a_part_of_a_checkpoint_that_was_never_finished_does_not_come_back_with_the_next() -> None:
    """The unfinished checkpoint and the next one after the restart have the same number."""
    log: Log = {}
    checkpoints = Checkpoints(0)
    store(log, [*checkpoints.parts([("a", b"1"), ("b", b"1")]), checkpoints.head({})])
    store(log, checkpoints.parts([("a", b"torn"), ("new", b"torn")]))
    checkpoints, state = restored(log)
    assert state == {"a": b"1", "b": b"1"}
    store(log, [*checkpoints.parts([("b", b"2")]), checkpoints.head({})])
    assert restored(log)[1] == {"a": b"1", "b": b"2"}


def test_partitions_do_not_mix() -> None:
    log: Log = {}
    for partition in (0, 1, 11):
        checkpoints = Checkpoints(partition)
        store(log, [*checkpoints.parts([("a", b"%d" % partition)]), checkpoints.head({"usage": partition})])
    for partition in (0, 1, 11):
        checkpoints, state = restored(log, partition)
        assert (state, checkpoints.positions) == ({"a": b"%d" % partition}, {"usage": partition})


def test_without_a_head_nothing_holds() -> None:
    log: Log = {}
    store(log, Checkpoints(0).parts([("a", b"1")]))
    checkpoints, state = restored(log)
    assert (state, checkpoints.positions) == ({}, {})


def test_equal_checkpoints_are_equal_bytes() -> None:
    def records(positions: dict[str, int]) -> list[Record]:
        checkpoints = Checkpoints(0)
        return [*checkpoints.parts([("a", b"1")]), checkpoints.head(positions)]

    assert records({"x": 1, "y": 2}) == records({"y": 2, "x": 1})
