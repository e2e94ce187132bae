"""What a dead letter may keep of a rejected item: the item alone, cut out of its batch, without anybody's words."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from streamer import feedback
from streamer.events.formats import format_of, parts_of
from streamer.events.formats.base import Unmappable
from streamer.events.reading import Broken, is_binary, read
from streamer.events.redact import redact
from streamer.events.rejected import Rejected

# Reasons that concern a record as a whole; all others are about one item of it.
_OF_THE_WHOLE = ("too_large", "failed")
_Headers = tuple[tuple[str, str], ...]


def kept(record: bytes, headers: Mapping[str, str], rejected: Rejected) -> bytes:
    """Give what may be kept of the item that `rejected` is about; nothing where it cannot be told apart."""
    if rejected.reason in _OF_THE_WHOLE:
        return _text(record)
    try:
        part = _parts(record, tuple(sorted(headers.items())))[rejected.item]
    except (Unmappable, IndexError):
        return _text(record)
    if isinstance(part, Broken):
        return _text(part.line)
    # What is no object, or of no known format, may be anybody's words.
    return redact(_written(part), words=rejected.reason != "unknown_format" and isinstance(part, dict))


# The items of a record are rejected one after the other: it is not read anew for each.
@lru_cache(maxsize=1)
def _parts(record: bytes, headers: _Headers) -> list[Any]:
    return [part for item in read(record, dict(headers)) for part in _kept(item)]


def _kept(item: Any) -> list[Any]:
    known = format_of(item) if isinstance(item, dict) and not feedback.recognises(item) else None
    if known is None:
        return [item]
    parts = parts_of(known, item)
    return [None] if isinstance(parts, Rejected) or not parts else [known.kept(part) for part in parts]


def _written(part: Any) -> bytes:
    try:
        return orjson.dumps(part, str, orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError, RecursionError):  # nests too deep to be written again
        return b""


def _text(record: bytes) -> bytes:
    """Keep of text what stands before the first private name; of all else nothing, for nobody can tell it apart."""
    return b"" if is_binary(record) else redact(record, words=record.lstrip()[:1] == b"{")
