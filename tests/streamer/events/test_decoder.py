"""Whatever a record holds, the decoder gives events and named reasons, and never raises."""

import math
from decimal import Decimal
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.events.decoder import Decoded, Decoder
from streamer.events.rejected import Reason, Rejected
from streamer.events.usage import UsageEvent
from tests.streamer.samples import NOW, event

GOOD: dict[str, Any] = {"id": "1", "source": "test", "time": "2026-11-22T12:00:00Z", "tenant": "acme"}
FOREIGN_FIELDS = (
    *("data", "data_base64", "specversion", "endTime", "metadata", "response", "request_tags"),
    *("response_cost", "prompt_tokens", "custom_llm_provider", "cache_hit"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def decode(record: bytes | Any, headers: dict[str, str] | None = None) -> list[Decoded]:
    body = record if isinstance(record, bytes) else orjson.dumps(record)
    return Decoder(default_tenant="acme").decode(body, NOW, headers)


def rejected(record: bytes | Any) -> Rejected:
    """The one rejection that a record leads to."""
    (result,) = decode(record)
    assert isinstance(result, Rejected), result
    return result


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


def test_a_canonical_event_is_taken_as_it_is() -> None:
    assert decode(GOOD) == [event()]


def test_what_is_written_is_read_again() -> None:
    rich = event(kind="tool", tool="t", tags={"team": "x"}, cost_usd=Decimal("0.1"), quantity=Decimal("2.5"), unit="h")
    assert decode(msgspec.json.encode(rich)) == [rich]


def test_arrays_and_lines_hold_many_events() -> None:
    two = [{**GOOD, "id": "1"}, {**GOOD, "id": "2"}]
    lines = b"\n\n".join(orjson.dumps(item) for item in two) + b"\r\n"
    assert decode(two) == decode(lines) == [event(1), event(2)]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"", "undecodable"),
        (b"   ", "undecodable"),
        (b"[]", "undecodable"),
        (b"\xff\xfe\x00", "undecodable"),
        (b'{"id": "\xff"}', "undecodable"),
        (b'{"id": "1"', "undecodable"),
        (b"[" * 100_000, "undecodable"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "undecodable"),
        (b'{"id": "1", "time": "2026-11-22T12:00:00Z", "tenant": "a", "cost_usd": NaN}', "undecodable"),
        (b'{"id": "1", "time": "2026-11-22T12:00:00Z", "tenant": "a", "cost_usd": Infinity}', "undecodable"),
        (b"null", "wrong_type"),
        (b"5", "wrong_type"),
        (b'"text"', "wrong_type"),
        ({}, "unknown_format"),
        ({"hello": "world"}, "unknown_format"),
        (without("id"), "missing_id"),
        (without("tenant"), "missing_tenant"),
        (without("time"), "missing_time"),
        ({**GOOD, "id": ""}, "missing_id"),
        ({**GOOD, "id": None}, "missing_id"),
        ({**GOOD, "tenant": ""}, "missing_tenant"),
        ({**GOOD, "time": None}, "missing_time"),
        ({**GOOD, "id": 7}, "wrong_type"),
        ({**GOOD, "input_tokens": "7"}, "wrong_type"),
        ({**GOOD, "input_tokens": 7.5}, "wrong_type"),
        ({**GOOD, "input_tokens": True}, "wrong_type"),
        ({**GOOD, "tags": ["a"]}, "wrong_type"),
        ({**GOOD, "kind": "party"}, "wrong_type"),
        ({**GOOD, "status": "meh"}, "wrong_type"),
        ({**GOOD, "use_case": "x" * 257}, "wrong_type"),
        ({**GOOD, "input_tokens": -1}, "negative_count"),
        ({**GOOD, "quantity": "-1"}, "negative_count"),
        ({**GOOD, "quantity": "NaN"}, "negative_count"),
        ({**GOOD, "input_tokens": 2**53 + 1}, "impossible_count"),
        ({**GOOD, "input_tokens": 2**63}, "impossible_count"),
        ({**GOOD, "input_tokens": 5, "cache_read_tokens": 6}, "impossible_count"),
        ({**GOOD, "input_tokens": 5, "cache_read_tokens": 3, "cache_write_tokens": 3}, "impossible_count"),
        ({**GOOD, "cost_usd": "NaN"}, "wrong_type"),
        ({**GOOD, "cost_usd": "sNaN"}, "wrong_type"),
        ({**GOOD, "cost_usd": "-Infinity"}, "wrong_type"),
        ({**GOOD, "cost_usd": "1e12"}, "wrong_type"),
        ({**GOOD, "cost_usd": "1e9999999"}, "wrong_type"),
        ({**GOOD, "cost_usd": "-1e9999999"}, "wrong_type"),
        (b'{"id": "1", "time": "2026-11-22T12:00:00Z", "tenant": "a", "cost_usd": 1e400}', "wrong_type"),
        ({**GOOD, "cost_usd": "a lot"}, "wrong_type"),
        ({**GOOD, "time": "yesterday"}, "impossible_time"),
        ({**GOOD, "time": "2026-11-22T12:00:00"}, "impossible_time"),
        ({**GOOD, "time": "2026-02-30T12:00:00Z"}, "impossible_time"),
        ({**GOOD, "time": "1970-01-01T00:00:00Z"}, "impossible_time"),
        ({**GOOD, "time": "0001-01-01T00:00:00+23:59"}, "impossible_time"),
        ({**GOOD, "time": "9999-12-31T23:59:59Z"}, "impossible_time"),
        ({**GOOD, "time": 1795348800}, "wrong_type"),
    ],
    ids=repr,
)
def test_bad_input_has_a_named_reason(record: bytes | Any, reason: Reason) -> None:
    assert rejected(record).reason == reason


