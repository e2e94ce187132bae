"""Golden files: records of every format, of our own making, and beside each what is to become of it.

`python -m tests.streamer.events.formats.golden` writes the expectations anew; read the difference before you keep it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson

from streamer.events.decoder import Decoded, Decoder
from streamer.events.usage import UsageEvent
from tests.streamer.samples import NOW

FOLDER = Path(__file__).parent / "golden"
# Stands in the files wherever a prompt, an answer or a tool's argument would.
MARKER = "xyzzy-private-words"


def records() -> Iterator[Path]:
    """The files that hold records."""
    return (path for path in sorted(FOLDER.iterdir()) if not path.name.endswith(".expected"))


def decode(record: bytes) -> list[Decoded]:
    return Decoder(hash_key="golden").decode(record, NOW)


def told(decoded: Decoded) -> dict[str, Any]:
    """A decoded item in words, with its type where it is no event."""
    words: dict[str, Any] = msgspec.to_builtins(decoded)
    return words if isinstance(decoded, UsageEvent) else {type(decoded).__name__: words}


def lines(items: list[Decoded]) -> bytes:
    return b"".join(orjson.dumps(told(item), option=orjson.OPT_APPEND_NEWLINE) for item in items)


def expectation(path: Path) -> Path:
    return path.with_name(f"{path.name}.expected")


if __name__ == "__main__":
    for path in records():
        expectation(path).write_bytes(lines(decode(path.read_bytes())))
