"""What a dead letter may keep of a rejected item: the item alone, cut out of its batch, without anybody's words."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from streamer import feedback
from streamer.events import canonical
from streamer.events.formats import FORMATS, format_of, parts_of
from streamer.events.formats.base import Unmappable
from streamer.events.reading import Broken, is_binary, read
from streamer.events.redact import PRIVATE, REMOVED, redact
from streamer.events.rejected import Rejected

# Where quotes are lost, what is outside of them may be words, and a word may stand where a name does.
_TOKEN = re.compile(
    rb"""(?P<kept>[\s{}\[\]:,]+|-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b|true|false|null)"""
    rb"""|"(?P<text>(?:[^"\\]|\\.)*)(?:"|\Z)(?P<name>(?=\s*:))?|.""",
    re.DOTALL,
)
_NAMES = frozenset(
    name.encode()
    for names in (*(known.words for known in FORMATS), canonical.WORDS, feedback.WORDS, PRIVATE)
    for name in names
)
_Headers = tuple[tuple[str, str], ...]


class _Part(NamedTuple):
    """An item, and the fields of its format whose text may be kept."""

    item: Any
    words: frozenset[str]


def kept(record: bytes, headers: Mapping[str, str], rejected: Rejected) -> bytes:
    """Give what may be kept of the item that `rejected` is about; nothing where it cannot be told apart."""
    if rejected.reason == "too_large":  # nor is it decoded here: that is what the bound is for
        return b""
    if rejected.reason == "failed":  # which concerns the record as a whole
        return _text(record)
    try:
        item, words = _parts(record, tuple(sorted(headers.items())))[rejected.item]
        if isinstance(item, Broken):
            return _text(item.line)
        return redact(orjson.dumps(_limited(item, words), str))
    except (Unmappable, IndexError):
        return _text(record)
    except (TypeError, ValueError, RecursionError):  # nests too deep to be written again
        return b""


def whole(record: bytes, headers: Mapping[str, str], rejected: Rejected) -> bytes:
    """Give the item that holds what `rejected` is about, as it came; all of the record where it holds nothing else."""
    if rejected.reason in ("too_large", "failed"):
        return record
    try:
        items = read(record, headers)
        held = [item for item in items for _ in _of(item)]
        item = held[rejected.item]
        if len(items) == 1:
            return record
        return item.line if isinstance(item, Broken) else orjson.dumps(item, str)
    except (Unmappable, IndexError, TypeError, ValueError, RecursionError):
        return record


# The items of a record are rejected one after the other: it is not read anew for each.
@lru_cache(maxsize=1)
def _parts(record: bytes, headers: _Headers) -> list[_Part]:
    return [part for item in read(record, dict(headers)) for part in _of(item)]


def _of(item: Any) -> list[_Part]:
    """Take an item apart as the decoder does."""
    if not isinstance(item, dict):
        return [_Part(item, frozenset())]
    if feedback.recognises(item):
        return [_Part(item, feedback.WORDS)]
    if (known := format_of(item)) is None:
        return [_Part(item, canonical.WORDS if canonical.recognises(item) else frozenset())]
    parts = parts_of(known, item)
    if isinstance(parts, Rejected) or not parts:
        return [_Part(None, frozenset())]
    return [_Part(known.kept(part), known.words) for part in parts]


def _limited(value: Any, words: frozenset[str], name: str = "") -> Any:
    """Take out the texts of fields that are not in `words`."""
    if isinstance(value, Mapping):
        return {str(inner): _limited(value[inner], words, str(inner)) for inner in value}
    if isinstance(value, list | tuple):
        return [_limited(inner, words, name) for inner in value]
    return value if not isinstance(value, str) or name in words else REMOVED


def _text(record: bytes) -> bytes:
    """Keep of JSON, broken or not, the names that are known, numbers and punctuation; of all else nothing."""
    if is_binary(record) or record.lstrip()[:1] not in (b"{", b"[", b'"'):
        return b""
    return b"".join(map(_said, _TOKEN.finditer(record)))


def _said(token: re.Match[bytes]) -> bytes:
    if token["kept"] is not None:
        return token["kept"]
    if token["name"] is not None and token["text"] in _NAMES:
        return b'"' + token["text"] + b'"'
    return b'"[removed]"' if token["text"] is not None else b""
