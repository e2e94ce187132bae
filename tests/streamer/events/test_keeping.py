"""A dead letter holds the item that was rejected and nothing else: none of its neighbours, none of anybody's words."""

import gzip
from typing import Any

import orjson
import pytest

from streamer.events.decoder import Decoder
from streamer.events.keeping import kept
from streamer.events.rejected import Rejected
from tests.streamer.events.formats.test_otel import CHAT, request
from tests.streamer.samples import NOW

MARKER = "xyzzy-private-words"
BAD_CHAT = {**CHAT, "endTimeUnixNano": "0", "attributes": {**CHAT["attributes"], "tenant.id": "acme", "note": MARKER}}  # type: ignore[dict-item]


def letters(record: bytes, headers: dict[str, str] | None = None) -> list[bytes]:
    """What is kept of each item that is rejected."""
    found = Decoder(default_tenant="").decode(record, NOW, headers)
    return [kept(record, headers or {}, item) for item in found if isinstance(item, Rejected)]


def test_of_a_batch_of_spans_the_rejected_one_is_kept_alone() -> None:
    (letter,) = letters(request(CHAT, BAD_CHAT, CHAT))
    span = orjson.loads(letter)
    assert (span["spanId"], span["attributes"]["tenant.id"]) == (f"{2:016x}", "acme")
    assert span["attributes"]["gen_ai.usage.input_tokens"] == 5
    assert span["attributes"]["note"] == "[removed]"


def test_of_a_page_of_buckets_the_rejected_result_is_kept_alone() -> None:
    results = [{"project_id": "p", "model": "a"}, {"model": "b", "description": MARKER, "input_tokens": 3}]
    page = {"data": [{"start_time": 1795219200, "end_time": 1795222800, "results": results}]}
    (letter,) = letters(orjson.dumps(page))
    assert orjson.loads(letter) == {
        "start": 1795219200,
        "end": 1795222800,
        "model": "b",
        "description": "[removed]",
        "input_tokens": 3,
    }


@pytest.mark.parametrize(
    "item",
    [
        {"call_type": "acompletion", "startTime": "?", "id": "1", "some_future_field": MARKER, "prompt_tokens": 5},
        {"specversion": "1.0", "type": "t", "source": "s", "id": "1", "data": {"model": "m", "asked": [MARKER]}},
        {"schemaType": "ModelInvocationLog", "requestId": "1", "input": {"x": MARKER}, "trace": {"said": MARKER}},
        {"ChargePeriodStart": "?", "ChargeDescription": MARKER, "x_Prompt": MARKER, "BilledCost": 5},
        {"id": "1", "tenant": "acme", "question": MARKER, "tags": {"said": MARKER}},
        {"schema": "tidegate.feedback/1", "id": "1", "note": MARKER},
        {"hello": MARKER},
    ],
    ids=lambda item: next(iter(item)),
)
def test_texts_of_fields_that_nobody_knows_are_left_out(item: dict[str, Any]) -> None:
    (letter,) = letters(orjson.dumps(item))
    assert MARKER.encode() not in letter
    assert set(orjson.loads(letter)) == set(item)


@pytest.mark.parametrize(
    "record",
    [
        gzip.compress(MARKER.encode() * 3, mtime=0)[:-5],
        b"\x28\xb5\x2f\xfd" + MARKER.encode(),
        b"PAR1" + MARKER.encode(),
        b"\n\x80" + MARKER.encode(),
        b'{"resourceSpans": [{"a": {"key": "x", "value": {"stringValue": "' + MARKER.encode(),
        b'{"p\\u0072ompt": "' + MARKER.encode(),
        b'{"question": "say \\" ' + MARKER.encode() + b'", "n": 5',
        b'{"question: "' + MARKER.encode() + b'", "n": 5',
        b"Dear model, " + MARKER.encode(),
    ],
)
def test_of_what_cannot_be_read_no_words_are_kept(record: bytes) -> None:
    (letter,) = letters(record)
    assert MARKER.encode() not in letter


def test_of_a_broken_line_names_and_numbers_are_kept() -> None:
    lines = b'{"id": "1", "tenant": "a"}\n{"id": "2", "prompt": "' + MARKER.encode() + b'"\n{"id": "3", "tenant": "b"}'
    broken = b'{"id": "[removed]", "prompt": "[removed]"'
    assert letters(lines) == [b'{"id":"1","tenant":"a"}', broken, b'{"id":"3","tenant":"b"}']


def test_every_item_of_a_large_batch_is_soon_kept() -> None:
    """The record is read once, not once for each of its items."""
    batch = orjson.dumps([{"id": str(number), "tenant": "a", "session": "s"} for number in range(20_000)])
    assert len(letters(batch)) == 20_000
