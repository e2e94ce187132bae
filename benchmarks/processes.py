"""The processes that benchmarks start: the broker, Tidegate's worker and the other contenders."""

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamer.demo.broker import free_port
from tests.brokers.apache import ApacheKafka, apache_kafka

ROOT = Path(__file__).parents[1]
CONTENDERS_PYTHON = ROOT / ".venv-bench" / "bin" / "python"


class Process:
    """A running process with its log."""

    def __init__(self, popen: "subprocess.Popen[bytes]", log: Path, port: int = 0) -> None:
        self._popen, self._log, self._port = popen, log, port

    @property
    def pid(self) -> int:
        """Its number."""
        return self._popen.pid

    def check(self) -> None:
        """Raise RuntimeError, with the end of its log, if it has ended."""
        if self._popen.poll() is not None:
            raise RuntimeError(f"{self._popen.args!r} ended with {self._popen.returncode}; its log ends: {self.log()}")

    def log(self) -> str:
        """The end of what it wrote."""
        return self._log.read_text(errors="replace")[-3000:]

    def ready(self) -> bool:
        """Tell whether a worker has its partitions and their state."""
        self.check()
        return self._get("/readyz") is not None

    def metrics(self) -> str:
        """A worker's metrics, "" if it does not answer."""
        return self._get("/metrics") or ""

    def end(self) -> None:
        """Ask it to end; kill it if it takes long."""
        self._popen.terminate()
        try:
            self._popen.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._popen.kill()
        self._popen.wait()

    def _get(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        return None


@contextmanager
def broker() -> Iterator[ApacheKafka]:
    """Run Apache Kafka as the tests do."""
    with tempfile.TemporaryDirectory() as folder, apache_kafka(Path(folder)) as kafka:
        yield kafka


@contextmanager
def contender(module: str, bootstrap: str, prefix: str) -> Iterator[Process]:
    """Run a contender over the topics with `prefix`; its group has the prefix too."""
    with tempfile.TemporaryDirectory() as folder:
        names = [f"{prefix}usage", f"{prefix}rollups", f"{prefix}group", str(Path(folder) / "state")]
        Path(names[-1]).mkdir()
        command = [str(CONTENDERS_PYTHON), "-m", f"benchmarks.contenders.{module}", bootstrap, *names]
        with _running(command, Path(folder) / "log", {}) as process:
            yield process


@contextmanager
def worker(bootstrap: str, prefix: str, **settings: str) -> Iterator[Process]:
    """Run Tidegate's worker with its defaults, but for `settings`, over the topics with `prefix`."""
    port = free_port()
    given = {"KAFKA__BOOTSTRAP": bootstrap, "KAFKA__TOPIC_PREFIX": prefix, "KAFKA__GROUP": f"{prefix}group"}
    given |= {"WEB__PORT": str(port), "LOG__LEVEL": "warning", **settings}
    variables = {f"TIDEGATE_{name}": value for name, value in given.items()}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "streamer.cli", "worker"]
        with _running(command, Path(folder) / "log", variables, port) as process:
            yield process


@contextmanager
def door(bootstrap: str, prefix: str, tokens: str) -> Iterator[tuple[Process, int]]:
    """Run Tidegate's front door with these tokens (JSON); gives it and its port once it is ready."""
    port = free_port()
    given = {"KAFKA__BOOTSTRAP": bootstrap, "KAFKA__TOPIC_PREFIX": prefix, "INGEST__PORT": str(port)}
    given |= {"INGEST__TOKENS": tokens, "LOG__LEVEL": "warning"}
    variables = {f"TIDEGATE_{name}": value for name, value in given.items()}
    with _serving(["-m", "streamer.cli", "ingest"], port, variables) as process:
        yield process, port


@contextmanager
def page(bootstrap: str, prefix: str) -> Iterator[tuple[Process, int]]:
    """Run the live page over the topics with `prefix`; gives it and its port once it is ready."""
    port = free_port()
    given = {"KAFKA__BOOTSTRAP": bootstrap, "KAFKA__TOPIC_PREFIX": prefix, "PAGE__PORT": str(port)}
    given |= {"LOG__LEVEL": "warning"}
    variables = {f"TIDEGATE_{name}": value for name, value in given.items()}
    with _serving(["-m", "streamer.cli", "page"], port, variables) as process:
        yield process, port


@contextmanager
def served(name: str, port: int) -> Iterator[tuple[Process, int]]:
    """Run a module of ours that serves HTTP on a port; gives it and the port once it is ready."""
    with _serving(["-m", name, str(port)], port, {}) as process:
        yield process, port


@contextmanager
def _serving(arguments: list[str], port: int, variables: dict[str, str]) -> Iterator[Process]:
    with (
        tempfile.TemporaryDirectory() as folder,
        _running([sys.executable, *arguments], Path(folder) / "log", variables, port) as process,
    ):
        while not process.ready():
            time.sleep(0.05)
        yield process


@contextmanager
def module(name: str, *args: str) -> Iterator[Process]:
    """Run a module of ours in our own environment."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _running([sys.executable, "-m", name, *args], Path(folder) / "log", {}) as process,
    ):
        yield process


@contextmanager
def _running(command: list[str], log: Path, variables: dict[str, str], port: int = 0) -> Iterator[Process]:
    with log.open("wb") as output:
        popen = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **variables}, stdout=output, stderr=subprocess.STDOUT
        )
    process = Process(popen, log, port)
    try:
        yield process
        process.check()
    finally:
        if popen.poll() is None:
            process.end()
