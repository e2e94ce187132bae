"""Dead letters: what was rejected, why, and where it is from."""

import base64
from datetime import datetime

import msgspec

from streamer.clock import utc
from streamer.events import keeping
from streamer.events.decoder import headers_of
from streamer.events.rejected import Rejected
from streamer.kafka.stage import Out, Record

# What a dead letter carries of a record; the rest is at its source position, as long as that topic keeps it.
MOST_BYTES = 256 << 10


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A rejected record or item. `record` is base64 of what may be kept of it: see `streamer.events.keeping`.

    `size` is that of the whole record.
    """

    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    item: int
    size: int
    truncated: bool
    record: str
    at: datetime


def dead_letter(topic: str, record: Record, rejected: Rejected, now: float) -> Out:
    """Make the dead letter of one rejected item; `now` in epoch seconds."""
    value = record.value or b""
    kept = keeping.kept(value, headers_of(record.headers), rejected)
    letter = DeadLetter(
        reason=rejected.reason,
        detail=rejected.detail,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        item=rejected.item,
        size=len(value),
        truncated=len(kept) > MOST_BYTES or rejected.reason == "too_large",
        record=base64.b64encode(kept[:MOST_BYTES]).decode(),
        at=utc(now),
    )
    return Out(topic, record.topic, msgspec.json.encode(letter))
