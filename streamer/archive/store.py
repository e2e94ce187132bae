"""The folder of an archive: files and the positions that they reach to are written as one, whatever crashes.

A commit stages its files, then puts a new head in the old one's place, which names the files and the positions: from
then on it holds. Last the files are moved to where readers look. Whoever opens the folder finishes a commit that holds
and throws away one that does not.
"""

import fcntl
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import msgspec
import pyarrow as pa
from pyarrow import parquet

from streamer.errors import ArchiveUnusable

# What readers skip, as they do all names with such a beginning.
_OWN = "_archive"
_LONGEST_NAME = 200


class Head(msgspec.Struct):
    """The last commit: its number, what is archived, the next offset of each partition, its files by staged name."""

    number: int = 0
    topic: str = ""
    positions: dict[str, int] = {}
    files: dict[str, str] = {}


class Store:
    """One archive; use as a context manager. Raises ArchiveUnusable where it is none, or open elsewhere."""

    def __init__(self, folder: Path, topic: str) -> None:
        self._folder, self._own = folder, folder / _OWN
        self._staging, self._path = self._own / "staging", self._own / "head.json"
        self._own.mkdir(parents=True, exist_ok=True)
        self._lock = (self._own / "lock").open("wb")
        try:
            self._head = self._taken_up(topic)
        except ArchiveUnusable:
            self._lock.close()
            raise
        self._topic = topic
        self._recover()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.close()

    @property
    def positions(self) -> Mapping[int, int]:
        """The next offset of each partition that is not in the archive yet."""
        return {int(partition): offset for partition, offset in self._head.positions.items()}

    def commit(self, tables: Mapping[Path, pa.Table], positions: Mapping[int, int]) -> None:
        """Add tables, each below the folder's path that it is given for, and the positions that they reach to."""
        number = self._head.number + 1
        self._staging.mkdir(exist_ok=True)
        files = {}
        for place, (path, table) in enumerate(tables.items()):
            name = f"{number:08d}-{place}.parquet"
            _write(self._staging / name, table)
            files[name] = str(path / f"part-{number:08d}.parquet")
        reached = {**self._head.positions, **{str(partition): offset for partition, offset in positions.items()}}
        self._put(Head(number, self._topic, reached, files))
        self._publish()

    def _taken_up(self, topic: str) -> Head:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArchiveUnusable(f"{self._folder}: another process writes to this archive") from None
        head = self._read()
        if head.topic not in ("", topic):
            raise ArchiveUnusable(f"{self._folder}: this is an archive of {head.topic}, not of {topic}")
        return head

    def _put(self, head: Head) -> None:
        """Replace the head: the moment from which on a commit holds."""
        draft = self._path.with_suffix(".part")
        with draft.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(head)))
            _sync(file.fileno())
        draft.replace(self._path)
        _sync_folder(self._own)
        self._head = head

    def _publish(self) -> None:
        """Move the files of the last commit to where readers look; those that are there already are left."""
        for staged, path in self._head.files.items():
            if (self._staging / staged).exists():
                target = self._folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                (self._staging / staged).replace(target)
                _sync_folder(target.parent)

    def _recover(self) -> None:
        self._publish()
        shutil.rmtree(self._staging, ignore_errors=True)

    def _read(self) -> Head:
        if not self._path.exists():
            return Head()
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Head)
        except msgspec.MsgspecError as error:
            raise ArchiveUnusable(f"{self._path}: damaged: {error}") from None


def folder_of(table: str, day: str, tenant: str) -> Path:
    """Give the folder of a day and a tenant in Hive's layout; names are escaped as in a URL, and very long ones cut.

    >>> str(folder_of("usage", "2026-11-22", "a/b"))
    'usage/day=2026-11-22/tenant=a%2Fb'
    """
    name = quote(tenant, safe=" ")
    return Path(table, f"day={day}", f"tenant={name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + '~'}")


def _write(path: Path, table: pa.Table) -> None:
    with path.open("wb") as file:
        parquet.write_table(table, file, compression="zstd")
        _sync(file.fileno())


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
