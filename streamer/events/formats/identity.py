"""Ids for records that have none: a hash of what they are about."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson


def identity_of(fields: Mapping[str, Any]) -> str:
    """Give 32 hex digits that equal fields share, in whatever order (BLAKE2b, RFC 7693).

    >>> identity_of({"a": 1, "b": 2}) == identity_of({"b": 2, "a": 1})
    True
    """
    written = orjson.dumps(fields, str, orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return blake2b(written, digest_size=16).hexdigest()
