"""The front door as a process of its own: what a gateway gets as an answer, and what then is on the topic."""

import gzip
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.brokers import Broker
from tests.integration.deployment import Deployment, Process
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
