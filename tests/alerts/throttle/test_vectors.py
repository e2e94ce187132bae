"""The published vectors for gateways, held against the schemas and our own gateway."""

import json
from contextlib import suppress
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts.throttle.admission import Admission, Request
from alerts.throttle.command import Ack
from alerts.throttle.gateway import GatewayState

PUBLISHED = Path(__file__).parents[3] / "docs" / "schemas"
RECORDS: dict[str, list[dict[str, Any]]] = json.loads((PUBLISHED / "vectors" / "records.json").read_bytes())
SEQUENCES: list[dict[str, Any]] = json.loads((PUBLISHED / "vectors" / "sequences.json").read_bytes())
ACKS: dict[str, list[dict[str, Any]]] = json.loads((PUBLISHED / "vectors" / "acks.json").read_bytes())
NOW = datetime.fromisoformat("2026-11-22T10:00:00Z").timestamp()


def named(vectors: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("vector", vectors, ids=[vector["name"] for vector in vectors])


def value_of(vector: dict[str, Any]) -> bytes | None:
    return None if vector["value"] is None else vector["value"].encode()


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PUBLISHED / f"{name}.schema.json").read_bytes())
    return found


@named(RECORDS["valid"])
def test_a_valid_record_is_taken_in_and_keeps_to_the_schema(vector: dict[str, Any]) -> None:
    value = value_of(vector)
    command = GatewayState().apply(vector["key"], value, NOW)
    assert (command is None) == (value is None)
    if value:
        import_module("jsonschema").validate(json.loads(value), schema("throttle-command"))


@named(RECORDS["invalid"])
def test_an_invalid_record_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        GatewayState().apply(vector["key"], value_of(vector), NOW)


@named(SEQUENCES)
def test_a_gateway_decides_as_the_sequence_says(vector: dict[str, Any]) -> None:
    state = GatewayState(tolerance=30.0)
    admission = Admission(state)
    for place, step in enumerate(vector["steps"]):
        now = datetime.fromisoformat(step["at"]).timestamp()
        if "record" in step:
            _read(state, step["record"], now)
            continue
        decision = msgspec.json.encode(admission.decide(msgspec.convert(step["request"], Request), now))
        found = {"verdict": "allow", "allowed": True, **json.loads(decision)}
        assert found | step["expect"] == found, f"step {place}"
        assert found["allowed"] or found["reason"]


def _read(state: GatewayState, record: dict[str, Any], now: float) -> None:
    with suppress(msgspec.ValidationError):
        state.apply(record["key"], value_of(record), now)


@named(ACKS["valid"])
def test_a_valid_acknowledgement_is_taken(vector: dict[str, Any]) -> None:
    msgspec.json.decode(vector["value"], type=Ack)
    import_module("jsonschema").validate(json.loads(vector["value"]), schema("throttle-ack"))


@named(ACKS["invalid"])
def test_an_invalid_acknowledgement_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(vector["value"], type=Ack)
