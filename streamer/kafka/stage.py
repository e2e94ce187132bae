"""What the worker does with the records of a topic: a stage is pure, the partition runner around it keeps it exact."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

# How long an output may wait until it is committed, in seconds; LATER is with the next checkpoint.
AT_ONCE, SOON, LATER = 0.0, 0.05, float("inf")


class Out(NamedTuple):
    """A record to be produced: to its key's partition, or to the one given (modulo the topic's partition count)."""

    topic: str
    key: str
    value: bytes | None
    partition: int | None = None
    within: float = LATER


class Record(Protocol):
    """A consumed record, as aiokafka gives it."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Stage(Protocol):
    """State that records change, and what comes of it. `now` is in epoch seconds; nothing here waits or sends."""

    def apply(self, records: Sequence[Record], now: float) -> Iterable[Out]:
        """Take in records of one partition, in their order; never raises: what breaks it becomes a dead letter."""

    def tick(self, now: float) -> Iterable[Out]:
        """Let time pass; called only while everything that has arrived is applied."""

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the parts of the state that changed since the last call."""

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take up the parts that `changes` gave."""
