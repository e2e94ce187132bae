"""From the event that proves a loop to the anomaly, the throttle command and the first call that a gateway refuses.

`python -m benchmarks.latency`. Half the load that the worker can take runs beside it. The clock starts when the broker
appends the sixth identical call and stops when a consumer that reads committed records only has what came of it, and
when a gateway's client, which the session asks every few milliseconds, first says no.
"""

import argparse
import asyncio
import time
from dataclasses import dataclass, field
from random import Random
from statistics import quantiles
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from alerts.throttle.admission import Request
from benchmarks import processes, results, topics
from benchmarks.live import settled
from streamer.config import GatewayConfig, KafkaConfig
from streamer.demo.traffic import rfc3339
from streamer.gateway.client import GatewayClient

_SAMPLES = 100
_GAP = (0.2, 0.4)
_REPEATS = 6
# The first windows of all tenants close within this. Their series are new then, at the same moment for all: once.
_WARM_UP = 20.0
_PATIENCE, _LONG = 10.0, 120.0
_ASK_EVERY = 0.005
_POLICIES = '[{"kind":"loop","scope":"session","action":"pause","mode":"enforce","expires_seconds":60}]'


@dataclass
class Seen:
    """When the proof of each tenant's loop was appended, and when what came of it was there (epoch seconds)."""

    proved: dict[str, float] = field(default_factory=dict)
    anomalies: dict[str, float] = field(default_factory=dict)
    throttle: dict[str, float] = field(default_factory=dict)
    refusal: dict[str, float] = field(default_factory=dict)

    def complete(self) -> bool:
        """Tell whether nothing is missing."""
        return all(self.proved.keys() <= came.keys() for came in (self.anomalies, self.throttle, self.refusal))

    def milliseconds(self, arrived: dict[str, float]) -> list[float]:
        """How long each took that arrived."""
        return [(arrived[tenant] - at) * 1000 for tenant, at in self.proved.items() if tenant in arrived]


async def _follow(consumer: AIOKafkaConsumer, anomalies: str, seen: Seen) -> None:
    async for record in consumer:
        if record.value is not None:
            item = msgspec.json.decode(record.value)
            if record.topic == anomalies:
                seen.anomalies.setdefault(item["tenant"], time.time())
            else:
                seen.throttle.setdefault(item["scope"]["tenant"], time.time())


async def _probe(producer: AIOKafkaProducer, gateway: GatewayClient, topic: str, tenant: str, seen: Seen) -> None:
    for number in range(_REPEATS - 1):
        await producer.send(topic, _call(tenant, number), tenant.encode())
    await asyncio.sleep(1)
    sent = await producer.send_and_wait(topic, _call(tenant, _REPEATS), tenant.encode())
    seen.proved[tenant] = sent.timestamp / 1000
    asked = Request(tenant=tenant, session=f"{tenant}-1")
    waited = time.monotonic()
    while gateway.decide(asked).allowed and time.monotonic() - waited < _PATIENCE:
        await asyncio.sleep(_ASK_EVERY)
    if not gateway.decide(asked).allowed:
        seen.refusal[tenant] = time.time()


def _call(tenant: str, number: int) -> bytes:
    call = {"tenant": tenant, "session": f"{tenant}-1", "id": f"{tenant}-{number}", "time": rfc3339(time.time())}
    same = {"agent": "probe", "kind": "tool", "tool": "search", "tool_args_hash": "aa", "tool_calls": 1}
    return msgspec.json.encode({**call, **same, "cost_usd": "0.01"})


async def _probes(bootstrap: str, prefix: str, seen: Seen) -> None:
    followed = f"{prefix}anomalies", f"{prefix}throttle"
    random = Random(1)
    async with (
        topics.reader(bootstrap, *followed, since="latest") as consumer,
        AIOKafkaProducer(bootstrap_servers=bootstrap) as producer,
    ):
        await consumer.seek_to_end(*(TopicPartition(topic, 0) for topic in followed))
        following = asyncio.create_task(_follow(consumer, followed[0], seen))
        gateway = GatewayClient(KafkaConfig(bootstrap=bootstrap, topic_prefix=prefix), GatewayConfig(name="bench"))
        obeying = asyncio.create_task(gateway.run())
        await gateway.caught_up.wait()
        async with asyncio.TaskGroup() as probes:
            for number in range(_SAMPLES):
                probes.create_task(_probe(producer, gateway, f"{prefix}usage", f"probe-{number}", seen))
                await asyncio.sleep(random.uniform(*_GAP))
        waited = time.monotonic()
        while not seen.complete() and time.monotonic() - waited < _PATIENCE:
            await asyncio.sleep(0.1)
        following.cancel()
        obeying.cancel()


async def _appended(bootstrap: str, topic: str) -> int:
    async with topics.reader(bootstrap) as consumer:
        ends = await consumer.end_offsets([TopicPartition(topic, n) for n in range(topics.PARTITIONS)])
        return int(sum(ends.values()))


async def flowing(bootstrap: str, topic: str) -> None:
    """Wait for the load: it makes its events first, which takes as long as the machine's other work leaves it."""
    async with asyncio.timeout(_LONG):
        while not await _appended(bootstrap, topic):
            await asyncio.sleep(0.5)


async def _run(bootstrap: str, prefix: str, rate: float) -> dict[str, Any]:
    await topics.make(bootstrap, f"{prefix}usage", f"{prefix}rollups")
    seen, usage = Seen(), f"{prefix}usage"
    settings = {"THROTTLE__POLICIES": _POLICIES, "THROTTLE__MAX_LIVE": "10000"}
    with processes.worker(bootstrap, prefix, **settings) as worker:
        await settled([worker])
        with processes.module("benchmarks.load", bootstrap, usage, str(rate)):
            await flowing(bootstrap, usage)
            await asyncio.sleep(_WARM_UP)
            began, before = time.monotonic(), await _appended(bootstrap, usage)
            await _probes(bootstrap, prefix, seen)
            ran = (await _appended(bootstrap, usage) - before) / (time.monotonic() - began)
    await topics.drop(bootstrap, prefix)
    return figures(seen, ran)


def figures(seen: Seen, ran: float) -> dict[str, Any]:
    """Give p50 and p99 of all three ways, and what they were measured with."""
    said: dict[str, Any] = {"latency.background_events_per_second": ran, "latency.samples": len(seen.proved)}
    for name, arrived in (("anomaly", seen.anomalies), ("throttle", seen.throttle), ("refusal", seen.refusal)):
        taken = seen.milliseconds(arrived)
        said[f"latency.{name}.missing"] = len(seen.proved) - len(taken)
        if len(taken) > 1:
            cuts = quantiles(taken, n=100, method="inclusive")
            said[f"event_to_{name}_p50_ms"], said[f"event_to_{name}_p99_ms"] = cuts[49], cuts[98]
    return said


def half_load() -> float:
    """Half of what the worker did when it was measured last; 3,000 events a second where it was not."""
    measured = results.kept().get("live.tidegate.events_per_second")
    return measured / 2 if isinstance(measured, float) else 3000.0


def measure(bootstrap: str, rate: float) -> None:
    """Probe at `rate` events a second of other traffic, and keep the figures."""
    results.keep(asyncio.run(_run(bootstrap, f"latency-{int(time.time())}.", rate)))


def main() -> None:
    """Start a broker, and measure."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rate", type=float, default=half_load(), help="events a second beside the probes")
    given = parser.parse_args()
    with processes.broker() as kafka:
        measure(kafka.bootstrap, given.rate)


if __name__ == "__main__":
    main()
