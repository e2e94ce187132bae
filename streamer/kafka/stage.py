"""What the worker does with the records of a topic: a stage is pure, the partition runner around it keeps it exact."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class Out(NamedTuple):
    """A record to be produced."""

    topic: str
    key: str
    value: bytes | None


class Record(Protocol):
    """A consumed record, as aiokafka gives it."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Stage(Protocol):
    """State that records change, and what comes of it. `now` is in epoch seconds; nothing here waits or sends."""

    def apply(self, record: Record, now: float) -> Iterable[Out]:
        """Take in one record."""

    def tick(self, now: float) -> Iterable[Out]:
        """Let time pass; called only while everything that has arrived is applied."""

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the parts of the state that changed since the last call."""

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take up the parts that `changes` gave."""


def headers_of(record: Record) -> dict[str, str]:
    """Give a record's headers as text, names in lower case; what is not UTF-8 is left out."""
    found: dict[str, str] = {}
    for name, value in record.headers or ():
        text = _text(value)
        if text is not None:
            found[name.lower()] = text
    return found


def _text(value: Any) -> str | None:
    try:
        return bytes(value).decode()
    except (UnicodeDecodeError, TypeError, ValueError):
        return None