def test_a_clock_may_run_ahead_as_far_as_is_allowed_and_no_further() -> None:
    decoder = Decoder(max_future_seconds=60)
    record = orjson.dumps(GOOD)
    assert decoder.decode(record, NOW - 60) == [event()]
    (late,) = decoder.decode(record, NOW - 61)
    assert isinstance(late, Rejected)
    assert late.reason == "impossible_time"


def test_a_record_over_the_bound_is_not_decoded() -> None:
    record = orjson.dumps(GOOD)
    assert Decoder(max_record_bytes=len(record)).decode(record, NOW) == [event()]
    (result,) = Decoder(max_record_bytes=len(record) - 1).decode(record, NOW)
    assert isinstance(result, Rejected)
    assert result.reason == "too_large"


def test_a_bad_item_in_a_batch_leaves_the_good_ones() -> None:
    batch = [{**GOOD, "id": "1"}, {**GOOD, "id": "2", "input_tokens": -1}, 7, {**GOOD, "id": "3"}]
    first, second, third, last = decode(batch)
    assert (first, last) == (event(1), event(3))
    assert isinstance(second, Rejected)
    assert isinstance(third, Rejected)
    assert (second.reason, second.item, third.reason, third.item) == ("negative_count", 1, "wrong_type", 2)


def test_a_broken_line_leaves_the_other_lines() -> None:
    lines = [orjson.dumps({**GOOD, "id": "1"}), b'{"id": "2', orjson.dumps({**GOOD, "id": "3"})]
    first, broken, last = decode(b"\n".join(lines))
    assert (first, last) == (event(1), event(3))
    assert isinstance(broken, Rejected)
    assert (broken.reason, broken.item) == ("undecodable", 1)


def test_formats_can_be_mixed_in_one_record() -> None:
    cloud = {"specversion": "1.0", "type": "t", "source": "test", "id": "2", "time": GOOD["time"], "data": {}}
    assert decode([GOOD, cloud]) == [event(1), event(2, requests=1)]


@pytest.mark.parametrize("quotes", ["it's", 'say "so"', """it's "so" """, "two\nlines' more", "' - at `$.id`"])
@pytest.mark.parametrize("field", ["kind", "status"])
def test_a_reason_never_repeats_a_value(field: str, quotes: str) -> None:
    found = rejected({**GOOD, field: f"{quotes} marker {quotes}"})
    assert found.reason == "wrong_type"
    assert "marker" not in found.detail
    assert f"$.{field}" in found.detail


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_at_least_one_answer(record: bytes) -> None:
    assert decode(record)


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_any_json_gives_at_least_one_answer(value: Any) -> None:
    assert decode(orjson.dumps(value))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        [
            GOOD,
            {"specversion": "1.0", "type": "t", "source": "s", "id": "1", "time": GOOD["time"], "data": {}},
            {"call_type": "acompletion", "startTime": 1795310972.0, "endTime": 1795310973.0, "metadata": {}, "id": "1"},
        ]
    ),
    st.dictionaries(
        st.sampled_from([*UsageEvent.__struct_fields__, *FOREIGN_FIELDS]),
        JSON,
        max_size=4,
    ),
)
def test_any_value_in_any_field_of_any_format_gives_an_answer(known: dict[str, Any], changes: dict[str, Any]) -> None:
    assert decode(orjson.dumps({**known, **changes}))


@settings(max_examples=150, deadline=None)
@given(st.decimals(), st.decimals())
def test_money_that_is_let_in_is_finite_and_bounded(cost: Decimal, quantity: Decimal) -> None:
    (result,) = decode({**GOOD, "cost_usd": str(cost), "quantity": str(quantity)})
    if isinstance(result, UsageEvent):
        assert result.cost_usd is not None
        assert math.isfinite(result.cost_usd)
        assert abs(result.cost_usd) < 10**12
        assert 0 <= result.quantity < 10**12


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=20), st.binary(max_size=10).map(repr), max_size=4))
def test_any_headers_give_an_answer(headers: dict[str, str]) -> None:
    assert decode(GOOD, {f"ce_{name}": value for name, value in headers.items()})
