"""`tidegate replay`: sources in, files out, and a few lines for the terminal."""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path

from streamer.config import Config
from streamer.replay import report
from streamer.replay.outputs import Outputs
from streamer.replay.run import Replay
from streamer.replay.sources import read
from streamer.wiring import decoder_of

_MOST_MISTAKES = 10


def run(
    sources: Sequence[str], config: Config, out: Path, begin: datetime | None = None, end: datetime | None = None
) -> Iterator[str]:
    """Replay `sources` one after the other and write the files into `out`; gives lines that say how it went."""
    started, replay = time.perf_counter(), Replay(config, begin, end)
    decoder = decoder_of(config, feedback=True)
    with Outputs(out) as outputs:
        for step in replay.run(chain.from_iterable(read(source, decoder, config) for source in sources)):
            outputs.write(step)
        summary = outputs.finish(replay, time.perf_counter() - started)
    report.write(out / "report.html", summary, replay.anomalies.values())
    yield from replay.mistakes[:_MOST_MISTAKES]
    if len(replay.mistakes) > _MOST_MISTAKES:
        yield f"and {len(replay.mistakes) - _MOST_MISTAKES} more rows rejected"
    yield f"{summary['events'].get('counted', 0):,} events, ${summary['usd']:,f}, {len(replay.anomalies)} anomalies"
    yield f"{summary['speed']['events_per_second']:,} events a second; written to {out}"
