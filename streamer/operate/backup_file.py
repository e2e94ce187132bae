"""A backup as a file: JSON lines, packed with zstd. What it is of, then each record of the state, last their count.

`zstd -dc FILE | head` shows it; keys and values are base64. A file without its last line is damaged, and refused.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec
import zstandard
from faust.types import TP

from streamer.errors import BackupRefused
from streamer.kafka import layout

Schema = Literal["tidegate.backup/1"]
Log = dict[bytes, bytes]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Whose state a backup is of, and up to where each partition of a source was committed."""

    schema: Schema = "tidegate.backup/1"
    group: str
    topic_prefix: str
    #: The newest layout among its parts.
    layout: int
    positions: dict[str, dict[int, int]]


class Backup(msgspec.Struct, frozen=True):
    """All state of a consumer group: what each partition of each changelog holds."""

    about: About
    logs: dict[TP, Log]

    @property
    def records(self) -> int:
        """Count what all partitions hold."""
        return sum(map(len, self.logs.values()))


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    topic: str
    partition: int
    key: bytes
    value: bytes


class _End(msgspec.Struct, frozen=True):
    records: int


def save(backup: Backup, path: Path) -> None:
    """Write a backup, every byte of it anew; raises OSError."""
    with zstandard.open(path, "wb") as file:
        for line in _lines(backup):
            file.write(msgspec.json.encode(line) + b"\n")


def load(path: Path) -> Backup:
    """Read a backup; raises OSError, BackupRefused where it is damaged, StateUnreadable if of a newer version."""
    try:
        with zstandard.open(path, "rb") as file:
            return _read(file.read().splitlines())
    except (zstandard.ZstdError, msgspec.MsgspecError, ValueError) as error:
        raise BackupRefused(f"{path} is no backup, or damaged: {error}") from error


def _lines(backup: Backup) -> Iterator[About | _Kept | _End]:
    yield backup.about
    count = 0
    for tp, log in sorted(backup.logs.items()):
        for key, value in sorted(log.items()):
            yield _Kept(*tp, key, value)
            count += 1
    yield _End(count)


def _read(lines: list[bytes]) -> Backup:
    if len(lines) < 2:
        raise ValueError("its end is missing")
    about = msgspec.json.decode(lines[0], type=About)
    layout.check(about.layout)
    kept = _decoded(lines[1:-1])
    logs: dict[TP, Log] = {}
    for one in kept:
        logs.setdefault(TP(one.topic, one.partition), {})[one.key] = one.value
    if msgspec.json.decode(lines[-1], type=_End).records != len(kept):
        raise ValueError("records are missing")
    return Backup(about, logs)


def _decoded(lines: Iterable[bytes]) -> list[_Kept]:
    decoder = msgspec.json.Decoder(_Kept)
    return [decoder.decode(line) for line in lines]
