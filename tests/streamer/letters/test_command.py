"""What the commands for dead letters say of how many there are."""

from collections import Counter, deque
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner, Result

from streamer import logs
from streamer.cli.base import cli
from streamer.kafka.dead_letters import DeadLetter
from streamer.letters import topic
from streamer.letters.topic import Found

LETTER = DeadLetter(
    reason="missing_tenant",
    detail="no tenant",
    topic="tidegate.raw",
    partition=0,
    offset=7,
    item=0,
    size=2,
    truncated=False,
    record="e30=",
    at=datetime(2026, 11, 22, tzinfo=UTC),
)


def told(monkeypatch: pytest.MonkeyPatch, most: int, in_all: int, *command: str) -> Result:
    letters = deque([LETTER] * min(most, in_all))
    counts = Counter({("tidegate.raw", "missing_tenant"): in_all}) if in_all else Counter[tuple[str, str]]()
    monkeypatch.setattr(logs, "set_up", lambda _: None)
    monkeypatch.setattr(topic, "read", lambda *_: Found(letters, counts))
    monkeypatch.setattr(topic, "resend", lambda *_, dry: [])
    return CliRunner().invoke(cli, ["dead-letters", *command])


@pytest.mark.parametrize("command", [("list",), ("list", "--counts"), ("replay",), ("list", "--reason", "mistyped")])
def test_nothing_found_is_said(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    result = told(monkeypatch, 10, 0, *command)
    assert (result.exit_code, "no dead letters, or none that these options mean" in result.stderr) == (0, True)


@pytest.mark.parametrize(("command", "word"), [("list", "shows"), ("replay", "takes")])
def test_more_than_were_taken_are_counted(command: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"9 in all: --most {word} more" in told(monkeypatch, 3, 9, command).stderr
    assert told(monkeypatch, 9, 9, command).stderr == ""
