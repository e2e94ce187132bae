"""Writes the state of a partition so that a crash leaves either the old checkpoint or the new one, never a mixture.

Each part of the state has two slots and is written to them in turn; a head record, written last, says which
checkpoint holds and up to which offsets it has applied its sources. A part newer than the head belongs to a
checkpoint that was never finished, and the other slot is taken; the next checkpoint, which gets the same number,
removes it. Records live in a compacted changelog topic.
"""

import struct
from collections.abc import Iterable, Mapping

import msgspec

from streamer.kafka.layout import FIRST, LAYOUT, upgraded

_GENERATION = struct.Struct(">Q")
# A part with a generation and nothing behind it was dropped in that generation.
_DROPPED = b""
Record = tuple[bytes, bytes | None]


class Topic(msgspec.Struct, frozen=True):
    """A source topic as the cluster has it: offsets mean nothing in another of its name. `id` is "" if not known."""

    id: str = ""
    partitions: int = 0

    def is_another_than(self, before: "Topic") -> bool:
        """Tell whether this topic was made anew since it was as `before`."""
        return bool(self.id and before.id and self.id != before.id)

    def is_split_unlike(self, before: "Topic") -> bool:
        """Tell whether keys may be in other partitions than they were `before`."""
        return bool(self.partitions and before.partitions and self.partitions != before.partitions)


class Head(msgspec.Struct, frozen=True):
    """Which checkpoint holds, the next offset to apply of each source topic, and the layout of the parts.

    `ahead` says which records behind the position are in the parts already, where there is one source: see `Ahead`.
    """

    generation: int = 0
    positions: dict[str, int] = {}
    topics: dict[str, Topic] = {}
    layout: int = FIRST
    ahead: bytes = b""


class Checkpoints:
    """The slots of one partition's state. Pure: it makes records, and others write them.

    >>> log = Checkpoints(0)
    >>> stored = dict(log.parts([("a", b"1")]) + [log.head({"usage": 7})])
    >>> again = Checkpoints(0)
    >>> again.restore(stored), again.positions
    ({'a': b'1'}, {'usage': 7})
    """

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._head = Head()
        self._slots: dict[str, int] = {}
        self._garbage: list[str] = []
        self._torn: list[bytes] = []
        # Parts that an upgrade changed: the head says one layout for all, so they are written with the next one.
        self._upgraded: dict[str, bytes | None] = {}

    @property
    def positions(self) -> dict[str, int]:
        """The next offset to apply of each source topic, as of the last checkpoint."""
        return self._head.positions

    @property
    def topics(self) -> dict[str, Topic]:
        """The source topics as they were at the last checkpoint."""
        return self._head.topics

    @property
    def ahead(self) -> bytes:
        """Which records behind the position are in the parts of the last checkpoint, as `Ahead` writes it."""
        return self._head.ahead

    @property
    def upgraded(self) -> bool:
        """Whether parts of an older layout wait for the next checkpoint, which then has to be of all that changed."""
        return bool(self._upgraded)

    def parts(self, changes: Iterable[tuple[str, bytes | None]]) -> list[Record]:
        """Make the records of a checkpoint's changed parts (None: dropped); to be stored before its head."""
        changes = list({**self._upgraded, **dict(changes)}.items())
        self._upgraded = {}
        garbage, self._garbage = self._garbage, []
        torn, self._torn = self._torn, []
        stamp = _GENERATION.pack(self._head.generation + 1)
        records = [self._part(name, part, stamp) for name, part in changes]
        rewritten = {name for name, _ in changes}
        records += [record for name in garbage if name not in rewritten for record in self._buried(name)]
        written = {key for key, _ in records}
        return records + [(key, None) for key in torn if key not in written]

    def head(
        self, positions: Mapping[str, int], topics: Mapping[str, Topic] | None = None, ahead: bytes = b""
    ) -> Record:
        """Make the record that turns the parts written before it into the checkpoint that holds."""
        self._head = Head(self._head.generation + 1, dict(positions), dict(topics or {}), LAYOUT, ahead)
        return f"{self._partition}:head".encode(), msgspec.msgpack.encode(self._head, order="deterministic")

    def restore(self, stored: Mapping[bytes, bytes]) -> dict[str, bytes]:
        """Take up what is stored of this partition, and give the parts of the checkpoint that holds.

        State of an older layout is upgraded, and written anew with the next checkpoint; raises StateUnreadable.
        """
        head = stored.get(f"{self._partition}:head".encode())
        self._head = msgspec.msgpack.decode(head, type=Head) if head else Head(layout=LAYOUT)
        newest: dict[str, tuple[int, int, bytes]] = {}
        self._torn = []
        for key, value in stored.items():
            partition, slot, name = _read_key(key)
            if partition != self._partition or slot < 0:
                continue
            (generation,) = _GENERATION.unpack_from(value)
            if generation <= self._head.generation:
                newest[name] = max(newest.get(name, (0, 0, b"")), (generation, slot, value[_GENERATION.size :]))
            else:
                self._torn.append(key)
        self._slots = {name: slot for name, (_, slot, _) in newest.items()}
        self._garbage = [name for name, (_, _, part) in newest.items() if part == _DROPPED]
        return self._read({name: part for name, (_, _, part) in newest.items() if part != _DROPPED})

    def _read(self, parts: Mapping[str, bytes]) -> dict[str, bytes]:
        now = dict(upgraded(parts, self._head.layout))
        self._upgraded = {name: part for name, part in now.items() if parts.get(name) != part}
        self._upgraded |= {name: None for name in parts if name not in now}
        return now

    def _part(self, name: str, part: bytes | None, stamp: bytes) -> Record:
        slot = self._slots[name] = 1 - self._slots.get(name, 1)
        if part is None:
            # Both slots can go once a later checkpoint begins, for by then this one holds.
            self._garbage.append(name)
        return _key(self._partition, slot, name), stamp + (_DROPPED if part is None else part)

    def _buried(self, name: str) -> list[Record]:
        """Tombstones, the old value's first: without the mark that it was dropped it would count again."""
        marked = self._slots.pop(name)
        return [(_key(self._partition, slot, name), None) for slot in (1 - marked, marked)]


def layout_of(stored: Mapping[bytes, bytes]) -> int:
    """Give the newest layout among the heads of what is stored; the present one where nothing is."""
    heads = [value for key, value in stored.items() if _read_key(key)[1] < 0]
    return max((msgspec.msgpack.decode(head, type=Head).layout for head in heads), default=LAYOUT)


def _key(partition: int, slot: int, name: str) -> bytes:
    return f"{partition}:{slot}:{name}".encode()


def _read_key(key: bytes) -> tuple[int, int, str]:
    partition, _, rest = key.decode().partition(":")
    if rest == "head":
        return int(partition), -1, ""
    slot, _, name = rest.partition(":")
    return int(partition), int(slot), name
