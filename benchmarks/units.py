"""Equal units of a worker's work, and how long each took: `python -m benchmarks.units LINES FOUND`.

A unit decodes and meters the records of the file LINES, one a line, in a Pipeline that knows nothing yet: as much work
each time. For each, FOUND gets three floats: when it began and ended by the monotonic clock, and its CPU seconds.
"""

import gc
import sys
import time
from array import array
from pathlib import Path
from typing import BinaryIO, NamedTuple

from benchmarks.pipeline import Record
from streamer.config import Config
from streamer.events.decoder import Decoder
from streamer.events.usage import UsageEvent
from streamer.pipeline import Pipeline

#: Records of a unit: a hundredth of a second or two.
RECORDS = 250


class Unit(NamedTuple):
    """One unit: when it began and ended (seconds, monotonic), and the CPU seconds that it took."""

    began: float
    ended: float
    cpu: float

    @property
    def clock(self) -> float:
        """Seconds from beginning to end."""
        return self.ended - self.began


def run(lines: list[bytes], found: BinaryIO) -> None:
    """Work for ever."""
    records, now = [Record(line) for line in lines], time.time()
    gc.disable()
    # What is there already is never looked through: it would take longer than a unit.
    gc.freeze()
    while True:
        array("d", _unit(records, now)).tofile(found)
        found.flush()
        # What units leave behind is cleared between them, each time.
        gc.collect()


def _unit(records: list[Record], now: float) -> Unit:
    decoder, pipeline = Decoder(), Pipeline(Config())
    began, used = time.perf_counter(), time.thread_time()
    events = [event for _, event in decoder.decode_run(records, now) if isinstance(event, UsageEvent)]
    pipeline.submit(events, events[-1].time.timestamp())
    return Unit(began, time.perf_counter(), time.thread_time() - used)


def read(path: Path) -> list[Unit]:
    """Give the units of a file, whose last may not be whole."""
    values = array("d")
    whole = path.read_bytes()
    values.frombytes(whole[: len(whole) // (3 * values.itemsize) * 3 * values.itemsize])
    return [Unit(*values[place : place + 3]) for place in range(0, len(values), 3)]


if __name__ == "__main__":
    with Path(sys.argv[2]).open("wb") as output:
        run(Path(sys.argv[1]).read_bytes().splitlines(), output)
