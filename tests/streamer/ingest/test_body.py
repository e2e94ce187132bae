"""A body is unpacked up to the limit and no further, however it is packed, and comes whole or not at all."""

import asyncio
import gzip
import resource
import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from streamer.ingest import body
from streamer.ingest.body import Patience, Room, unpacked
from streamer.ingest.refused import Refused

LIMIT = 100_000
PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstandard.compress}
MB = 1 << 20


@pytest.fixture(params=sorted(PACKERS))
def encoding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def refused(packed: bytes, encoding: str, limit: int = LIMIT) -> int:
    with pytest.raises(Refused) as told:
        unpacked(packed, encoding, limit)
    return told.value.status


@given(st.lists(st.binary(max_size=2000), max_size=5), st.sampled_from(sorted(PACKERS)))
def test_what_was_packed_comes_out_in_one_part_or_more(parts: list[bytes], encoding: str) -> None:
    packed = b"".join(PACKERS[encoding](part) for part in parts)
    if parts:
        assert unpacked(packed, encoding, LIMIT) == b"".join(parts)


@given(st.binary(min_size=1, max_size=3000), st.sampled_from(sorted(PACKERS)), st.data())
def test_what_was_cut_off_is_never_taken_for_the_whole(text: bytes, encoding: str, data: st.DataObject) -> None:
    packed = PACKERS[encoding](text)
    cut = data.draw(st.integers(0, len(packed) - 1))
    assert refused(packed[:cut], encoding) == 400


def test_the_limit_is_a_limit(encoding: str) -> None:
    pack = PACKERS[encoding]
    assert unpacked(pack(b"a" * LIMIT), encoding, LIMIT) == b"a" * LIMIT
    assert refused(pack(b"a" * (LIMIT + 1)), encoding) == 413
    assert refused(pack(b"a" * LIMIT) + pack(b"b"), encoding) == 413


def test_a_bomb_is_stopped_at_the_limit_while_it_is_unpacked(encoding: str) -> None:
    """What unpacks to many times the limit takes neither its memory nor its time."""
    packer: Any = zlib.compressobj(wbits=31) if encoding == "gzip" else zstandard.ZstdCompressor().compressobj()
    zeros = bytes(MB)
    bomb = b"".join(packer.compress(zeros) for _ in range(128)) + packer.flush()
    assert len(bomb) < MB
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    try:
        assert refused(bomb, encoding, 8 * MB) == 413
        assert tracemalloc.get_traced_memory()[1] < 40 * MB
    finally:
        tracemalloc.stop()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    assert time.process_time() - began < 2


def test_a_frame_that_asks_for_a_large_window_is_refused() -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    packed = packer.compress(b"a" * 1000) + packer.flush()
    assert refused(packed, "zstd") == 400


def test_a_body_of_very_many_parts_is_refused_before_it_costs(encoding: str) -> None:
    part = PACKERS[encoding](b"")
    assert unpacked(part * 100, encoding, LIMIT) == b""
    began = time.process_time()
    assert refused(part * (8 * MB // len(part)), encoding, 8 * MB) == 400
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "packed", [b"this is neither", gzip.compress(b"{}", mtime=0)[:-8] + b"damaged!", b"\x28\xb5\x2f\xfd"]
)
def test_what_cannot_be_unpacked_is_400(packed: bytes, encoding: str) -> None:
    assert refused(packed, encoding) == 400


def test_names_of_encodings_have_no_case() -> None:
    assert unpacked(gzip.compress(b"x"), " GZip ", LIMIT) == unpacked(b"x", "identity", LIMIT) == b"x"
    assert refused(b"x", "gzip, gzip") == 415


def test_room_is_given_back_whatever_happens() -> None:
    room = Room(10, 2)
    with room.hold() as held:
        held(10)
        with pytest.raises(Refused), room.hold() as other:
            other(1)
    with pytest.raises(ZeroDivisionError), room.hold() as held:
        held(7)
        _ = 1 / 0
    with room.hold() as one, room.hold() as two:
        one(5)
        two(5)
        with pytest.raises(Refused) as told, room.hold():
            pass
        assert told.value.status == 429
    assert body.Room(1, 1)._bytes == room._bytes == room._requests == 0


async def test_bodies_on_their_way_are_given_up_when_the_door_stops_and_later_ones_as_well() -> None:
    patience, under_way = Patience(3600), asyncio.Event()

    async def never_all() -> None:
        async with patience.lasts():
            under_way.set()
            await asyncio.Event().wait()

    reading = asyncio.create_task(never_all())
    await under_way.wait()
    patience.end()
    for given_up in (reading, never_all()):
        with pytest.raises(Refused) as told:
            await given_up
        assert (told.value.status, told.value.hang_up) == (503, True)
