"""What somebody wrote or was answered is in no event, no reason and no dead letter."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.events.decoder import Decoder
from streamer.events.redact import PRIVATE, redact
from streamer.events.rejected import Rejected
from tests.streamer.samples import NOW

MARKER = "xyzzy-private-words"
SINGLE = "litellm/1.109.1/single"
# Parts of a LiteLLM payload that hold somebody's words, or a gateway's errors about them.
PLACES = ("messages", "response", "error_str", "error_information")


def marked(value: Any) -> Any:
    """The same shape with every text replaced by the marker."""
    if isinstance(value, dict):
        return {key: marked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [marked(inner) for inner in value]
    return MARKER if isinstance(value, str) else value


def planted(payload: dict[str, Any]) -> bytes:
    """The payload with the marker in each private place, tool arguments of both kinds among them."""
    words = {place: marked(payload.get(place)) or {"content": MARKER} for place in PLACES}
    call = {"name": "search", "arguments": {"query": MARKER}, "result": MARKER}
    metadata = {**payload["metadata"], "mcp_tool_call_metadata": call}
    tool = {"function": {"name": "search", "arguments": f'{{"q": "{MARKER}"}}'}}
    answer = {"choices": [{"message": {"content": MARKER, "tool_calls": [tool]}}]}
    return orjson.dumps({**payload, **words, "metadata": metadata, "response": answer, "messages": MARKER})


def samples(payloads: Path) -> Iterator[bytes]:
    for path in sorted((payloads / SINGLE).glob("*.json")):
        if not path.name.endswith(".headers.json"):
            yield planted(orjson.loads(path.read_bytes()))


def told(record: bytes) -> str:
    """All that leaves the front door of a record."""
    results = Decoder(hash_key="k", default_tenant="acme").decode(record, NOW)
    rejections = [result.detail for result in results if isinstance(result, Rejected)]
    return msgspec.json.encode([results, rejections]).decode() + redact(record).decode("utf-8", "replace")


def test_no_word_of_a_payload_gets_through(payloads: Path) -> None:
    for record in samples(payloads):
        assert MARKER.encode() in record
        assert MARKER not in told(record)


def test_no_word_of_a_rejected_payload_gets_through(payloads: Path) -> None:
    for record in samples(payloads):
        broken = orjson.dumps({**orjson.loads(record), "id": "", "prompt_tokens": "many", "litellm_call_id": ""})
        assert isinstance(Decoder().decode(broken, NOW)[0], Rejected)
        assert MARKER not in told(broken)


def test_no_word_of_a_truncated_payload_gets_through(payloads: Path) -> None:
    for record in samples(payloads):
        for cut in {0, len(record) - 1, len(record) // 2, record.rfind(MARKER.encode()) + len(MARKER)}:
            assert MARKER not in told(record[:cut])


def test_no_word_of_lines_one_of_them_broken_gets_through(payloads: Path) -> None:
    record = b"\n".join([*samples(payloads), b'{"id": '])
    assert MARKER not in told(record)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(sorted(PRIVATE)))
def test_a_private_value_at_any_depth_and_cut_anywhere_is_gone(data: st.DataObject, name: str) -> None:
    value: Any = {name: data.draw(st.sampled_from([MARKER, [MARKER], {"a": MARKER}]))}
    for step in data.draw(st.lists(st.sampled_from(["metadata", "[]", "x"]), max_size=5)):
        value = [value] if step == "[]" else {"id": "1", step: value}
    record = orjson.dumps(value, option=data.draw(st.sampled_from([0, orjson.OPT_INDENT_2])))
    cut = data.draw(st.integers(0, len(record)))
    assert MARKER.encode() not in redact(record)
    assert MARKER.encode() not in redact(record[:cut])


def test_private_names_are_names() -> None:
    assert all(name.isidentifier() for name in PRIVATE)
    assert {"headers", "system_instructions"} <= PRIVATE


@pytest.mark.parametrize("field", ["data", "data_base64"])
def test_text_and_bytes_as_data_of_a_cloudevent_are_removed(field: str) -> None:
    record = orjson.dumps({"specversion": "1.0", "type": "t", "source": "s", "id": "1", field: MARKER})
    assert MARKER not in told(record)
    assert MARKER not in told(record[:-2])


def test_what_is_not_private_is_kept() -> None:
    kept = b'{"id":"1","data":{"tokens":5},"tags":["a"]}'
    assert redact(kept) == kept
    assert redact(b"no json at all") == b"no json at all"


@pytest.mark.parametrize("depth", [200, 300, 900, 100_000])
def test_nesting_of_any_depth_is_redacted(depth: int) -> None:
    opened = b'{"a":' * depth + b'{"messages": "' + MARKER.encode() + b'"}'
    assert MARKER.encode() not in redact(opened + b"}" * depth)
    assert MARKER.encode() not in redact(opened)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_can_be_redacted(record: bytes) -> None:
    assert isinstance(redact(record), bytes)
