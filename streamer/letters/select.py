"""Which letters are meant, and what of a letter can be sent again. Pure."""

import base64
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import cast

import msgspec
import orjson

from streamer.events import keeping
from streamer.events.decoder import headers_of
from streamer.events.redact import REMOVED
from streamer.events.rejected import Reason, Rejected
from streamer.kafka.dead_letters import MOST_BYTES, DeadLetter
from streamer.kafka.stage import Record
from streamer.kafka.topics import Topics

_MARK = orjson.dumps(REMOVED)


class Wanted(msgspec.Struct, frozen=True):
    """The letters of these reasons and source topics (all, where there are none), from a moment on."""

    reasons: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    since: datetime | None = None

    def has(self, letter: DeadLetter) -> bool:
        """Tell whether a letter is meant; a topic may be given without the deployment's prefix."""
        topics = {letter.topic, letter.topic.rpartition(".")[2]}
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or not topics.isdisjoint(self.topics))
            and (self.since is None or letter.at >= self.since)
        )


def place(letter: DeadLetter) -> str:
    """Name the place of what was rejected: topic, partition, offset, and the item in its batch (from 0)."""
    return f"{letter.topic}[{letter.partition}]@{letter.offset} item {letter.item}"


def counts(letters: Iterable[DeadLetter]) -> Counter[tuple[str, str]]:
    """Count letters by source topic and reason."""
    return Counter((letter.topic, letter.reason) for letter in letters)


def target(letter: DeadLetter, topics: Topics) -> str | None:
    """Name the topic to which what a letter is about is sent again; None for what is no usage and no feedback."""
    if letter.topic in (topics.raw, topics.usage):
        return topics.raw
    return topics.feedback if letter.topic == topics.feedback else None


def from_source(letter: DeadLetter, record: Record) -> bytes | None:
    """Give what was rejected, whole, out of the record at its source position; None where that is another record."""
    value, headers = record.value or b"", headers_of(record.headers)
    # A letter may be of an older version, with a reason that is none any more.
    rejected = Rejected(cast(Reason, letter.reason), letter.detail, letter.item)
    kept = keeping.kept(value, headers, rejected)[:MOST_BYTES]
    same = len(value) == letter.size and base64.b64encode(kept).decode() == letter.record
    return keeping.whole(value, headers, rejected) if same else None


def from_letter(letter: DeadLetter) -> bytes | str:
    """Give what was rejected as far as the letter has all of it, else why it has not."""
    kept = base64.b64decode(letter.record)
    if letter.truncated:
        return "the letter does not have all of it, for it was too large"
    if _MARK in kept:
        return "prompts, answers or arguments were removed from the letter"
    if not _is_json(kept) and len(kept) != letter.size:
        return "it is no JSON, and of that the letter has no text"
    return kept


def _is_json(kept: bytes) -> bool:
    try:
        orjson.loads(kept)
    except orjson.JSONDecodeError:
        return False
    return True
