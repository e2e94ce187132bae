"""The AsyncAPI 3.0 document of all topics: who writes what, under which key, by which schema."""

from typing import Any

from streamer.kafka.topics import COMPACTED, Topics

# What each topic carries: its records' schemas (none: any accepted format), its key, whether Tidegate writes it.
_CHANNELS: dict[str, tuple[tuple[str, ...], str, bool, str]] = {
    "raw": ((), "any", False, "Usage in any accepted format, one or many events a record"),
    "usage": (("usage-event", "feedback"), "tenant", True, "Canonical usage events, and people's feedback among them"),
    "rollups": (("rollup",), "series", True, "Closed windows but sessions': for showback, reconciliation, warehouses"),
    "session_rollups": (("rollup",), "series", True, "Closed windows of sessions: nine in ten of all"),
    "anomalies": (("anomaly",), "tenant", True, "What detectors said: opened, updated, closed"),
    "alerts": (("incident",), "incident", True, "The state of each incident; a tombstone when it is forgotten"),
    "throttle": (("throttle-command",), "scope", True, "Commands to gateways; a release, then a tombstone"),
    "acks": (("throttle-ack",), "scope", False, "What gateways did with commands"),
    "feedback": (("feedback",), "incident", False, "What people answer"),
    "budgets": (("budget-standing",), "series", True, "How each configured budget stands, with its projection"),
    "dead_letters": (("dead-letter",), "source topic", True, "What was rejected, with why and where it is from"),
}
_NOTHING = {"type": "object", "description": "any accepted format"}


def asyncapi(version: str) -> dict[str, Any]:
    """Give the document, for topics with the default prefix."""
    names = Topics.named("tidegate.")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tidegate",
            "version": version,
            "description": "What Tidegate reads from and writes to Kafka.",
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic, getattr(names, topic)) for topic in _CHANNELS},
        "operations": {topic: _operation(topic) for topic in _CHANNELS},
        "components": {"messages": _messages()},
    }


def _channel(topic: str, address: str) -> dict[str, Any]:
    records, key, _, description = _CHANNELS[topic]
    cleanup = ["compact"] if topic in COMPACTED else ["delete"]
    return {
        "address": address,
        "description": f"{description}. Keyed by {key}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in records or ("any",)},
        "bindings": {"kafka": {"topic": address, "topicConfiguration": {"cleanup.policy": cleanup}}},
    }


def _operation(topic: str) -> dict[str, Any]:
    """Say what Tidegate does with a topic: it sends what it writes, and receives what others do."""
    return {"action": "send" if _CHANNELS[topic][2] else "receive", "channel": {"$ref": f"#/channels/{topic}"}}


def _messages() -> dict[str, Any]:
    named = {name: key for records, key, _, _ in _CHANNELS.values() for name in records}
    messages = {name: _message(name, key, {"$ref": f"./{name}.schema.json"}) for name, key in sorted(named.items())}
    return {"any": _message("any", "any", _NOTHING), **messages}


def _message(name: str, key: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "payload": {"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": schema},
        "bindings": {"kafka": {"key": {"type": "string", "description": key}}},
    }
