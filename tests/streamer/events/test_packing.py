"""Records that come packed are taken whole, however they were packed, and never by halves."""

import gzip
from collections.abc import Callable
from typing import Any

import orjson
import pytest
import zstandard

from streamer.events.decoder import Decoded, Decoder
from streamer.events.keeping import kept
from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent
from tests.streamer.samples import NOW

LINE = {"id": "1", "time": "2026-11-22T10:00:00Z", "tenant": "acme"}
PACKERS: list[Callable[[bytes], bytes]] = [gzip.compress, zstandard.ZstdCompressor().compress]
pack_with = pytest.mark.parametrize("pack", PACKERS, ids=["gzip", "zstd"])


def decode(record: bytes, **settings: Any) -> list[Decoded]:
    return Decoder(**settings).decode(record, NOW)


def lines(count: int) -> bytes:
    return b"\n".join(orjson.dumps({**LINE, "id": str(number)}) for number in range(count))


@pack_with
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_record_that_is_cut_off_is_rejected_whole(pack: Callable[[bytes], bytes], share: float) -> None:
    packed = pack(lines(500))
    cut = packed[: int(len(packed) * share)]
    (item,) = decode(cut)
    assert isinstance(item, Rejected)
    assert item.reason == "undecodable"
    assert kept(cut, {}, item) == b""


@pack_with
def test_events_that_pack_well_are_all_taken(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(lines(20_000))
    assert len(packed) < 20_000 * 20
    assert sum(isinstance(item, UsageEvent) for item in decode(packed)) == 20_000


@pack_with
def test_an_object_put_together_of_many_records_is_one(pack: Callable[[bytes], bytes]) -> None:
    packed = b"".join(pack(orjson.dumps({**LINE, "id": str(number)}) + b"\n") for number in range(2000))
    assert sum(isinstance(item, UsageEvent) for item in decode(packed)) == 2000


@pack_with
@pytest.mark.parametrize("text", [b"{}\n" * 400_000, b"[" + b"0," * 400_000 + b"0]", b"tenant,id\n" + b",\n" * 400_000])
def test_more_items_than_can_be_events_are_too_large_packed_or_not(pack: Callable[[bytes], bytes], text: bytes) -> None:
    for record in (text, pack(text)):
        (item,) = decode(record)
        assert isinstance(item, Rejected)
        assert item.reason == "too_large"


def test_what_is_packed_more_than_once_is_one_record_that_is_none() -> None:
    (item,) = decode(gzip.compress(zstandard.ZstdCompressor().compress(lines(3))))
    assert item == Rejected("undecodable", "packed with gzip more than once")


@pytest.mark.parametrize(
    "text", [lines(1), b"[" + lines(1) + b"]", lines(2), b"id,time,tenant\n1,2026-11-22T10:00:00Z,acme"]
)
def test_the_mark_that_some_systems_begin_a_text_with_is_no_part_of_it(text: bytes) -> None:
    assert decode(b"\xef\xbb\xbf" + text) == decode(text)
    assert all(isinstance(item, UsageEvent) for item in decode(text))


def test_metrics_in_protobuf_are_one_record_that_is_none() -> None:
    (item,) = decode(
        b"\n\x8a\x01\n\x20\n\x1e\n\x0cservice.name\x12\x0e\n\x0cdemo\nagent\n" + b"\x12\x66\n\x05scope" * 9
    )
    assert isinstance(item, Rejected)
    assert item.reason == "undecodable"
