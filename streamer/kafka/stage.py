"""What the worker does with the records of a topic: a stage is pure, the partition runner around it keeps it exact."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

# How long an output may wait until it is committed, in seconds; LATER is with the next checkpoint.
AT_ONCE, SOON, LATER = 0.0, 0.05, float("inf")


class Out(NamedTuple):
    """A record to be produced: to its key's partition, or to the one given (modulo the topic's partition count).

    It is written together with the state of its `owner`; what is nobody's (None) when all before it is written.
    """

    topic: str
    key: str
    value: bytes | None
    partition: int | None = None
    within: float = LATER
    owner: str | None = None


class Record(Protocol):
    """A consumed record, as aiokafka gives it."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Stage(Protocol):
    """State that records change, and what comes of it. `now` is in epoch seconds; nothing here waits or sends.

    State may be split among owners, such as tenants, which are then written down one by one. A record changes only
    those of whom `touched` says so, and all that comes of it is theirs. Such a stage reads one topic, and has no state
    that is nobody's.
    """

    def apply(self, records: Sequence[Record], now: float) -> Iterable[Out]:
        """Take in records of one partition, in their order; never raises: what breaks it becomes a dead letter."""

    def tick(self, now: float) -> Iterable[Out]:
        """Let time pass; called only while everything that has arrived is applied."""

    def report(self) -> None:
        """Bring the metrics up to date; called several times a second, whether or not records wait."""

    def touched(self) -> Mapping[str | None, Sequence[int]]:
        """Give the offsets of the records applied since the last call by owner; by None where something is nobody's."""

    def owners(self) -> Collection[str]:
        """Give the owners whose state changed since it was written down."""

    def changes(self, owner: str | None = None) -> Iterator[tuple[str, bytes | None]]:
        """Give the parts of the state that changed since they were given last: of all, or of one owner."""

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take up the parts that `changes` gave."""
