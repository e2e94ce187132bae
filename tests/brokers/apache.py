"""Apache Kafka 4 for the tests: a given one, else in a container, else from its jars."""

import gc
import logging
import os
import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import NamedTuple, Protocol

from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from streamer.demo.broker import BrokerProcess, answers_within, free_port
from streamer.errors import BrokerFailed

LOG = logging.getLogger(__name__)
GIVEN = "TIDEGATE_TEST_KAFKA"
IMAGE = "apache/kafka:4.1.0"
CLUSTER_ID = "dGlkZWdhdGUtdGVzdHMtMQ"
START_SCRIPT = "/tmp/start.sh"  # noqa: S108 - inside the container
POM = Path(__file__).with_name("pom.xml")
SETTINGS = Path(__file__).with_name("kraft.properties.in")
BUILD = Path(__file__).parents[2] / "build"
# One for each worker that the fault suite runs at a time.
LINES = 5
JVM = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=INFO"]


class KafkaUnavailable(RuntimeError):
    """No Apache Kafka can be had here; the message says why."""


class ApacheKafka(Protocol):
    """A running Apache Kafka; its description is given, testcontainers or jars."""

    bootstrap: str
    description: str


@dataclass
class ForeignKafka:
    """An Apache Kafka whose process is not ours to stop and start."""

    bootstrap: str
    description: str


class Place(NamedTuple):
    """A listener of the broker's that tells its clients to come by another address, where a proxy is to listen."""

    client: str
    broker: str


@dataclass
class JarsKafka(BrokerProcess):
    """An Apache Kafka in a JVM of ours: it keeps its ports and its data over stop or kill and start."""

    description: str = "jars"
    lines: Sequence[Place] = ()


@contextmanager
def apache_kafka(work_dir: Path) -> Iterator[ApacheKafka]:
    """Run Apache Kafka, or raise KafkaUnavailable; from jars, its data and log lie in `work_dir`."""
    with ExitStack() as stack:
        yield _given() or _in_container(stack) or _from_jars(stack, work_dir)


def _given() -> ApacheKafka | None:
    bootstrap = os.environ.get(GIVEN)
    if not bootstrap:
        return None
    if not answers_within(20, bootstrap):
        raise KafkaUnavailable(f"{GIVEN} is {bootstrap}, and no broker answers there")
    return ForeignKafka(bootstrap, "given")


def _in_container(stack: ExitStack) -> ApacheKafka | None:
    if not _engine_answers():
        return None
    try:
        with ExitStack() as attempt:
            kafka = _start_container(attempt)
            stack.push(attempt.pop_all())
            return kafka
    except Exception as why:  # whatever Docker, the registry or the image may raise, the jars are left
        LOG.warning("no Apache Kafka from %s, so its jars are used: %s", IMAGE, why)
        return None


def _engine_answers() -> bool:
    with warnings.catch_warnings():
        # without an engine docker leaves its socket to the garbage collector, and warnings are errors here
        warnings.simplefilter("ignore", ResourceWarning)
        answered = _ping()
        gc.collect()
    return answered


def _ping() -> bool:
    try:
        with closing(DockerClient(timeout=3).client) as client:
            return bool(client.ping())
    except Exception as why:  # no socket, no permission, a context that leads nowhere
        LOG.info("no Docker engine: %s", str(why))
        return False


def _start_container(stack: ExitStack) -> ApacheKafka:
    wait = f"until [ -s {START_SCRIPT} ]; do sleep 0.1; done; . {START_SCRIPT}"
    container = DockerContainer(IMAGE, env=_environment(), ports=[9092]).with_command(["sh", "-c", wait])
    stack.enter_context(container)
    bootstrap = f"{container.get_container_host_ip()}:{container.get_exposed_port(9092)}"
    # Kafka must name the address that clients see, and Docker decides on that address at the start
    script = f"export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://{bootstrap}\nexec /etc/kafka/docker/run\n"
    container.copy_into_container(script.encode(), START_SCRIPT)
    if not answers_within(60, bootstrap):
        tail = container.get_logs()[0][-2000:].decode(errors="replace")
        raise KafkaUnavailable(f"it does not answer; its log ends: {tail}")
    return ForeignKafka(bootstrap, "testcontainers")


