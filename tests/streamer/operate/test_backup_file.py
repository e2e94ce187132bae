"""A backup is read back as it was made, or refused: cut short, of another kind, of a newer version."""

from pathlib import Path

import pytest
import zstandard
from faust.types import TP

from streamer.errors import BackupRefused, StateUnreadable
from streamer.kafka.layout import LAYOUT
from streamer.operate.backup_file import About, Backup, load, save

LOGS = {
    TP("g-meter-changelog", 3): {b"3:head": b"\x81", b"3:0:tenant/a:b\xc3\xa9": b"\x00\xff"},
    TP("g-x", 0): {b"k": b""},
}
ABOUT = About(group="g", topic_prefix="t.", layout=LAYOUT, positions={"t.raw": {0: 7, 3: 0}})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save(Backup(ABOUT, LOGS), tmp_path / "state.zst")
    return tmp_path / "state.zst"


def repacked(file: Path, lines: list[bytes]) -> Path:
    file.write_bytes(zstandard.compress(b"\n".join(lines)))
    return file


def lines_of(file: Path) -> list[bytes]:
    with zstandard.open(file, "rb") as packed:
        return bytes(packed.read()).splitlines()


def test_it_is_read_back_as_it_was_made(file: Path) -> None:
    assert load(file) == Backup(ABOUT, LOGS)
    assert [path.name for path in file.parent.iterdir()] == ["state.zst"]


def test_equal_states_are_equal_files(file: Path, tmp_path: Path) -> None:
    save(Backup(ABOUT, dict(reversed(LOGS.items()))), tmp_path / "again.zst")
    assert (tmp_path / "again.zst").read_bytes() == file.read_bytes()


@pytest.mark.parametrize("cut", [1, 20, -1, -12])
def test_one_that_was_cut_short_is_refused(file: Path, cut: int) -> None:
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(BackupRefused, match=r"state\.zst is no backup, or damaged"):
        load(file)


def test_one_without_some_of_its_records_is_refused(file: Path) -> None:
    lines = lines_of(file)
    with pytest.raises(BackupRefused, match="records are missing"):
        load(repacked(file, [*lines[:1], *lines[2:]]))
    with pytest.raises(BackupRefused):
        load(repacked(file, lines[:-1]))


def test_what_is_no_backup_is_refused(file: Path) -> None:
    for content in (b"", b"not zstd", zstandard.compress(b"[]\n{}")):
        file.write_bytes(content)
        with pytest.raises(BackupRefused):
            load(file)


def test_one_of_a_newer_version_is_refused_as_such(tmp_path: Path) -> None:
    about = About(group="g", topic_prefix="t.", layout=LAYOUT + 1, positions={})
    save(Backup(about, LOGS), tmp_path / "newer.zst")
    with pytest.raises(StateUnreadable, match="of a newer Tidegate"):
        load(tmp_path / "newer.zst")
