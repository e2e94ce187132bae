"""Records of every format, in new spellings and old, become what stands beside them."""

from pathlib import Path

import pytest

from streamer.events.formats import FORMATS
from streamer.events.usage import UsageEvent
from tests.streamer.events.formats.golden import decode, expectation, lines, records

RECORDS = list(records())


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name)
def test_a_record_becomes_what_is_expected_of_it(path: Path) -> None:
    assert lines(decode(path.read_bytes())).decode() == expectation(path).read_text()


def test_every_format_has_golden_files() -> None:
    named = {path.name.partition("-")[0].partition(".")[0] for path in RECORDS}
    assert named == {known.name for known in FORMATS} | {"canonical"}


def test_equal_arguments_have_equal_hashes_whatever_they_come_in() -> None:
    """One search with the same argument: an answer of three APIs, an MCP call, a span's attribute, Bedrock's body."""
    events = [event for path in RECORDS for event in decode(path.read_bytes()) if isinstance(event, UsageEvent)]
    alone = [event for event in events if event.tool.startswith("search") and event.tool_calls == 1]
    hashes = {event.tool_args_hash for event in alone if event.tool_args_hash}
    assert {event.source for event in alone if event.tool_args_hash} >= {"litellm", "otel", "bedrock"}
    assert len(hashes) == 1
