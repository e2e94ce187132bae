"""The front door as a process of its own: what a gateway gets as an answer, and what then is on the topic."""

import functools
import gzip
import json
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from streamer.demo.broker import EmbeddedBroker
from streamer.ingest import tokens
from tests.brokers import Broker
from tests.integration.deployment import Deployment, Process, until
from tests.integration.events import usage

pytestmark = pytest.mark.integration


@pytest.fixture
def deployment(broker: Broker, tmp_path: Path) -> Deployment:
    return Deployment(broker, tmp_path, INGEST__MAX_BODY_BYTES="100000")


def post(door: Process, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        f"{door.url}/v1/events", data=body, headers={"content-type": "application/json", **named}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"{}")


def test_what_was_answered_with_202_is_on_the_topic(deployment: Deployment) -> None:
    """One event, an array, NDJSON, gzip, and CloudEvents in binary mode."""
    one, two, three, four = (usage(n) for n in range(4))
    cloud = {name: value for name, value in usage(5).items() if name not in ("id", "source", "time")}
    attributes = {"ce_id": "c-5", "ce_source": "/agents/a%20b", "ce_type": "usage", "ce_specversion": "1.0"}
    with deployment.running("worker"), deployment.running("ingest") as door:
        assert post(door, orjson.dumps(one)) == (202, {"accepted": 1})
        assert post(door, orjson.dumps([two])) == (202, {"accepted": 1})
        lines = orjson.dumps(three) + b"\n" + orjson.dumps(four) + b"\n"
        assert post(door, gzip.compress(lines), content_encoding="gzip") == (202, {"accepted": 2})
        assert post(door, orjson.dumps(cloud), **attributes, ce_time=usage(5)["time"])[0] == 202
        found = deployment.consume_until(
            lambda found: len(found[deployment.topics.usage]) == 5, deployment.topics.usage
        )
    ids = {event["id"]: event.get("source") for event in found[deployment.topics.usage]}
    assert ids == {"event-0": "test", "event-1": "test", "event-2": "test", "event-3": "test", "c-5": "/agents/a b"}


def test_a_bad_item_is_named_and_the_good_ones_of_its_batch_are_taken(deployment: Deployment) -> None:
    """422 says which item failed and why."""
    batch = [usage(1), {**usage(2), "input_tokens": -1}, usage(3)]
    with deployment.running("worker"), deployment.running("ingest") as door:
        status, answer = post(door, orjson.dumps(batch))
        assert (status, answer["accepted"]) == (422, 2)
        assert [(bad["item"], bad["reason"]) for bad in answer["rejected"]] == [(1, "negative_count")]
        assert post(door, b"\xff")[1]["rejected"][0]["reason"] == "undecodable"
        assert post(door, b" " * 200_000)[0] == 413
        assert post(door, b"not gzip", content_encoding="gzip")[0] == 400
        assert door.metric("tidegate_ingest_requests_total", status="413") == 1
        assert door.terminate() == 0


def test_a_token_opens_the_door_for_its_tenants_and_is_in_no_log(embedded_broker: str, tmp_path: Path) -> None:
    """401 without one; of a batch the events of others are named, and the rest is on the topic."""
    token, kept = tokens.new(["acme"])
    deployment = Deployment(Broker("embedded", embedded_broker), tmp_path)
    given = {"INGEST__TOKENS": orjson.dumps([kept.model_dump()]).decode(), "LOG__LEVEL": "debug"}
    batch = zstandard.compress(orjson.dumps([usage(1, tenant="acme"), usage(2, tenant="beta")]))
    with deployment.running("ingest", **given) as door:
        assert post(door, orjson.dumps(usage(1)))[0] == 401
        status, answer = post(door, batch, content_encoding="zstd", authorization=f"Bearer {token}")
        assert (status, answer["accepted"], answer["rejected"][0]["reason"]) == (422, 1, "forbidden_tenant")
        assert post(door, b"{", authorization=f"Bearer {token}x")[0] == 401
        found = deployment.consume_until(lambda found: bool(found[deployment.topics.usage]), deployment.topics.usage)
        assert [event["tenant"] for event in found[deployment.topics.usage]] == ["acme"]
        assert door.terminate() == 0
    assert token.rpartition("_")[2] not in door.log


def test_without_kafka_senders_come_again_and_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    """Kafka is frozen under load: 503, then all that was sent again and acknowledged is there."""
    with EmbeddedBroker(tmp_path / "broker.log") as broker:
        deployment = Deployment(Broker("embedded", broker.bootstrap), tmp_path, INGEST__KAFKA_SECONDS="0.5")
        with deployment.running("ingest") as door:
            assert post(door, orjson.dumps(usage(0)))[0] == 202
            freeze(broker)
            refused = [post(door, orjson.dumps(usage(number)))[0] for number in (1, 2)]
            assert refused == [503, 503]
            assert status_of(f"{door.url}/readyz") == 503
            send(broker, signal.SIGCONT)
            wanted = {f"event-{number}" for number in range(3)}
            for body in map(orjson.dumps, (usage(1), usage(2))):
                until(functools.partial(is_taken, door, body), "Kafka to be back")
            assert status_of(f"{door.url}/readyz") == 200
            topic = deployment.topics.usage
            found = deployment.consume_until(lambda found: {e["id"] for e in found[topic]} >= wanted, topic)
            assert {event["id"] for event in found[topic]} == wanted


def is_taken(door: Process, body: bytes) -> bool:
    return post(door, body)[0] == 202


def freeze(broker: EmbeddedBroker) -> None:
    """Stop it and wait until each of its threads stands: sending the signal alone leaves it time for an answer."""
    send(broker, signal.SIGSTOP)
    assert broker._process
    os.waitid(os.P_PID, broker._process.pid, os.WSTOPPED)


def send(broker: EmbeddedBroker, number: signal.Signals) -> None:
    assert broker._process
    broker._process.send_signal(number)


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
