"""What a dead letter may carry of a rejected record: everything but prompts, answers and tool arguments."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

# Field names, over all accepted formats, whose values are somebody's words.
PRIVATE = frozenset(
    [
        "messages",
        "response",
        "prompt",
        "completion",
        "input",
        "output",
        "content",
        "text",
        "arguments",
        "result",
        "system_instructions",
        "choices",
        "instructions",
        "error_str",
        "error_information",
        "traceback",
        "requester_metadata",
        "headers",
        "inputBodyJson",
        "outputBodyJson",
        "tool_args",
        "body",
        "query",
        "documents",
        "data_base64",
        # the values of OTLP's attributes, which nobody can tell apart before they are decoded
        "stringValue",
        "string_value",
        "bytesValue",
        "bytes_value",
    ]
)
REMOVED = "[removed]"
# A name may be spelled with escapes, so that where one stands nothing further is known.
# Text as the data of a CloudEvent is no usage, so it is somebody's words; an object is looked into.
_PRIVATE_KEY = re.compile(rb'"(?:(?:' + "|".join(sorted(PRIVATE)).encode() + rb')"\s*:|data"\s*:\s*")|\\u')


def redact(record: bytes, *, words: bool = True) -> bytes:
    """Give what may be kept of `record`: decoded JSON without private values, else its bytes up to the first one.

    Without `words` no text is kept of JSON at all: in a format that nobody knows, any of it may be a prompt.

    >>> redact(b'{"id": 1, "messages": [{"content": "secret"}]}')
    b'{"id":1,"messages":"[removed]"}'
    >>> redact(b'{"id": 1, "prompt": "sec')
    b'{"id": 1, '
    >>> redact(b'{"said": "secret", "times": 2}', words=False)
    b'{"said":"[removed]","times":2}'
    """
    try:
        return orjson.dumps(_without(orjson.loads(record), words))
    except (ValueError, TypeError, RecursionError):  # what orjson can read may nest too deep for it to write
        found = _PRIVATE_KEY.search(record)
        return record[: found.start()] if found else record


def _without(value: Any, words: bool) -> Any:
    if isinstance(value, Mapping):
        return {name: REMOVED if _is_private(name, inner) else _without(inner, words) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, words) for inner in value]
    return value if words or not isinstance(value, str) else REMOVED


def _is_private(name: str, value: Any) -> bool:
    return name in PRIVATE or (name == "data" and isinstance(value, str))
