"""`tidegate backup` writes one whole file or none, and says what went wrong as what it is."""

from pathlib import Path

import pytest
from faust.types import TP

from streamer import logs
from streamer.config import KafkaConfig
from streamer.kafka.layout import LAYOUT
from streamer.operate.backup_file import About, Backup, load
from tests.streamer.test_cli import status

HELD = Backup(About(group="g", topic_prefix="t.", layout=LAYOUT, positions={}), {TP("g-x", 0): {b"k": b"v"}})


@pytest.fixture(autouse=True)
def _logs_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "set_up", lambda _: None)


@pytest.fixture
def kafka_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def taken(_: KafkaConfig) -> Backup:
        return HELD

    monkeypatch.setattr("streamer.operate.backup.taken", taken)


@pytest.fixture
def kafka_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("TIDEGATE_KAFKA__CONNECT_SECONDS", "0.2")


@pytest.mark.usefixtures("kafka_answers")
def test_it_goes_where_a_link_leads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, link = tmp_path / "monday.zst", tmp_path / "newest.zst"
    link.symlink_to(kept)
    assert status("backup", link) == 0
    assert capsys.readouterr().out == f"{link}: 1 records of 1 partitions\n"
    assert load(kept) == HELD
    assert sorted(tmp_path.iterdir()) == [kept, link]


@pytest.mark.usefixtures("kafka_answers")
def test_a_full_disk_is_no_broker_that_does_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("backup", "/dev/full") == 1
    assert capsys.readouterr().err == "tidegate: [Errno 28] No space left on device\n"


@pytest.mark.usefixtures("kafka_is_away")
def test_a_place_that_cannot_be_written_is_said_before_kafka_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status("backup", tmp_path / "none" / "state.zst") == 1
    line = capsys.readouterr().err
    assert "No such file or directory" in line
    assert "broker" not in line


@pytest.mark.usefixtures("kafka_is_away")
def test_where_kafka_is_away_the_backup_before_is_left_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "state.zst"
    kept.write_bytes(b"of monday")
    assert status("backup", kept) == 1
    assert "no Kafka broker answers at 127.0.0.1:1" in capsys.readouterr().err
    assert (kept.read_bytes(), list(tmp_path.iterdir())) == (b"of monday", [kept])
