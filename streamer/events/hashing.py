"""Tool arguments are hashed at the door: equal arguments stay comparable, and nothing else of them is kept."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import orjson

ArgumentHash = Callable[[Any], str]


def argument_hash(key: str) -> ArgumentHash:
    """Make the hash function for tool arguments, keyed so that short arguments cannot be guessed from it.

    The result takes arguments as JSON text or as decoded JSON; both give the same 32 hex digits (BLAKE2b, RFC 7693).

    >>> same = argument_hash("k")
    >>> same('{"b": 1, "a": 2}') == same({"a": 2, "b": 1})
    True
    """
    secret = key.encode()[:64]

    def digest(arguments: Any) -> str:
        text = orjson.dumps(_decoded(arguments), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
        return blake2b(text, key=secret, digest_size=16).hexdigest()

    return digest


def _decoded(arguments: Any) -> Any:
    if not isinstance(arguments, str | bytes):
        return arguments
    try:
        return orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments if isinstance(arguments, str) else arguments.decode("utf-8", "replace")
