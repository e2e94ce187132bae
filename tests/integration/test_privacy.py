"""Words that stand in records of every format, whole and spoiled, are nowhere that Tidegate writes."""

import asyncio
import random
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaConsumer

from benchmarks.fuzz.seeds import MARKER, Seed, seeds
from benchmarks.fuzz.spoiling import spoil
from tests.brokers import Broker
from tests.integration.deployment import Deployment, Process
from tests.integration.events import usage

pytestmark = pytest.mark.integration
SPOILED = 60


def records() -> Iterator[Seed]:
    """Each format's golden records as they are, and others of which fields are spoiled that hold no words."""
    known, chance = seeds(), random.Random(7)
    yield from known
    bent = (spoil(known, chance) for _ in iter(int, 1))
    readable = (seed for seed, is_readable in bent if is_readable and MARKER in seed.record)
    yield from (next(readable) for _ in range(SPOILED))


def post(door: Process, body: bytes, headers: Mapping[str, str]) -> bytes:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"{door.url}/v1/events", data=body, headers=named)
    try:
        with urllib.request.urlopen(request) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return bytes(error.read()) + str(error.headers).encode()


async def written(deployment: Deployment) -> dict[str, bytes]:
    """All that is on the topics of a deployment, its changelogs among them, as it stands there."""
    found: dict[str, bytes] = {}
    async with AIOKafkaConsumer(bootstrap_servers=deployment.bootstrap, auto_offset_reset="earliest") as consumer:
        names = [name for name in await consumer.topics() if name.startswith(deployment.group)]
        consumer.subscribe(names)
        while (batch := await consumer.getmany(timeout_ms=3000)) or {tp.topic for tp in consumer.assignment()} < {
            *names
        }:
            for tp, of_tp in batch.items():
                kept = (part for r in of_tp for part in (r.key, r.value, *(value for _, value in r.headers)))
                found[tp.topic] = found.get(tp.topic, b"") + b"".join(part or b"" for part in kept)
    return found


def metrics(process: Process) -> bytes:
    with urllib.request.urlopen(f"{process.url}/metrics") as answer:
        return bytes(answer.read())


def test_no_planted_word_is_on_a_topic_in_a_log_a_metric_or_an_answer(broker: Broker, tmp_path: Path) -> None:
    deployment = Deployment(broker, tmp_path, EVENTS__MAX_FUTURE_SECONDS="864000000", LOG__LEVEL="debug")
    given = list(records())
    assert sum(MARKER in seed.record for seed in given) > SPOILED
    headers = [[(name, value.encode()) for name, value in seed.headers.items()] for seed in given]
    last = orjson.dumps({**usage(0), "id": "the-last-one"})
    with deployment.running("worker") as worker, deployment.running("ingest") as door:
        answers = b"".join(post(door, seed.record, seed.headers) for seed in given)
        carried = [("k", seed.record, header) for seed, header in zip(given, headers, strict=True)]
        deployment.produce(deployment.topics.raw, [*carried, ("k", last)])
        deployment.consume_until(
            lambda found: any(event["id"] == "the-last-one" for event in found[deployment.topics.usage]),
            deployment.topics.usage,
        )
        shown = metrics(worker) + metrics(door)
        topics = asyncio.run(written(deployment))
        logs = (worker.log + door.log).encode()
    assert MARKER in topics.pop(deployment.topics.raw)
    of_rollups = {deployment.topics.rollups, deployment.topics.session_rollups}
    assert {deployment.topics.usage, deployment.topics.dead_letters, *of_rollups} <= topics.keys()
    assert [name for name, text in topics.items() if MARKER in text] == []
    assert b"rejected" in answers
    assert b"tidegate_rejected_total" in shown
    for told in (answers, shown, logs):
        assert MARKER not in told
