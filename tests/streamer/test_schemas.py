"""The published schemas are those of the types, and the contract's own example keeps to them."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from alerts.throttle.command import Command
from streamer.events.usage import UsageEvent
from streamer.kafka.topics import Topics
from streamer.records import Anomaly, Rollup
from streamer.schemas import RECORDS, schemas, write

PUBLISHED = Path(__file__).parents[2] / "docs" / "schemas"
# CONTRACTS.md: the throttle command.
COMMAND = {
    "schema": "tidegate.throttle/1",
    "id": "c1",
    "scope": {"tenant": "acme", "use_case": "support", "agent": "triage"},
    "action": "limit_rate",
    "params": {"requests_per_minute": 30},
    "mode": "enforce",
    "reason": {
        "incident": "i1",
        "detector": "loop",
        "text": "search_orders called 12 times with the same arguments in 40 s",
        "observed": 12,
        "expected": 1.4,
        "usd_per_hour": "18.20",
    },
    "issued_at": "2026-11-22T10:00:00Z",
    "expires_at": "2026-11-22T10:15:00Z",
    "generation": 3,
}
ACK = {"command": "c1", "gateway": "edge-1", "state": "applied", "at": "2026-11-22T10:00:01Z", "detail": "limited"}
FEEDBACK = {
    "schema": "tidegate.feedback/1",
    "id": "f1",
    "time": "2026-11-22T10:00:00Z",
    "verdict": "planned",
    "tenant": "acme",
    "scope": {"use_case": "support"},
    "until": "2026-11-22T18:00:00Z",
    "by": "ann",
}
EVENT = {"id": "1", "time": "2026-11-22T10:00:00Z", "tenant": "acme"}


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((PUBLISHED / f"{name}.schema.json").read_bytes())
    return found


def definition(name: str) -> dict[str, Any]:
    whole = schema(name)
    found: dict[str, Any] = whole["$defs"][whole["$ref"].removeprefix("#/$defs/")]
    return found


def test_the_published_schemas_are_current() -> None:
    """If not: `make schemas`."""
    assert {path.name: path.read_bytes() for path in PUBLISHED.glob("*.json")} == schemas()


def test_writing_them_makes_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "new" / "schemas")
    assert {path.name for path in (tmp_path / "new" / "schemas").iterdir()} == set(schemas())


@pytest.mark.parametrize(
    ("name", "example"),
    [("throttle-command", COMMAND), ("throttle-ack", ACK), ("usage-event", EVENT), ("feedback", FEEDBACK)],
)
def test_the_examples_of_the_contract_keep_to_their_schema(name: str, example: dict[str, Any]) -> None:
    known = definition(name)
    assert set(known["required"]) <= set(example) <= set(known["properties"])
    record = msgspec.convert(example, RECORDS[name])
    assert {**orjson.loads(msgspec.json.encode(record))}.items() >= example.items()
    if find_spec("jsonschema"):
        import_module("jsonschema").validate(example, schema(name))


def test_the_contracts_actions_and_modes_are_all_there_are() -> None:
    properties = definition("throttle-command")["properties"]
    actions = {"limit_rate", "cap_steps", "downgrade_model", "block_tool", "pause", "release"}
    assert set(properties["action"]["enum"]) == actions
    assert set(properties["mode"]["enum"]) == {"enforce", "suggest"}
    assert set(definition("throttle-ack")["properties"]["state"]["enum"]) == {"applied", "refused", "released"}


def test_the_contracts_verdicts_are_all_there_are() -> None:
    verdicts = {"acknowledge", "expected", "planned", "false_alarm", "mute", "throttle", "release"}
    assert set(definition("feedback")["properties"]["verdict"]["enum"]) == verdicts


def test_of_a_usage_event_only_three_fields_are_required() -> None:
    assert set(definition("usage-event")["required"]) == {"id", "time", "tenant"}


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_every_schema_names_its_dialect_and_every_field(name: str) -> None:
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(definition(name)["properties"]) == set(RECORDS[name].__struct_encode_fields__)


def test_the_document_of_the_topics_names_all_of_them_and_leads_to_schemas_that_are_there() -> None:
    document: dict[str, Any] = orjson.loads((PUBLISHED / "asyncapi.json").read_bytes())
    topics = Topics.named("tidegate.")
    assert document["asyncapi"] == "3.0.0"
    assert {channel["address"] for channel in document["channels"].values()} == set(msgspec.structs.astuple(topics))
    assert {operation["channel"]["$ref"] for operation in document["operations"].values()} == {
        f"#/channels/{name}" for name in document["channels"]
    }
    messages = document["components"]["messages"]
    for channel in document["channels"].values():
        for name, message in channel["messages"].items():
            assert message["$ref"] == f"#/components/messages/{name}"
            assert name in messages
    named = {message["payload"]["schema"].get("$ref") for name, message in messages.items() if name != "any"}
    # Notifications go to webhooks and scorecards into files, neither to a topic.
    assert named == {f"./{name}.schema.json" for name in RECORDS if name not in ("notification", "scorecard")}
    compacted = {
        name
        for name, channel in document["channels"].items()
        if channel["bindings"]["kafka"]["topicConfiguration"]["cleanup.policy"] == ["compact"]
    }
    assert compacted == {"alerts", "throttle", "budgets"}


def test_the_records_of_all_topics_have_a_schema() -> None:
    assert {UsageEvent, Rollup, Anomaly, Command} <= set(RECORDS.values())
