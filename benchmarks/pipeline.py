"""The Pipeline beside bare decoding, in one process over the same records: `python -m benchmarks.pipeline`.

Prints events a second of both and `pipeline_over_decode`, and the microseconds that an event costs.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from benchmarks import results
from streamer.config import Config
from streamer.demo.traffic import Traffic
from streamer.events.decoder import Decoder
from streamer.events.usage import UsageEvent
from streamer.garbage import collect_seldom
from streamer.pipeline import Pipeline

_SECONDS_OF_TRAFFIC = 1200.0
_BEGIN = 1_790_000_000.0
_ROUNDS = 5
# Records, as many as the worker applies in a row.
_RUN = 1000


def records() -> list[bytes]:
    """Twenty minutes of the demo's traffic, as canonical records."""
    traffic = Traffic(seed=1)
    return [msgspec.json.encode(event) for event in traffic.due(_BEGIN, _BEGIN + _SECONDS_OF_TRAFFIC)]


class Record(msgspec.Struct):
    """A record as a consumer hands it over."""

    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


def decode(lines: list[bytes]) -> None:
    """Only decode, in runs as the worker gets them."""
    one = msgspec.json.Decoder(UsageEvent).decode
    for run in _runs(lines):
        _ = [one(record.value or b"") for record in run]


def meter(lines: list[bytes]) -> None:
    """Decode with all checks, price, deduplicate, total and judge, in the same runs."""
    decoder, pipeline = Decoder(), Pipeline(Config())
    for run in _runs(lines):
        decoded = decoder.decode_run(run, _BEGIN + _SECONDS_OF_TRAFFIC)
        events = [event for _, event in decoded if isinstance(event, UsageEvent)]
        pipeline.submit(events, events[-1].time.timestamp())
    pipeline.flush()


def _runs(lines: list[bytes]) -> Iterator[list[Record]]:
    for start in range(0, len(lines), _RUN):
        yield [Record(line) for line in lines[start : start + _RUN]]


def best(work: Callable[[list[bytes]], object], lines: list[bytes]) -> float:
    """Seconds of the fastest of some rounds: the one that other processes disturbed least."""
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        work(lines)
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    """Run both and print."""
    lines = records()
    collect_seldom()
    bare, whole = best(decode, lines), best(meter, lines)
    for name, seconds in (("decode", bare), ("pipeline", whole)):
        print(
            f"{name:<9} {len(lines) / seconds:>10,.0f} events a second  {seconds / len(lines) * 1e6:6.2f} us an event"
        )
    results.keep({"pipeline.events_per_second": len(lines) / whole, "pipeline_over_decode": bare / whole})


if __name__ == "__main__":
    main()
