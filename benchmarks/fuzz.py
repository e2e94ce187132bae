"""Spoils records of every format and holds the decoder to its word: `python -m benchmarks.fuzz --seconds 3600`.

Whatever a record holds, it must give at least one answer, in bounded time; each answer is an event that is written and
read again, a named reason with a dead letter, or something left out; and no planted word gets through. Prints what it
did, and exits 1 at the first broken promise with the record that broke it (`--keep` says where to write that).
"""

import argparse
import gzip
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson
import zstandard

from benchmarks.fuzz_seeds import MARKER, Seed, seeds
from streamer.events.decoder import Decoded, Decoder
from streamer.events.keeping import kept
from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent

# After everything that the seeds tell of.
_NOW = 1_795_348_800.0
_SLOWEST_SECONDS = 20.0
_ODD: tuple[Any, ...] = (
    *(None, True, False, "", " ", "NULL", "NaN", "-Infinity", "0", "-1", "1e999", "1e-999", "٣", "\x00", "\ud7ff"),
    *(
        0,
        -1,
        1,
        2**53,
        2**53 + 1,
        2**63,
        -(2**63),
        2**64 - 1,
        0.5,
        -0.0,
        1e308,
        1e-320,
        "9" * 400,
        "x" * 300,
        "1" * 5000,
    ),
    *(
        [],
        {},
        [[]],
        [{}],
        [None],
        {"": None},
        {"a": {"a": {"a": {}}}},
        ["x"] * 50,
        "{",
        "[",
        '{"a":',
        "[1,2]",
        '{"a":1}',
    ),
    *("2026-11-22T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-02-30", "NULL UTC"),
)
Mutation = Callable[[bytes, random.Random], bytes]


class BrokenPromise(Exception):
    """The decoder did what it must not do."""


def check(decoder: Decoder, seed: Seed, *, readable: bool) -> list[Decoded]:
    """Decode a record and check all promises; raises BrokenPromise.

    What is `readable` has the planted words under their own names still.
    """
    began = time.perf_counter()
    try:
        found = decoder.decode(seed.record, _NOW, seed.headers)
    except Exception as error:
        raise BrokenPromise(f"{type(error).__name__}: {error}") from error
    if time.perf_counter() - began > _SLOWEST_SECONDS:
        raise BrokenPromise(f"took {time.perf_counter() - began:.1f} s")
    if not found:
        raise BrokenPromise("no answer")
    _is_read_again(decoder, found)
    _is_silent(seed, found, readable=readable)
    return found


def _is_read_again(decoder: Decoder, found: Sequence[Decoded]) -> None:
    events = [item for item in found if isinstance(item, UsageEvent)]
    for event in events[:50]:
        if decoder.decode(msgspec.json.encode(event), _NOW) != [event]:
            raise BrokenPromise(f"the event is not read again as it was written: {event}")


def _is_silent(seed: Seed, found: Sequence[Decoded], *, readable: bool) -> None:
    rejected = [item for item in found if isinstance(item, Rejected)]
    # Bytes may be spoiled so that words stand under another field's name; then nobody can know them for words.
    kept_of = [item for item in rejected if readable or item.reason == "undecodable"][:20]
    told = repr(found if readable else rejected).encode() + b"".join(
        kept(seed.record, seed.headers, item) for item in kept_of
    )
    if MARKER in told:
        raise BrokenPromise("a planted word got through")


def spoiled(record: bytes, chance: random.Random, others: Sequence[Seed]) -> bytes:
    """Spoil bytes: flip, cut, double, insert, splice with another record."""
    made = bytearray(record)
    for _ in range(chance.randint(1, 8)):
        at, length = chance.randrange(len(made) + 1), chance.choice((1, 1, 2, 8, 64, 512))
        kind = chance.randrange(7)
        if kind == 0 and at < len(made):
            made[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del made[at : at + length]
        elif kind == 2:
            made[at:at] = made[at : at + length] * chance.choice((1, 2, 100))
        elif kind == 3:
            made[at:at] = chance.randbytes(length)
        elif kind == 4:
            made[at:at] = chance.choice(
                (b"[" * 2000, b'{"a":' * 2000, b'"', b"\n", b"\x00", b"1" * 400, b"\xff", b",", b"}")
            )
        elif kind == 5:
            del made[at:]
        else:
            other = chance.choice(others).record
            made[at:] = other[chance.randrange(len(other)) :]
    return bytes(made)


def bent(value: Any, chance: random.Random) -> Any:
    """Bend a structure: values replaced by odd ones, dropped, doubled, wrapped."""
    places = list(_places(value))
    for _ in range(chance.randint(1, 5)):
        holder, name = chance.choice(places) if places else (None, None)
        if holder is None:
            return chance.choice(_ODD)
        _bend(holder, name, chance)
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, below in list(inner):
        yield value, name
        yield from _places(below)


def _bend(holder: Any, name: Any, chance: random.Random) -> None:
    if name not in (holder if isinstance(holder, dict) else range(len(holder))):
        return
    kind = chance.randrange(6)
    if kind == 0:
        del holder[name]
    elif kind == 1 and isinstance(holder, list):
        holder.extend([holder[name]] * chance.choice((1, 3, 200)))
    elif kind == 2:
        holder[name] = [holder[name]]
    elif kind == 3 and isinstance(holder[name], int) and not isinstance(holder[name], bool):
        holder[name] = chance.choice((str(holder[name]), float(holder[name]), -(holder[name] % 2**63)))
    else:
        holder[name] = chance.choice(_ODD)


def spoil(seeds: Sequence[Seed], chance: random.Random) -> tuple[Seed, bool]:
    """Make a spoiled record of one of the seeds; and whether it can still be read as what it was."""
    seed = chance.choice(seeds)
    if seed.items is None or chance.random() < 0.4:
        return seed._replace(record=spoiled(seed.record, chance, seeds)), False
    items = [bent(orjson.loads(item), chance) for item in seed.items]
    record = b"\n".join(map(orjson.dumps, items))
    if chance.random() < 0.1:
        record = chance.choice((gzip.compress, zstandard.ZstdCompressor().compress))(record)
    return seed._replace(record=record), True


def run(seconds: float, number: int, keep: Path | None = None, folders: Sequence[Path] = ()) -> Counter[str]:
    """Spoil records for a while, from a seed number; counts records and what became of them. Raises BrokenPromise."""
    chance, known = random.Random(number), seeds(folders)
    decoders = [
        Decoder(hash_key="k", max_record_bytes=1 << 20),
        Decoder(default_tenant="acme", max_record_bytes=1 << 20),
    ]
    counts: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        seed, readable = spoil(known, chance)
        try:
            found = check(chance.choice(decoders), seed, readable=readable)
        except BrokenPromise:
            if keep:
                keep.write_bytes(seed.record)
            raise
        counts["records"] += 1
        counts.update(type(item).__name__ for item in found)
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to go on (default: 60)")
    parser.add_argument("--seed", type=int, default=None, help="a number that makes the run come again")
    parser.add_argument("--keep", type=Path, default=None, help="where to write a record that broke a promise")
    parser.add_argument("--from", dest="folders", type=Path, action="append", default=[], help="more records to spoil")
    given = parser.parse_args(arguments)
    number = time.time_ns() if given.seed is None else given.seed
    print(f"seed {number}")
    try:
        counts = run(given.seconds, number, given.keep, given.folders)
    except BrokenPromise as broken:
        print(f"broken: {broken}")
        return 1
    print(", ".join(f"{count:,} {name}" for name, count in counts.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
