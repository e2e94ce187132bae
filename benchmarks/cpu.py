"""CPU seconds of processes, from /proc: they mean the same on a machine that is busy with other things."""

import asyncio
import os
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_EVERY = 0.1


def seconds(pid: int) -> float:
    """CPU seconds that a process has used, its threads included; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where the system does not say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def child(name: str) -> int | None:
    """Find our own child process of that name; None where there is none, such as a broker in a container."""
    for task in Path("/proc/self/task").glob("*/children"):
        for pid in task.read_text().split():
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                return int(pid)
    return None


@contextmanager
def alone(pid: int, *others: int | None) -> Iterator[None]:
    """Give a process one of our CPUs for itself, and let us and the `others` share the rest, threads and all."""
    whole = os.sched_getaffinity(0)
    own, *rest = sorted(whole)
    shared = [other for other in (os.getpid(), *others) if other is not None]
    _pin(pid, {own})
    for other in shared:
        _pin(other, set(rest) or whole)
    try:
        yield
    finally:
        for other in shared:
            _pin(other, whole)


def _pin(pid: int, cpus: set[int]) -> None:
    for task in Path(f"/proc/{pid}/task").iterdir():
        # A thread may end between the two.
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), cpus)


class Meter:
    """Samples the CPU seconds of some processes, so that they can be asked for between two moments."""

    def __init__(self, *pids: int | None) -> None:
        self._pids = [pid for pid in pids if pid is not None]
        self._samples: list[tuple[float, float]] = []

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            self._samples.append((time.time(), sum(map(seconds, self._pids))))
            await asyncio.sleep(_EVERY)

    def between(self, begin: float, end: float) -> float:
        """CPU seconds used from `begin` to `end` (epoch seconds), to a sample's accuracy."""
        return self._at(end) - self._at(begin)

    def _at(self, moment: float) -> float:
        place = bisect_right(self._samples, (moment, float("inf")))
        return self._samples[max(0, place - 1)][1] if self._samples else 0.0
