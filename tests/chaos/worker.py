"""One worker process that can be killed, sent away, or frozen in the middle of a checkpoint."""

import os
import signal
import subprocess
from pathlib import Path

from tests.chaos.line import Line
from tests.integration.deployment import Process, until

GRACE_SECONDS = 15


class Worker(Process):
    """A `tidegate worker` and its line to the broker.

    `gave_up` is told of one that ended though nobody wanted it to, `stubborn` of one that did not leave when told to.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path, line: Line | None, order: Path) -> None:
        super().__init__(process, port, log)
        self.line, self._order = line, order
        self.frozen = self.wanted_end = self.stubborn = False

    def kill(self) -> None:
        """SIGKILL, which is on purpose and so counts for no end of its own."""
        self.wanted_end = True
        super().kill()

    def leave(self) -> None:
        """SIGTERM, and SIGKILL where that takes too long, as an orchestrator does it."""
        self.wanted_end = True
        self._process.terminate()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.stubborn = True
            self.kill()

    @property
    def gave_up(self) -> bool:
        """Whether it ended by itself."""
        return not self.lives and not self.wanted_end

    @property
    def lives(self) -> bool:
        """Whether the process is there, frozen or not."""
        return self._process.poll() is None

    def ready(self) -> bool:
        """Tell whether it has its partitions and their state; asked of a frozen one it would not answer."""
        return self._answers("/readyz") == 200

    def freeze(self, where: str) -> None:
        """Let it stop itself at its next checkpoint, and return once it has."""
        fresh = self._order.with_suffix(".new")
        fresh.write_text(where)
        fresh.rename(self._order)
        until(self._is_stopped, f"a checkpoint to freeze in ({where}): are its calls those that freezing.py watches?")
        self.frozen = True

    def wake(self) -> None:
        """Let a frozen worker go on."""
        self._process.send_signal(signal.SIGCONT)
        self.frozen = False

    def end(self) -> None:
        """End it the hard way, whatever its state."""
        if self.lives:
            self.kill()

    def _is_stopped(self) -> bool:
        assert self.lives, f"it ended instead of freezing:\n{self.log[-4000:]}"
        return os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOHANG) is not None
