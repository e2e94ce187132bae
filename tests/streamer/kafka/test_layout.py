"""State of an older layout goes on as if it had been written now; state of a newer one is refused with what to do."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamer.errors import StateUnreadable
from streamer.kafka import checkpoint, layout
from streamer.kafka.checkpoint import Checkpoints, Head
from streamer.kafka.layout import LAYOUT, check, upgraded
from streamer.kafka.stage import Out
from streamer.operate.backup_file import Backup, load
from tests.integration.events import metered
from tests.streamer.kafka.golden import AFTER, BEFORE, FOLDER, TENANTS, TOPICS, Stages, file_of, written
from tests.streamer.kafka.test_checkpoint import restored, store

GOLDEN = sorted(FOLDER.glob("layout-*.zst"))
CHANGED = """
The state is written in another way than layout {0} was. Either nobody meant that; or raise LAYOUT in
streamer/kafka/layout.py, add to UPGRADES how the parts come from those of layout {0}, and run
`python -m tests.streamer.kafka.golden` (if no release has written layout {0}: only that, with --unreleased)."""


@pytest.fixture(scope="module")
def whole() -> Stages:
    """Stages that were never interrupted."""
    stages = Stages()
    stages.run(0, BEFORE)
    stages.hush(BEFORE)
    return stages


@pytest.fixture(scope="module")
def goes_on(whole: Stages) -> list[Out]:
    return whole.run(BEFORE, BEFORE + AFTER)


def restored_from(backup: Backup) -> Stages:
    stages = Stages()
    for tp, log in backup.logs.items():
        stage = stages.meter if "meter" in tp.topic else stages.alerts
        stage.restore(Checkpoints(tp.partition).restore(log))
    return stages


def rollups(outs: list[Out]) -> list[dict[str, Any]]:
    places = (TOPICS.rollups, TOPICS.session_rollups)
    return [msgspec.json.decode(out.value or b"") for out in outs if out.topic in places]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_state_of_a_release_goes_on_with_equal_totals(path: Path, whole: Stages, goes_on: list[Out]) -> None:
    stages = restored_from(load(path))
    outs = stages.run(BEFORE, BEFORE + AFTER)
    assert metered(rollups(outs)) == metered(rollups(goes_on)) != {}
    assert stages.meter._pipeline.counts()["duplicate"] == len(TENANTS) * AFTER // 60
    desks = stages.alerts.desk, whole.alerts.desk
    assert desks[0].dispatcher.open_count == desks[1].dispatcher.open_count > 0
    assert list(desks[0].ledger.live()) == list(desks[1].ledger.live()) != []


def test_the_present_layout_has_its_golden_state() -> None:
    assert file_of(LAYOUT) in GOLDEN
    assert {path.stem for path in GOLDEN} == {f"layout-{number}" for number in range(1, LAYOUT + 1)}


def test_what_is_written_is_of_the_shape_that_the_golden_state_of_its_layout_has() -> None:
    """Shapes, not bytes: the last digit of a float depends on the machine."""
    golden, now = load(file_of(LAYOUT)), written()
    assert now.logs.keys() == golden.logs.keys()
    for tp, log in now.logs.items():
        old, new = ({key: shape(value) for key, value in one.items()} for one in (golden.logs[tp], log))
        assert new == old, CHANGED.format(LAYOUT)


def shape(value: bytes) -> Any:
    """What a part is made of, without its numbers and words."""
    for skip in (8, 0):  # a part has its generation before it, the head has not
        for decode in (msgspec.msgpack.decode, msgspec.json.decode):
            with suppress(ValueError):
                return _kinds(decode(value[skip:]))
    return len(value)


def _kinds(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _kinds(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_kinds(inner) for inner in value]
    return "number" if isinstance(value, int | float) else type(value).__name__


def test_state_of_a_newer_layout_is_refused() -> None:
    newer = Head(generation=1, positions={"usage": 3}, layout=LAYOUT + 1)
    with pytest.raises(StateUnreadable, match=rf"layout {LAYOUT + 1}, of a newer Tidegate; this one reads up to"):
        Checkpoints(0).restore({b"0:head": msgspec.msgpack.encode(newer)})


def test_state_that_no_upgrade_leads_from_is_refused() -> None:
    with pytest.raises(StateUnreadable, match="layout 1, which is no longer read: first run a version that writes 2"):
        check(1, to=3, by={2: dict})


def test_a_head_of_before_there_were_layouts_is_of_the_first() -> None:
    old = msgspec.msgpack.encode({"generation": 4, "positions": {"usage": 7}, "topics": {}})
    checkpoints = Checkpoints(0)
    assert checkpoints.restore({b"0:head": old}) == {}
    assert (checkpoints.positions, msgspec.msgpack.decode(old, type=Head).layout) == ({"usage": 7}, layout.FIRST)


def test_upgrades_follow_one_another() -> None:
    by = {1: lambda parts: {"b": parts["a"] + b"2"}, 2: lambda parts: {"c": parts["b"] + b"3"}}
    assert upgraded({"a": b"1"}, 1, to=3, by=by) == {"c": b"123"}
    assert upgraded({"b": b"1"}, 2, to=3, by=by) == {"c": b"13"}


def test_what_an_upgrade_changed_is_written_with_the_next_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """For its head says of all parts that they have the new layout."""
    log: dict[bytes, bytes] = {}
    before = Checkpoints(0)
    store(log, [*before.parts([("a", b"1"), ("same", b"1"), ("gone", b"1")]), before.head({})])
    read = {LAYOUT: lambda parts: {"a": b"new", "same": parts["same"]}}
    monkeypatch.setattr(checkpoint, "LAYOUT", LAYOUT + 1)
    monkeypatch.setattr(checkpoint, "upgraded", lambda parts, of: upgraded(parts, of, to=LAYOUT + 1, by=read))
    after, parts = restored(log)
    assert parts == {"a": b"new", "same": b"1"}
    crashed = dict(log)
    store(crashed, after.parts([("b", b"1")]))  # without its head it does not hold
    assert restored(crashed)[1] == parts
    again, _ = restored(log)
    records = [*again.parts([("b", b"1")]), again.head({})]
    assert sorted(key.split(b":")[-1] for key, _ in records) == [b"a", b"b", b"gone", b"head"]
    store(log, records)
    assert restored(log)[1] == {"a": b"new", "same": b"1", "b": b"1"}
