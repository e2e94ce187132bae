"""A replay whose processes do not all live to the end says so, and leaves nothing half written."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from streamer.config import Config
from streamer.errors import SourceUnreadable
from streamer.replay.feed import Feed, Job
from tests.streamer.replay.data import day, write

pytestmark = pytest.mark.slow


def _children() -> list[int]:
    return [child.pid for child in multiprocessing.active_children() if child.pid]


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_killed_is_told_of_in_words(victim: int, tmp_path: Path) -> None:
    before = set(_children())
    rows = [{**row, "id": f"{number}/{row['id']}"} for number in range(80) for row in day()]
    chunks = Feed(Job((str(write(tmp_path, "day.jsonl", rows)),), Config()), workers=2).chunks(lambda: True)
    next(chunks)
    os.kill(sorted(set(_children()) - before)[victim], signal.SIGKILL)
    with pytest.raises(SourceUnreadable, match="a process that read the sources has died"):
        for _ in chunks:
            pass
