"""The demo's processes: broker, front door, worker and page, started in order and ended together."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from pydantic import BaseModel, SecretStr

from streamer.config import Config
from streamer.demo.broker import EmbeddedBroker, port_near
from streamer.demo.settings import demo_config
from streamer.errors import BrokerFailed

_PATIENCE = 60.0


class Stack:
    """The running processes, and where they listen."""

    def __init__(self, config: Config, worker: asyncio.subprocess.Process) -> None:
        self.config, self.worker = config, worker
        self.events_url = f"http://127.0.0.1:{config.ingest.port}/v1/events"
        self.web_url = f"http://127.0.0.1:{config.web.port}"
        self.page_url = f"http://127.0.0.1:{config.page.port}"


@asynccontextmanager
async def running() -> AsyncIterator[Stack]:
    """Start everything, give it once it is ready, and stop it at the end."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidegate-demo-")))
        broker = stack.enter_context(EmbeddedBroker(folder / "broker.log"))
        usual = Config()
        ports = map(port_near, (usual.ingest.port, usual.web.port, usual.page.port))
        config = demo_config(broker.bootstrap, *ports)
        log = stack.enter_context((folder / "processes.log").open("w+b"))
        environment = {**os.environ, **_variables(config)}
        worker = await stack.enter_async_context(_process("worker", environment, log.fileno()))
        for command in ("ingest", "page"):
            await stack.enter_async_context(_process(command, environment, log.fileno()))
        found = Stack(config, worker)
        for url in (found.web_url, found.events_url.removesuffix("/v1/events"), found.page_url):
            await _ready(f"{url}/readyz", worker, folder / "processes.log")
        yield found


@asynccontextmanager
async def _process(command: str, environment: dict[str, str], log: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamer.cli", command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=log
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _ready(url: str, worker: asyncio.subprocess.Process, log: Path) -> None:
    """Poll until `url` answers 200."""
    async with asyncio.timeout(_PATIENCE), aiohttp.ClientSession() as session:
        while worker.returncode is None:
            try:
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise BrokerFailed(f"a process of the demo ended early:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _variables(config: Config) -> dict[str, str]:
    """Hand the configuration over by environment, as an operator could."""
    return {
        f"TIDEGATE_{name.upper()}": json.dumps(_plain(getattr(config, name)), default=str)
        for name in type(config).model_fields
    }


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return {name: _plain(inner) for name, inner in value if inner is not None}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return value
