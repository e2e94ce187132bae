"""`tidegate worker`, but for an order to freeze: then it stops itself in the middle of its next checkpoint.

A signal from outside would hardly ever hit the milliseconds between what a checkpoint writes and its commit. So the
calls of aiokafka's by which any checkpoint must write and commit are watched, and nothing of the product's own.
The order is a file; it is removed at the moment of freezing.
"""

import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from streamer.cli import main

ORDER = "TIDEGATE_TEST_FREEZE"
# At the write of a part of the state, or when all is written and only the commit is left.
WRITING, COMMITTING = "writing", "committing"


class Freezer:
    """Obeys the order in the file `order`."""

    def __init__(self, order: Path) -> None:
        self._order = order
        self._wrote = False

    def watch(self) -> None:
        """Come between this process and every checkpoint that it will write."""
        for write in ("send", "send_batch"):
            _before(AIOKafkaProducer, write, self._on_write)
        for client, commit in ((AIOKafkaProducer, "commit_transaction"), (AIOKafkaConsumer, "commit")):
            _before(client, commit, self._on_commit)

    def _on_write(self, *args: Any, **_: Any) -> None:
        of_state = any(isinstance(topic, str) and topic.endswith("-changelog") for topic in args)
        if of_state and (order := self._read()):
            self._wrote = True
            if order == WRITING:
                self._freeze()

    def _on_commit(self, *_: Any, **__: Any) -> None:
        if self._wrote and self._read() == COMMITTING:
            self._freeze()

    def _read(self) -> str:
        try:
            return self._order.read_text()
        except FileNotFoundError:
            return ""

    def _freeze(self) -> None:
        self._order.unlink()
        self._wrote = False
        os.kill(os.getpid(), signal.SIGSTOP)


def _before(client: type, name: str, step: Callable[..., None]) -> None:
    """Call `step` with the arguments of each call of `client.name`, before it."""
    original = getattr(client, name)

    @functools.wraps(original)
    async def stepped(self: Any, *args: Any, **kwargs: Any) -> Any:
        step(*args, **kwargs)
        return await original(self, *args, **kwargs)

    setattr(client, name, stepped)


if __name__ == "__main__":
    Freezer(Path(os.environ[ORDER])).watch()
    sys.argv[0] = "tidegate"
    main()
