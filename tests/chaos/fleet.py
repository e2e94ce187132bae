"""The workers of one deployment, each on a line of its own to the broker, and what a supervisor does for them."""

import asyncio
import os
import re
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Self

from aiokafka.errors import KafkaError

from streamer.demo.broker import free_port
from tests.brokers import Broker, administering
from tests.chaos.freezing import ORDER
from tests.chaos.line import Line
from tests.chaos.usage import DETECTION
from tests.chaos.worker import Worker
from tests.integration.deployment import Deployment, until

ROOT = Path(__file__).parents[2]
# Found by its look: lines of two threads may run into each other, and a killed worker leaves half a line.
_WARNING = re.compile(r'"event": "([^"]{1,160})[^"]*", "level": "(?:warning|error|critical)"')

# What tells whose partitions were whose.
_TURN = re.compile(r'"event": "(ready|dropping|not saved|the partitions cannot|records were lost|the topic)')


class Fleet(Deployment):
    """Workers to be started and ended at any moment; all that are left end with the context."""

    def __init__(self, broker: Broker, folder: Path, lines: Sequence[Line], session_seconds: float) -> None:
        super().__init__(broker, folder, KAFKA__SESSION_TIMEOUT_SECONDS=str(session_seconds), **DETECTION)
        self.workers: list[Worker] = []
        self.started: list[Worker] = []
        self._lines, self._all = lines, ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._all.close()

    def start(self) -> Worker:
        """Start a worker on a line that no other uses; does not wait until it is ready."""
        taken = {worker.line for worker in self.workers if worker.lives}
        line = next((line for line in self._lines if line not in taken), None)
        assert line is not None or not self._lines, "more workers than lines"
        worker = self._spawn(line)
        self._all.callback(worker.end)
        self.workers.append(worker)
        self.started.append(worker)
        return worker

    def any(self, dice: Random) -> Worker:
        """Choose a worker that lives and is not frozen."""
        self.be(len(self.workers))
        return dice.choice([worker for worker in self.workers if worker.lives and not worker.frozen])

    def be(self, size: int) -> None:
        """Have so many workers: replace those that ended, let the oldest leave if there are too many."""
        self.workers = [worker for worker in self.workers if worker.lives]
        while len(self.workers) < size:
            self.start()
        while len(self.workers) > size:
            self.workers.pop(0).leave()

    def settle(self) -> None:
        """Return once the group consists of the workers that are not frozen, and all of them are ready."""
        until(self._is_whole, "the group to consist of the workers that are awake, each with its partitions")

    def warnings(self, most: int) -> list[tuple[str, int]]:
        """Give what the workers logged that is more than information, and how often, the most frequent first."""
        logs = (log.read_text(errors="replace") for log in self._folder.glob("worker-*.log"))
        return Counter(words for log in logs for words in _WARNING.findall(log)).most_common(most)

    def turns(self) -> list[str]:
        """Give the lines of the workers' logs that tell who had which partitions when, in order of time."""
        logs = [(log.stem, log.read_text(errors="replace")) for log in self._folder.glob("worker-*.log")]
        found = [(line, name) for name, log in logs for line in log.splitlines() if _TURN.search(line)]
        return [f"{name} {line}" for line, name in sorted(found, key=_moment)]

    def _is_whole(self) -> bool:
        """Whoever ended meanwhile is replaced, as a supervisor would."""
        self.be(len(self.workers))
        awake = [worker for worker in self.workers if not worker.frozen]
        return asyncio.run(self._members()) == len(awake) and all(worker.ready() for worker in awake)

    async def _members(self) -> int:
        """The size of the group, 0 while it is being put together anew."""
        try:
            async with administering(self.bootstrap) as admin:
                (answer,) = await admin.describe_consumer_groups([self._settings["KAFKA__GROUP"]])
        except KafkaError:
            return 0
        _, _, state, _, _, members, *_ = answer.groups[0]
        return len(members) if state == "Stable" else 0

    def _spawn(self, line: Line | None) -> Worker:
        port, name = free_port(), f"worker-{uuid.uuid4().hex[:6]}"
        order, log = self._folder / f"{name}.freeze", self._folder / f"{name}.log"
        values = {**self._settings, "WEB__PORT": str(port)}
        values["KAFKA__BOOTSTRAP"] = line.client if line else self.bootstrap
        environment = {**os.environ, **{f"TIDEGATE_{key}": value for key, value in values.items()}, ORDER: str(order)}
        command = [sys.executable, "-m", "tests.chaos.freezing", "worker"]
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        return Worker(process, port, log, line, order)


def _moment(found: tuple[str, str]) -> str:
    stamp = re.search(r'"timestamp": "([^"]+)"', found[0])
    return stamp[1] if stamp else ""