def _environment() -> dict[str, str]:
    settings = _settings("0.0.0.0", 9092, 9093, "/tmp/kafka-data")  # noqa: S104, S108 - inside the container
    pairs = (line.split("=", 1) for line in settings.splitlines() if not line.startswith("#"))
    return {"CLUSTER_ID": CLUSTER_ID} | {f"KAFKA_{k.upper().replace('.', '_')}": v for k, v in pairs}


def _settings(host: str, port: int, controller: int, data: str) -> str:
    return Template(SETTINGS.read_text()).substitute(host=host, port=port, controller=controller, data=data)


def _with_lines(settings: str, lines: Sequence[Place]) -> str:
    """Add a listener for each line to the settings of a broker that has a listener of its own."""
    names = [f"LINE{number}" for number in range(len(lines))]
    (own,) = re.findall(r"^listeners=(PLAINTEXT://[^,]+)", settings, re.MULTILINE)
    added = {
        "listeners": [f"{name}://{line.broker}" for name, line in zip(names, lines, strict=True)],
        "listener.security.protocol.map": [f"{name}:PLAINTEXT" for name in names],
    }
    for key, values in added.items():
        settings = re.sub(rf"^({re.escape(key)}=.*)$", rf"\1,{','.join(values)}", settings, flags=re.MULTILINE)
    clients = [f"{name}://{line.client}" for name, line in zip(names, lines, strict=True)]
    return f"{settings}\nadvertised.listeners={','.join([own, *clients])}\n"


def _from_jars(stack: ExitStack, work_dir: Path) -> JarsKafka:
    java = [_tool("java"), *JVM, "-cp", f"{kafka_jars()}/*"]
    port = free_port()
    settings = work_dir / "server.properties"
    lines = [Place(f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}") for _ in range(LINES)]
    whole = _settings("127.0.0.1", port, free_port(), str(work_dir / "data"))
    settings.write_text(_with_lines(whole, lines))
    _run([*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(settings)])
    command = [*java, "kafka.Kafka", str(settings)]
    kafka = JarsKafka(command, f"127.0.0.1:{port}", work_dir / "kafka.log", patience=60, grace=20, lines=lines)
    try:
        return stack.enter_context(kafka)
    except BrokerFailed as failure:
        raise KafkaUnavailable(str(failure)) from failure


def kafka_jars() -> Path:
    """The folder of Apache Kafka's jars; they are fetched the first time."""
    version = re.search(r"<kafka\.version>(.+)</kafka\.version>", POM.read_text())
    assert version is not None, "pom.xml names Kafka's version"
    libs = BUILD / f"kafka-{version[1]}"
    if not libs.exists():
        _download(libs)
    return libs


def _download(libs: Path) -> None:
    """Into a folder beside it and then renamed, so that an interrupted download is never taken for whole."""
    libs.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=libs.parent, prefix=f"{libs.name}.") as scratch:
        fresh = Path(scratch) / "libs"
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fresh}"]
        _run([_tool("mvn"), "-q", "-B", "-f", str(POM), *goal])
        try:
            fresh.rename(libs)
        except OSError:  # unless another run of the tests was faster
            if not libs.exists():
                raise


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise KafkaUnavailable(f"no Docker engine gives Apache Kafka, and its jars need {name}: not found")
    return path


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired as slow:
        raise KafkaUnavailable(str(slow)) from slow
    if done.returncode:
        raise KafkaUnavailable(f"{Path(command[0]).name} failed: {(done.stdout + done.stderr)[-2000:]}")
