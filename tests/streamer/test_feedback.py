"""The record of feedback: what it may say, and why one is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import orjson
import pytest

from streamer.events.rejected import Rejected
from streamer.feedback import VERDICTS, Feedback, addressed, feedback_of
from streamer.records import Scope
from tests.streamer.samples import NOON

LATEST = NOON + timedelta(seconds=300)
GOOD: dict[str, Any] = {
    "schema": "tidegate.feedback/1",
    "id": "f1",
    "time": "2026-11-22T12:00:00Z",
    "tenant": "acme",
    "verdict": "false_alarm",
    "series": "tenant=acme#requests",
}
PLAN = {**GOOD, "verdict": "planned", "series": "", "until": "2026-11-22T13:00:00Z"}


def made(**changes: Any) -> Feedback | Rejected:
    return feedback_of({**GOOD, **changes}, LATEST)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


def test_a_good_record_holds_what_it_says() -> None:
    found = feedback_of({**PLAN, "scope": {"use_case": "support"}, "by": "ann"}, LATEST)
    assert isinstance(found, Feedback)
    assert (found.verdict, found.scope, found.by) == ("planned", Scope("support"), "ann")
    assert found.until == datetime(2026, 11, 22, 13, tzinfo=UTC)


def test_what_was_written_is_read_again() -> None:
    found = made()
    assert isinstance(found, Feedback)
    written = msgspec.json.encode(found)
    assert orjson.loads(written)["schema"] == "tidegate.feedback/1"
    assert feedback_of(orjson.loads(written), LATEST) == found


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_of_the_contract_is_known(verdict: str) -> None:
    assert isinstance(made(verdict=verdict, until="2026-11-22T13:00:00Z"), Feedback)


@pytest.mark.parametrize(
    ("fields", "reason", "words"),
    [
        ({**GOOD, "schema": "tidegate.feedback/2"}, "unknown_format", "another version"),
        (without("schema"), "unknown_format", "another version"),
        (without("id"), "missing_id", "id"),
        (without("time"), "missing_time", "time"),
        (without("verdict"), "missing_field", "verdict"),
        (without("tenant"), "missing_tenant", "or an incident"),
        (without("series"), "missing_field", "names a series"),
        ({**without("series"), "scope": {"use_case": "u"}}, "missing_field", "names a series"),
        ({**GOOD, "verdict": "maybe"}, "wrong_type", "value removed"),
        ({**GOOD, "time": "2026-11-22T12:00:00"}, "impossible_time", "timezone"),
        ({**GOOD, "time": "2026-11-22T12:05:01Z"}, "impossible_time", "out of bounds"),
        ({**GOOD, "time": "1999-01-01T00:00:00Z"}, "impossible_time", "out of bounds"),
        ({**PLAN, "until": None}, "missing_field", "until when"),
        ({**PLAN, "until": PLAN["time"]}, "impossible_time", "not after"),
        ({**GOOD, "until": "2026-11-22T11:00:00Z"}, "impossible_time", "not after"),
        ({**PLAN, "scope": {"agent": "x" * 257}}, "wrong_type", "more than 256"),
        ({**PLAN, "tenant": "", "scope": {"agent": "a"}, "incident": "i"}, "missing_tenant", "no series or scope"),
    ],
)
def test_a_record_that_cannot_be_used_is_refused_with_its_reason(
    fields: dict[str, Any], reason: str, words: str
) -> None:
    found = feedback_of(fields, LATEST, 3)
    assert isinstance(found, Rejected)
    assert (found.reason, found.item) == (reason, 3)
    assert words in found.detail
    assert "maybe" not in found.detail


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({**GOOD, "tenant": "", "series": "", "incident": "i"}, "missing_tenant"),
        ({**GOOD, "series": "", "incident": "i"}, "missing_field"),
    ],
)
def test_among_usage_events_nobody_looks_an_incident_up(fields: dict[str, Any], reason: str) -> None:
    found = feedback_of(fields, LATEST)
    assert isinstance(found, Feedback)
    refused = addressed(found)
    assert isinstance(refused, Rejected)
    assert refused.reason == reason


def test_a_record_that_names_tenant_and_case_is_addressed() -> None:
    found = made()
    assert addressed(found) == found
    refused = Rejected("failed", "x")
    assert addressed(refused) == refused
