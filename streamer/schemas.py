"""Writes the JSON Schema of every public record, and the documents of the front door and of the topics.

They are made from the types in the code; `make schemas` calls it.
"""

import sys
from pathlib import Path
from typing import Any

import msgspec

from alerts.incident import Incident
from alerts.throttle.command import Ack, Command
from alerts.webhook.client import WebhookBody
from streamer.asyncapi import asyncapi
from streamer.events.usage import UsageEvent
from streamer.feedback import Feedback
from streamer.ingest import openapi
from streamer.kafka.dead_letters import DeadLetter
from streamer.records import Anomaly, BudgetStanding, Rollup
from streamer.replay.scorecards import Scorecard

#: The version of the records on the topics.
VERSION = "1"
_DIALECT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
RECORDS: dict[str, type[msgspec.Struct]] = {
    "usage-event": UsageEvent,
    "rollup": Rollup,
    "anomaly": Anomaly,
    "incident": Incident,
    "notification": WebhookBody,
    "budget-standing": BudgetStanding,
    "throttle-command": Command,
    "throttle-ack": Ack,
    "feedback": Feedback,
    "dead-letter": DeadLetter,
    "scorecard": Scorecard,
}


def schemas() -> dict[str, bytes]:
    """Give each record's schema (JSON Schema 2020-12), the OpenAPI and the AsyncAPI document, by file name."""
    found = {f"{name}.schema.json": _text({**_DIALECT, **msgspec.json.schema(of)}) for name, of in RECORDS.items()}
    return {**found, "openapi.json": _text(openapi.document()), "asyncapi.json": _text(asyncapi(VERSION))}


def write(folder: Path) -> None:
    """Write all schemas into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / name).write_bytes(text)


def _text(document: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document, order="deterministic")) + b"\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
