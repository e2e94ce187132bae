"""Records that the client library cannot read: where they are.

Kafka stores a header's name as bytes; aiokafka takes them for UTF-8, and raises in the middle of a batch where they are
not. It reads a batch from its beginning alone, so what follows in it, of the same producer, is out of reach, too.
"""

from traceback import walk_tb
from typing import NamedTuple

from aiokafka.consumer.fetcher import PartitionRecords
from faust.types import TP


class Gap(NamedTuple):
    """The offsets of a partition from `begin` to before `end`, of which the first cannot be read."""

    tp: TP
    begin: int
    end: int


class UnreadableError(Exception):
    """A fetch has met a `gap`. What it had read besides, of any partition, is lost with it."""

    def __init__(self, gap: Gap, why: str) -> None:
        super().__init__(f"{gap.tp} cannot be read from {gap.begin} to {gap.end}: {why}")
        self.gap, self.why = gap, why


def gap_of(error: UnicodeDecodeError) -> Gap | None:
    """Give where a fetch broke off, which aiokafka tells nobody; None where it was not in a fetch."""
    code = PartitionRecords._unpack_records.__code__
    seen = (frame.f_locals for frame, _ in walk_tb(error.__traceback__) if frame.f_code is code)
    return next((Gap(TP(*at["tp"]), at["self"].next_fetch_offset, at["next_batch"].next_offset) for at in seen), None)
