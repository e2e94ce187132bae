"""Every payload there is says what its file says, in every mapped field; a file that nobody described fails.

What is expected is worked out in `payloads/` from the files alone, without the code under test.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

from streamer.events.decoder import Decoded, Decoder
from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent
from streamer.pricing.book import PriceBook
from streamer.pricing.money import FEMTODOLLARS
from tests.conftest import SHARED_DATA
from tests.streamer.events.formats.payloads import cloudevents, clouds, focus, litellm, otel
from tests.streamer.events.formats.payloads.told import HASHED, KEY, Expected, LeftOut, Refused, Told
from tests.streamer.samples import NOW

Reader = Callable[[Path], Sequence[Expected]]
FOLDER = SHARED_DATA / "payloads"
DAY = 86_400


def refused(*reasons: str) -> Reader:
    """What is no payload: each of its items, or lines, is refused for one of these reasons."""
    return lambda _: [Refused(reason) for reason in reasons]


# The first line whose pattern a file has says what is in it.
PAYLOADS: dict[str, Reader] = {
    "litellm/*/hook/events/*.json": litellm.expected,
    "litellm/*.headers.json": refused("unknown_format"),
    "litellm/*/hook/hook_results.json": refused("unknown_format"),
    "litellm/*/client_results.json": refused("wrong_type"),
    "litellm/*/hook/*.yaml": refused("undecodable"),
    "litellm/*.json": litellm.expected,
    "litellm/*.ndjson": litellm.expected,
    "otel/*/traces.headers.json": refused("unknown_format"),
    "otel/*/traces.*": otel.expected,
    "otel/*/metrics.*.json": refused("unknown_format"),
    "otel/*/metrics.pb": refused("undecodable"),
    "otel/ATTRIBUTES.txt": refused("undecodable"),
    "focus/*.csv": focus.expected,
    "focus/*.parquet": focus.expected,
    "focus/licences/*": refused("undecodable"),
    "focus/*/LICENSE.md": refused("undecodable"),
    "cloudevents/binary-nonascii.http.json": cloudevents.no_json,
    "cloudevents/*.http.json": cloudevents.message,
    "cloudevents/kafka-*.json": cloudevents.message,
    "cloudevents/structured-data_base64.json": cloudevents.no_object,
    "cloudevents/structured-text.json": cloudevents.no_object,
    "cloudevents/*.json": cloudevents.structured,
    "cloudevents/binary.body": refused("unknown_format"),  # nothing without its headers
    "other/anthropic_*_usage_report*.json": clouds.anthropic_usage,
    "other/anthropic_*_cost_report*.json": clouds.anthropic_costs,
    "other/openai_usage_*.json": clouds.openai_usage,
    "other/openai_costs*.json": clouds.openai_costs,
    "other/bedrock_model_invocation_log*.json": clouds.bedrock,
    "other/bedrock_converse_response*.json": clouds.no_log,
    "README.md": refused("undecodable"),
}
FILES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file())


def pattern_of(name: str) -> str:
    return next((pattern for pattern in PAYLOADS if fnmatch(name, pattern)), "")


@pytest.fixture(params=FILES or [None])
def name(request: pytest.FixtureRequest, payloads: Path) -> str:
    """Each file in turn; where there is none, whoever asks goes without."""
    assert payloads == FOLDER
    return str(request.param)


def message(name: str) -> tuple[bytes, Mapping[str, str]]:
    """The bytes and the headers that the file was sent as, as far as they are known."""
    path = FOLDER / name
    if fnmatch(name, "cloudevents/*.http.json") or fnmatch(name, "cloudevents/kafka-*.json"):
        descriptor = json.loads(path.read_text())
        return cloudevents.body_of(path, descriptor), descriptor["headers"]
    beside = path.with_name(f"{path.name.partition('.')[0]}.headers.json")
    if path == beside or not beside.is_file():
        return path.read_bytes(), {}
    sent = {key.lower(): value for key, value in json.loads(beside.read_text())["headers"]}
    # What was converted from another encoding is JSON now.
    return path.read_bytes(), sent if path.suffix == ".pb" else {"content-type": "application/json"}


@cache
def pairs(name: str) -> list[tuple[Expected, Decoded]]:
    """Each item that is expected of a file beside what is decoded."""
    record, headers = message(name)
    decoded = Decoder(hash_key=KEY, default_tenant="nobody").decode(record, NOW + DAY, headers)
    expected = PAYLOADS[pattern_of(name)](FOLDER / name)
    if isinstance(expected[0], Refused):
        expected = [expected[0]] * len(decoded)
    assert len(decoded) == len(expected)
    return list(zip(expected, decoded, strict=True))


def test_somebody_described_it(name: str) -> None:
    assert pattern_of(name), f"{name}: say in PAYLOADS what is to become of it"


def test_each_pattern_is_about_a_file(payloads: Path) -> None:
    assert payloads == FOLDER
    assert {pattern_of(name) for name in FILES} == set(PAYLOADS)


def test_every_field_of_every_event_is_what_the_file_says(name: str) -> None:
    for expected, item in pairs(name):
        if isinstance(expected, Told):
            assert isinstance(item, UsageEvent), item
            assert dict(fields(item)) == dict(fields(expected.event)) | ({"id": item.id} if is_hashed(expected) else {})
        else:
            assert outcome(item) == expected


def test_ids_name_what_the_record_is_about(name: str) -> None:
    events = [(expected, item) for expected, item in pairs(name) if isinstance(item, UsageEvent)]
    ids = [item.id for expected, item in events if isinstance(expected, Told) and is_hashed(expected)]
    assert all(len(one) == 32 and not set(one) - set("0123456789abcdef") for one in ids)
    assert len({(item.source, item.id) for _, item in events}) == len(events)


def test_costs_are_given_or_computed_as_the_file_and_the_public_prices_say(name: str) -> None:
    book = PriceBook()
    for expected, item in pairs(name):
        if isinstance(expected, Told) and isinstance(item, UsageEvent):
            femto, origin = book.cost(item)
            assert (origin, femto) == (expected.origin, round(expected.usd * FEMTODOLLARS)), item.model


def fields(event: UsageEvent) -> Iterator[tuple[str, object]]:
    return ((field, getattr(event, field)) for field in event.__struct_fields__)


def is_hashed(expected: Told) -> bool:
    return expected.event.id == HASHED


def outcome(item: Decoded) -> Expected | Decoded:
    if isinstance(item, Rejected):
        return Refused(item.reason)
    return LeftOut(item.cause) if not isinstance(item, UsageEvent) and hasattr(item, "cause") else item
