"""Dead letters: what was rejected, why, and where it is from."""

import base64
from datetime import datetime

import msgspec
import orjson

from streamer.clock import utc
from streamer.events.redact import redact
from streamer.events.rejected import Rejected
from streamer.kafka.stage import Out, Record

# What a dead letter carries of a record; the rest is at its source position, as long as that topic keeps it.
MOST_BYTES = 256 << 10
# Reasons that concern a record as a whole; all others are about one item of it.
_OF_THE_WHOLE = ("too_large", "failed")


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A rejected record or item. `record` is base64 of what may be kept of it: see `streamer.events.redact`.

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
    kept, whole = kept_of(value, rejected)
    letter = DeadLetter(
        reason=rejected.reason,
        detail=rejected.detail,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        item=rejected.item,
        size=len(value),
        truncated=not whole,
        record=base64.b64encode(kept).decode(),
        at=utc(now),
    )
    return Out(topic, record.topic, msgspec.json.encode(letter))


def kept_of(record: bytes, rejected: Rejected) -> tuple[bytes, bool]:
    """Give what a letter keeps of a record, and whether the bound let it keep all that it may."""
    # Whole records over the bound are not decoded here either: that is what the bound is for.
    if rejected.reason == "too_large":
        return b"", False
    item = item_of(record, rejected)
    # What is no object, or of no known format, may be anybody's words.
    known = rejected.reason != "unknown_format" and item.lstrip()[:1] == b"{"
    kept = redact(item, words=known)
    return kept[:MOST_BYTES], len(kept) <= MOST_BYTES


def item_of(record: bytes, rejected: Rejected) -> bytes:
    """Give what was rejected: the item, or the record where the reason concerns it as a whole."""
    return record if rejected.reason in _OF_THE_WHOLE else _item(record, rejected.item)


def _item(record: bytes, number: int) -> bytes:
    """Cut an item out of a batch: its neighbours may be good, or of a format that nobody knows."""
    try:
        whole = orjson.loads(record)
        items = whole if isinstance(whole, list) else [whole]
        return orjson.dumps(items[number])
    except orjson.JSONDecodeError:
        lines = [line for line in record.splitlines() if line.strip()]
        return lines[number] if number < len(lines) else record
    except (IndexError, TypeError, RecursionError):  # a binary CloudEvent's own data, or what nests too deep to write
        return record
