"""Real input: whole traces, and what real clients send, through the worker."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from examples.trace_events import events_of
from streamer.config import Config
from streamer.replay.command import run as replay
from tests.brokers import Broker
from tests.integration.deployment import Deployment

pytestmark = pytest.mark.integration


def rollups_of(found: dict[str, list[Any]], topic: str) -> Iterator[dict[str, Any]]:
    return (rollup for rollup in found[topic] if rollup["level"] == "tenant")


def test_a_whole_trace_is_metered_live_as_it_is_by_replay(broker: Broker, shared_data: Path, tmp_path: Path) -> None:
    """All 8,819 requests of the Azure trace at full speed: live's totals are the trace's, and replay's to the cent.

    Windows that are closed by the events themselves are the same; the last ones are closed by silence or by the end.
    """
    events = list(events_of(shared_data / "traces" / "azure_llm_2023_code.csv"))
    deployment = Deployment(broker, tmp_path, WINDOWS__SIZE_SECONDS="10", WINDOWS__LATENESS_SECONDS="5")
    topic = deployment.topics.rollups
    tokens = sum(event["input_tokens"] + event["output_tokens"] for event in events)
    with deployment.running():
        deployment.produce(deployment.topics.usage, ((event["tenant"], orjson.dumps(event)) for event in events))
        found = deployment.consume_until(
            lambda found: sum(r["events"] for r in rollups_of(found, topic)) == len(events), topic
        )
    live = list(rollups_of(found, topic))
    assert sum(r["input_tokens"] + r["output_tokens"] for r in live) == tokens
    source = tmp_path / "azure.jsonl"
    source.write_bytes(b"\n".join(orjson.dumps(event) for event in events))
    list(replay([str(source)], Config(), tmp_path / "out"))
    summary = orjson.loads((tmp_path / "out" / "summary.json").read_bytes())
    assert sum(Decimal(r["usd"]) for r in live) == Decimal(summary["usd"])
    assert not any(r["late"] for r in live)


def test_what_litellm_really_sends_is_normalised_priced_and_metered(
    broker: Broker, shared_data: Path, tmp_path: Path
) -> None:
    """The proxy's batch of 36 events, as one record on the raw topic; no prompt of it is on any topic."""
    batch = (shared_data / "payloads" / "litellm" / "1.109.1" / "json_array_36events.json").read_bytes()
    payloads = orjson.loads(batch)
    deployment = Deployment(broker, tmp_path, EVENTS__MAX_FUTURE_SECONDS="864000000")
    topics = deployment.topics
    with deployment.running():
        deployment.produce(topics.raw, [("any", batch, [("content-type", b"application/json")])])
        found = deployment.consume_until(
            lambda found: sum(r["events"] for r in rollups_of(found, topics.rollups)) == len(payloads),
            topics.rollups,
            topics.usage,
        )
    total = Counter[str]()
    for rollup in rollups_of(found, topics.rollups):
        total.update({name: rollup[name] for name in ("input_tokens", "output_tokens", "errors")})
    assert total["input_tokens"] == sum(payload["prompt_tokens"] for payload in payloads)
    assert total["output_tokens"] == sum(payload["completion_tokens"] for payload in payloads)
    assert total["errors"] == sum(payload["status"] != "success" for payload in payloads)
    words = [m["content"] for p in payloads for m in p["messages"] or [] if isinstance(m, dict) and m.get("content")]
    everything = orjson.dumps(found[topics.usage]).decode()
    assert not any(word in everything for word in words if isinstance(word, str) and len(word) > 8)


def test_a_cloud_event_in_binary_mode_is_metered(broker: Broker, shared_data: Path, tmp_path: Path) -> None:
    """Headers carry the attributes, as the SDK's Kafka binding writes them; the tenant is the configured one."""
    sample = orjson.loads((shared_data / "payloads" / "cloudevents" / "kafka-binary.json").read_bytes())
    deployment = Deployment(broker, tmp_path, EVENTS__DEFAULT_TENANT="platform", EVENTS__MAX_FUTURE_SECONDS="864000000")
    headers = [(name, value.encode()) for name, value in sample["headers"].items()]
    with deployment.running():
        deployment.produce(deployment.topics.raw, [(sample["key"], sample["value"].encode(), headers)])
        found = deployment.consume_until(lambda found: bool(found[deployment.topics.usage]), deployment.topics.usage)
    (event,) = found[deployment.topics.usage]
    assert (event["id"], event["tenant"], event["input_tokens"]) == ("evt-0001", "platform", 1221)
