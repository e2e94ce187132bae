"""LiteLLM's own proxy as a process, with Tidegate's plug-in; its models answer without any network."""

import asyncio
import json
import os
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from streamer.demo.broker import free_port
from tests.integration.deployment import PATIENCE, Deployment

KEY = f"sk-{uuid.uuid4().hex}"
ROOT = Path(__file__).parents[2]
CONFIG = """
model_list:
  - model_name: plain
    litellm_params: {model: openai/gpt-4o, api_key: none, mock_response: "hello"}
  - model_name: cheap
    litellm_params: {model: openai/gpt-4o-mini, api_key: none, mock_response: "hello"}
  - model_name: stuck
    litellm_params:
      model: openai/gpt-4o
      api_key: none
      mock_tool_calls:
        - {id: call_1, type: function, function: {name: search_orders, arguments: '{"order": "A-17, a secret"}'}}
litellm_settings:
  callbacks: [streamer.gateway.litellm.gate]
"""


@dataclass(frozen=True)
class Answer:
    """What a caller got."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def told(self) -> str:
        """What the caller is told of an error."""
        return str(self.body["error"]["message"])


class Caller:
    """One agent that calls the proxy as any client of OpenAI's API does."""

    def __init__(self, session: aiohttp.ClientSession, url: str, **metadata: str) -> None:
        self._session, self._url, self._metadata = session, url, {"tenant": "acme", **metadata}

    async def call(self, model: str, **body: Any) -> Answer:
        asked = {"model": model, "messages": [{"role": "user", "content": "a secret question"}], **body}
        asked["metadata"] = self._metadata
        headers = {"Authorization": f"Bearer {KEY}"}
        async with self._session.post(f"{self._url}/v1/chat/completions", json=asked, headers=headers) as answer:
            return Answer(answer.status, await answer.text(), {k.lower(): v for k, v in answer.headers.items()})


class Proxy:
    """The running proxy."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self._process, self.url, self._log = process, url, log

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def ask(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> Answer:
        """Post a body, or get without one."""
        sent = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", **headers}
        asked = urllib.request.Request(self.url + path, None if body is None else json.dumps(body).encode(), sent)
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
                return _answer(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return _answer(refused)

    def wait_until_alive(self) -> None:
        asyncio.run(self._wait_until_alive())

    async def _wait_until_alive(self) -> None:
        async with aiohttp.ClientSession() as session:
            await self.alive(session)

    async def alive(self, session: aiohttp.ClientSession) -> None:
        """Wait until it answers."""
        async with asyncio.timeout(3 * PATIENCE):
            while not await self._answers(session):
                assert self._process.poll() is None, f"the proxy ended early:\n{self.log[-4000:]}"
                await asyncio.sleep(0.1)

    async def _answers(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.url}/health/liveliness") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


def _answer(found: Any) -> Answer:
    return Answer(found.status, found.read().decode(), {k.lower(): v for k, v in found.headers.items()})


@contextmanager
def proxy(
    command: Path, deployment: Deployment, folder: Path, given: str = CONFIG, **settings: str
) -> Iterator["Proxy"]:
    """Run the proxy with the configuration `given` while the context lasts."""
    port, log = free_port(), folder / f"litellm-{uuid.uuid4().hex[:4]}.log"
    config = folder / "litellm.yaml"
    config.write_text(given)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        **deployment.environment,
        **{f"TIDEGATE_{name}": value for name, value in settings.items()},
        "PYTHONPATH": str(ROOT),
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [command, "--config", config, "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            stdout=output,
            stderr=output,
            cwd=folder,
        )
    try:
        yield Proxy(process, f"http://127.0.0.1:{port}", log)
    finally:
        process.kill()
        process.wait()
        print(f"--- {log.name}\n{log.read_text(errors='replace')[-8000:]}")  # noqa: T201 - shown where a test fails
