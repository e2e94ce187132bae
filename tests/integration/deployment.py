"""One deployment of Tidegate on a shared broker: its own topics and group, and the processes that tests start."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from streamer.demo.broker import free_port
from streamer.kafka.topics import Topics
from tests.brokers import Broker

PATIENCE = 60.0


class Process:
    """A running `tidegate` command."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self._process, self._port, self._log = process, port, log

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_until_ready(self) -> None:
        until(lambda: self._answers("/readyz") == 200 or self._fail_if_dead(), "the process to be ready")

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have the given labels."""
        return sum(s.value for s in self.samples() if s.name == name and labels.items() <= s.labels.items())

    def samples(self) -> list[Sample]:
        """All that `/metrics` tells."""
        text = urllib.request.urlopen(f"{self.url}/metrics").read().decode()
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=30)

    def is_frozen(self) -> bool:
        options = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, options) is not None

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def wait_for_end(self) -> int:
        return self._process.wait(timeout=PATIENCE)

    def _answers(self, path: str) -> int:
        try:
            return int(urllib.request.urlopen(self.url + path, timeout=2).status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def _fail_if_dead(self) -> bool:
        assert self._process.poll() is None, f"the process ended early:\n{self.log[-4000:]}"
        return False


class Deployment:
    """Topics and a group of its own on `broker`; `settings` are added as TIDEGATE_ variables."""

    def __init__(self, broker: Broker, folder: Path, **settings: str) -> None:
        name = f"t{uuid.uuid4().hex[:8]}"
        self.bootstrap, self.group, self._folder = broker.bootstrap, name, folder
        self.topics = Topics.named(f"{name}.")
        self._settings = {
            "KAFKA__BOOTSTRAP": broker.bootstrap,
            "KAFKA__TOPIC_PREFIX": f"{name}.",
            "KAFKA__GROUP": name,
            "KAFKA__IDEMPOTENCE": str(broker.name != "embedded").lower(),
            "KAFKA__SESSION_TIMEOUT_SECONDS": "6",
            "KAFKA__REBALANCE_TIMEOUT_SECONDS": "4",
            "KAFKA__CHECKPOINT_SECONDS": "0.3",
            "WINDOWS__SIZE_SECONDS": "2",
            "WINDOWS__LATENESS_SECONDS": "0.5",
            "WINDOWS__GRACE_SECONDS": "0.5",
            **settings,
        }

    @property
    def environment(self) -> dict[str, str]:
        """The settings as the variables of a process."""
        return {f"TIDEGATE_{name}": value for name, value in self._settings.items()}

    @contextmanager
    def running(
        self, command: str = "worker", wait: bool = True, module: str = "streamer.cli", **settings: str
    ) -> Iterator[Process]:
        """Run `tidegate COMMAND`, and end it when the context ends, if the test did not."""
        port, log = free_port(), self._folder / f"{command}-{uuid.uuid4().hex[:4]}.log"
        section = {"ingest": "INGEST", "page": "PAGE", "gateway": "GATEWAY"}.get(command, "WEB")
        values = {**self._settings, f"{section}__PORT": str(port), **settings}
        environment = {**os.environ, **{f"TIDEGATE_{name}": value for name, value in values.items()}}
        with log.open("wb") as output:
            popen = subprocess.Popen(
                [sys.executable, "-m", module, command], env=environment, stdout=output, stderr=output
            )
        process = Process(popen, port, log)
        try:
            if wait:
                process.wait_until_ready()
            yield process
        finally:
            if popen.poll() is None:
                process.kill()
            print(f"--- {log.name}\n{process.log[-8000:]}")  # noqa: T201 - pytest shows it where a test fails

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a `tidegate` command of this deployment to its end."""
        environment = {**os.environ, **self.environment}
        line = [sys.executable, "-m", "streamer.cli", *arguments]
        return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def produce(
        self, topic: str, records: Iterable[tuple[str, bytes] | tuple[str, bytes, list[tuple[str, bytes]]]]
    ) -> None:
        """Produce records of (key, value) or (key, value, headers), and wait until the broker has them."""
        asyncio.run(self._produce(topic, list(records)))

    async def _produce(self, topic: str, records: list[Any]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, max_request_size=16 << 20) as producer:
            for key, value, *headers in records:
                await producer.send(topic, value, key.encode(), headers=headers[0] if headers else None)

    def consume_until(self, enough: Callable[[dict[str, list[Any]]], bool], *topics: str) -> dict[str, list[Any]]:
        """Read `topics` from their start until `enough` of them is there; gives the decoded records by topic."""
        return asyncio.run(self._consume_until(enough, topics))

    def first_at(self, topic: str, holding: bytes) -> float:
        """When (epoch seconds) the first record of `topic` was written that holds some bytes."""
        return asyncio.run(self._first_at(topic, holding))

    async def _first_at(self, topic: str, holding: bytes) -> float:
        settings = {"auto_offset_reset": "earliest", "isolation_level": "read_committed"}
        async with AIOKafkaConsumer(topic, bootstrap_servers=self.bootstrap, **settings) as consumer:
            async with asyncio.timeout(PATIENCE):
                async for found in consumer:
                    if holding in (found.value or b""):
                        return float(found.timestamp / 1000)
        raise AssertionError

    async def _consume_until(self, enough: Callable[[dict[str, list[Any]]], bool], topics: tuple[str, ...]) -> Any:
        found: dict[str, list[Any]] = {topic: [] for topic in topics}
        consumer = AIOKafkaConsumer(
            *topics,
            bootstrap_servers=self.bootstrap,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        async with consumer, asyncio.timeout(PATIENCE):
            while not enough(found):
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[tp.topic] += [msgspec.json.decode(r.value) if r.value else None for r in records]
        return found


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until `holds`, and fail after a minute."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)
