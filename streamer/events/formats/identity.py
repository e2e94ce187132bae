"""Ids for records that have none, and which of those that senders give name one thing only."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson

# An id that no two answers have: behind its prefix 16 letters and digits or more, not all of them letters. Those of
# servers that number them, or draw from a few hundred, are shorter, as are those of stand-ins that give one for ever.
_PREFIX, _UNIQUE = re.compile(r"^[a-z]+[-_]"), 16


def identity_of(fields: Mapping[str, Any]) -> str:
    """Give 32 hex digits that equal fields share, in whatever order (BLAKE2b, RFC 7693).

    >>> identity_of({"a": 1, "b": 2}) == identity_of({"b": 2, "a": 1})
    True
    """
    written = orjson.dumps(fields, str, orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return blake2b(written, digest_size=16).hexdigest()


def is_unique(answer: str) -> bool:
    """Tell whether an id of an answer looks like one that no other answer has.

    >>> is_unique("chatcmpl-CHzq3AkzNWc9Ltnr4OpZsWpJPzSTy"), is_unique("chatcmpl-712")
    (True, False)
    """
    random = [letter for letter in _PREFIX.sub("", answer) if letter.isalnum()]
    return len(random) >= _UNIQUE and not all(map(str.isalpha, random))
