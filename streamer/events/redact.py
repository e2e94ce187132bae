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


def redact(record: bytes) -> bytes:
    """Give what may be kept of `record`: decoded JSON without private values, else its bytes up to the first one.

    >>> redact(b'{"id": 1, "messages": [{"content": "secret"}]}')
    b'{"id":1,"messages":"[removed]"}'
    >>> redact(b'{"id": 1, "prompt": "sec')
    b'{"id": 1, '
    """
    try:
        return orjson.dumps(_without(orjson.loads(record)))
    except (ValueError, TypeError, RecursionError):  # what orjson can read may nest too deep for it to write
        found = _PRIVATE_KEY.search(record)
        return record[: found.start()] if found else record


def _without(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: REMOVED if _is_private(name, inner) else _without(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner) for inner in value]
    return value


def _is_private(name: str, value: Any) -> bool:
    return name in PRIVATE or (name == "data" and isinstance(value, str))
