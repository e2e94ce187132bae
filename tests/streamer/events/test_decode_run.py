"""A run of records is decoded as each of them would be alone, to the last reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.events.decoder import Decoded, Decoder, headers_of
from streamer.events.rejected import Rejected
from tests.streamer.samples import NOW, event

Headers = Sequence[tuple[str, bytes | None]]
GOOD: dict[str, Any] = {"id": "1", "source": "test", "time": "2026-11-22T12:00:00Z", "tenant": "acme"}
CLOUD = {"specversion": "1.0", "type": "t", "source": "s", "id": "2", "time": GOOD["time"], "data": {"input_tokens": 5}}
LITELLM = {
    "call_type": "acompletion",
    "startTime": 1795310972.0,
    "endTime": 1795310973.0,
    "metadata": {},
    "id": "3",
    "model": "gpt-4o",
    "prompt_tokens": 3,
    "status": "success",
}
BINARY = [("ce_specversion", b"1.0"), ("CE_type", b"t"), ("ce_source", b"s"), ("ce_id", b"outer")]
WORD = {"schema": "tidegate.feedback/1", "id": "4", "time": GOOD["time"], "tenant": "acme", "verdict": "mute"}
MOST = 2_000


@dataclass
class Record:
    """A record as Kafka carries it."""

    value: bytes | None
    headers: Headers = ()


CHANGES: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["id", "tenant", "time", "input_tokens", "cache_read_tokens", "cost_usd", "quantity", "kind"]),
    st.sampled_from(
        ["", None, -1, 7, "7", "NaN", "1970-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "tool", [], "x" * 300]
    ),
    max_size=2,
)
ITEMS = st.one_of(
    st.builds(lambda changes: GOOD | changes, CHANGES),
    st.builds(lambda changes: CLOUD | changes, CHANGES),
    st.builds(lambda changes: {**CLOUD, "tenant": "beta", "data": changes}, CHANGES),
    st.builds(lambda changes: LITELLM | changes, CHANGES),
    st.builds(lambda changes: WORD | changes, CHANGES),
    st.sampled_from(
        [{}, {"hello": "world"}, 7, None, "text", [], {**GOOD, "tool": '"specversion"'}, {**GOOD, "tags": WORD}]
    ),
)
VALUES = st.one_of(
    ITEMS.map(orjson.dumps),
    st.lists(ITEMS, max_size=4).map(orjson.dumps),
    st.lists(ITEMS, max_size=4).map(lambda items: b"\n".join(map(orjson.dumps, items))),
    st.binary(max_size=30),
    st.sampled_from(
        [b"", b"[]", b"  ", b"null", b'{"id": "\xff"}', b"[" * 1_000, b'{"a":' * 300, orjson.dumps(GOOD) + b"}"]
    ),
    # On both sides of the bound.
    st.integers(-2, 2).map(lambda more: orjson.dumps(GOOD).ljust(MOST + more)),
)
HEADERS: st.SearchStrategy[Headers] = st.sampled_from(
    [(), (), (), [], [("content-type", b"application/json")], BINARY, BINARY[:2], [("ce_id", b"\xff")], [("x", None)]]
)
RECORDS = st.lists(st.builds(Record, VALUES | st.none(), HEADERS), max_size=12)


def alone(decoder: Decoder, records: Sequence[Record]) -> list[tuple[int, Decoded]]:
    """What each record gives when it is decoded for itself."""
    return [
        (place, item)
        for place, record in enumerate(records)
        for item in decoder.decode(record.value or b"", NOW, headers_of(record.headers))
    ]


@settings(max_examples=250, deadline=None)
@given(RECORDS, st.sampled_from(["", "acme"]), st.booleans())
def test_a_run_gives_what_each_record_gives_alone(records: list[Record], tenant: str, feedback: bool) -> None:
    decoder = Decoder(max_record_bytes=MOST, default_tenant=tenant, feedback=feedback)
    together = list(decoder.decode_run(records, NOW))
    assert together == alone(decoder, records)
    assert {place for place, _ in together} == set(range(len(records)))


def test_every_format_can_follow_every_other() -> None:
    values = [orjson.dumps(GOOD), orjson.dumps([GOOD, GOOD]), orjson.dumps(CLOUD), orjson.dumps(LITELLM), b"nonsense"]
    records = [Record(value) for value in values] + [Record(b"{}", BINARY), Record(None), Record(b"x" * (MOST + 1))]
    decoder = Decoder(max_record_bytes=MOST, default_tenant="acme")
    together = list(decoder.decode_run(records, NOW))
    assert together == alone(decoder, records)
    reasons = [(place, item.reason if isinstance(item, Rejected) else item.id) for place, item in together]
    assert reasons == [
        (0, "1"),
        (1, "1"),
        (1, "1"),
        (2, "2"),
        (3, "3"),
        (4, "undecodable"),
        (5, "missing_time"),
        (6, "undecodable"),
        (7, "too_large"),
    ]


@pytest.mark.parametrize("now", [0.0, NOW, 1e18, float("inf")])
def test_the_bounds_of_time_are_the_same_in_a_run(now: float) -> None:
    """A replay knows no present: then only what no calendar holds is too far ahead."""
    times = ["1999-12-31T23:59:59Z", "2000-01-01T00:00:00Z", "2026-11-22T12:05:00Z", "9999-12-31T23:59:59-23:59"]
    records = [Record(orjson.dumps({**GOOD, "time": time})) for time in times]
    decoder = Decoder()
    together = list(decoder.decode_run(records, now))
    assert [item for _, item in together] == [item for r in records for item in decoder.decode(r.value or b"", now)]


def test_what_was_written_is_read_again_in_a_run() -> None:
    events = [event(n, n, input_tokens=n, tags={"n": str(n)}) for n in range(100)]
    records = [Record(msgspec.json.encode(one)) for one in events]
    assert list(Decoder().decode_run(records, NOW)) == list(enumerate(events))


def test_feedback_is_found_among_events_and_passes_for_none() -> None:
    quiet = {**GOOD, "tags": {"note": "tidegate.feedback"}}
    values = [orjson.dumps(one) for one in (GOOD, WORD, [GOOD, WORD], quiet, {**WORD, "schema": "tidegate.feedback/2"})]
    escaped = orjson.dumps(WORD).replace(b"feedback/1", b"feedback\\/1")
    records = [Record(value) for value in (*values, b"\n".join(values[:2]), escaped)]
    found = list(Decoder(feedback=True).decode_run(records, NOW))
    kinds = [(place, getattr(item, "reason", type(item).__name__)) for place, item in found]
    event, word = "UsageEvent", "Feedback"
    alone = [(0, event), (1, word), (2, event), (2, word), (3, event), (4, "unknown_format")]
    assert kinds == [*alone, (5, event), (5, word), (6, word)]
    refused = [item for _, item in Decoder().decode_run(records, NOW) if isinstance(item, Rejected)]
    assert [one.reason for one in refused] == ["unknown_format"] * 5


def test_names_of_headers_are_lowered_and_what_is_no_text_is_left_out() -> None:
    assert headers_of([("CE_Id", b"1"), ("x", b"\xff"), ("y", "ü".encode())]) == {"ce_id": "1", "y": "ü"}
    assert headers_of([]) == {}


def test_a_header_without_a_value_is_left_out() -> None:
    assert headers_of([("ce_id", None), ("x", b"1")]) == {"x": "1"}
