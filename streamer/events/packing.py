"""Unpacks gzip and zstd: whole or not at all, and no further than allowed."""

import zlib
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import zstandard

Packing = Literal["gzip", "zstd"]
# 16 more than the window asks zlib for gzip, with its checksum.
_GZIP = 16 + zlib.MAX_WBITS
# What every decoder must be able to hold (RFC 8878); a sender may ask for far more.
_WINDOW = 8 << 20


class Damaged(ValueError):
    """What is packed is cut off, or was never packed so, or in very many parts."""


class TooLarge(ValueError):
    """It unpacks to more than allowed."""


class _Kind(NamedTuple):
    """How to begin a part, and how many bytes to give it at a time: few enough that they unpack to 8 MB at most."""

    begin: Callable[[], Any]
    step: int


_KINDS: dict[Packing, _Kind] = {
    # A byte of gzip can stand for a thousand, four of zstd for 128 KB.
    "gzip": _Kind(lambda: zlib.decompressobj(_GZIP), 4096),
    "zstd": _Kind(lambda: zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj(), 256),
}


def packing_of(record: bytes) -> Packing | None:
    """Tell by its first bytes how a record is packed; None where it is not."""
    if record.startswith(b"\x1f\x8b"):
        return "gzip"
    return "zstd" if record.startswith(b"\x28\xb5\x2f\xfd") else None


def unpack(packed: bytes, packing: Packing, most_bytes: int | None, most_parts: int) -> bytes:
    """Unpack all members (of gzip) or frames (of zstd), one after the other. Raises Damaged and TooLarge."""
    begin, step = _KINDS[packing]
    found: list[bytes] = []
    place = size = 0
    for _ in range(most_parts):
        part = begin()
        while not part.eof:
            if place >= len(packed):
                raise Damaged("it ends too soon")
            found.append(_next(part, packed[place : place + step]))
            size += len(found[-1])
            if most_bytes is not None and size > most_bytes:
                raise TooLarge(f"unpacked it is over the limit of {most_bytes} bytes")
            place += step
        place = min(place, len(packed)) - len(part.unused_data)
        if place == len(packed):
            return b"".join(found)
    raise Damaged(f"it is packed in more than {most_parts} parts")


def _next(part: Any, packed: bytes) -> bytes:
    try:
        unpacked: bytes = part.decompress(packed)
    except (zlib.error, zstandard.ZstdError):
        raise Damaged("it is damaged, or packed in another way") from None
    return unpacked
