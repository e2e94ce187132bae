"""Spoils records: their bytes, or the structure of the JSON in them."""

import gzip
import random
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import zstandard

from benchmarks.fuzz.seeds import Seed

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
