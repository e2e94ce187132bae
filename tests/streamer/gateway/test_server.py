"""Decisions over HTTP: the JSON form, and the form that proxies ask by a subrequest."""

from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import msgspec
import pytest

from alerts.throttle.command import Action, Command, CommandReason, CommandScope
from streamer.clock import utc, wall
from streamer.config import GatewayConfig, KafkaConfig
from streamer.gateway.client import GatewayClient
from streamer.gateway.server import listening
from streamer.web.metrics import Metrics

SCOPE = CommandScope("acme", session="s1")


def command(action: Action, text: str = "search called 6 times", **params: int | str) -> Command:
    now = utc(wall())
    return Command(
        id="c1",
        scope=SCOPE,
        action=action,
        params=params,
        mode="enforce",
        reason=CommandReason("i7", "loop", text, 6, 1, "1"),
        issued_at=now,
        expires_at=now + timedelta(seconds=60),
        generation=1,
    )


class Known(GatewayClient):
    """A client that was told its commands, and has read all there is."""

    def __init__(self, *commands: Command, outage: str = "open", away: bool = False) -> None:
        config = GatewayConfig.model_validate({"outage": outage})
        super().__init__(KafkaConfig(), config, Metrics())
        for one in commands:
            self._state.apply(one.scope.key(), msgspec.json.encode(one), wall())
        if not away:
            self.caught_up.set()
            self._seen_at = wall()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as found:
        yield found


async def asked(
    session: aiohttp.ClientSession, client: Known, path: str, method: str = "GET", **request: object
) -> tuple[int, dict[str, object], dict[str, str]]:
    async with (
        listening(client, Metrics(), "127.0.0.1", 0) as port,
        session.request(method, f"http://127.0.0.1:{port}{path}", **request) as answer,  # type: ignore[arg-type]
    ):
        return answer.status, await answer.json(), dict(answer.headers)


ASKED = {"tenant": "acme", "session": "s1", "model": "gpt-4o"}
HEADERS = {"X-Tidegate-Tenant": "acme", "X-Tidegate-Session": "s1", "X-Tidegate-Model": "gpt-4o"}


async def test_the_json_form_answers_with_a_decision(session: aiohttp.ClientSession) -> None:
    status, answer, _ = await asked(session, Known(command("pause")), "/v1/decide", "POST", json=ASKED)
    assert status == 200
    assert (answer["verdict"], answer["allowed"], answer["command"], answer["incident"]) == ("pause", False, "c1", "i7")
    assert answer["retry_after"] in (59, 60)
    other = {**ASKED, "session": "s2"}
    assert (await asked(session, Known(command("pause")), "/v1/decide", "POST", json=other))[1] == {}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"tenant": 1}', b"\xff", b'{"x":' + b"[" * 5000])
async def test_what_is_no_request_is_refused_and_not_echoed(session: aiohttp.ClientSession, body: bytes) -> None:
    status, answer, _ = await asked(session, Known(), "/v1/decide", "POST", data=body)
    assert status == 400
    assert answer["error"]


async def test_a_body_without_end_is_not_read_to_it(
    session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    status, answer, _ = await asked(session, Known(), "/v1/decide", "POST", data=b" " * (65 << 10))
    assert (status, answer["error"]) == (413, "the body is over 65536 bytes")
    assert not caplog.records


@pytest.mark.parametrize("path", ["/v1/authz", "/v1/authz/v1/chat/completions"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_form_for_proxies_answers_by_its_status(
    session: aiohttp.ClientSession, path: str, method: str
) -> None:
    status, answer, headers = await asked(session, Known(command("pause")), path, method, headers=HEADERS)
    assert status == 429
    assert "paused" in str(answer["error"])
    assert (headers["X-Tidegate-Verdict"], headers["X-Tidegate-Command"]) == ("pause", "c1")
    assert headers["Retry-After"] in ("59", "60")
    assert (await asked(session, Known(), path, method, headers=HEADERS))[0] == 200


async def test_a_downgrade_names_the_model_in_a_header(session: aiohttp.ClientSession) -> None:
    known = Known(command("downgrade_model", model="gpt-4o-mini"))
    status, _, headers = await asked(session, known, "/v1/authz", headers=HEADERS)
    assert (status, headers["X-Tidegate-Model"], headers["X-Tidegate-Verdict"]) == (200, "gpt-4o-mini", "downgrade")
    assert "Retry-After" not in headers


async def test_a_blocked_tool_is_named_in_a_header(session: aiohttp.ClientSession) -> None:
    known, offered = Known(command("block_tool", tool="search")), {**HEADERS, "X-Tidegate-Tools": "fetch, search"}
    status, _, headers = await asked(session, known, "/v1/authz", headers=offered)
    assert (status, headers["X-Tidegate-Without"]) == (200, "search")
    called = {**HEADERS, "X-Tidegate-Tool": "search"}
    assert (await asked(session, known, "/v1/authz", headers=called))[0] == 429


async def test_names_forge_no_header(session: aiohttp.ClientSession) -> None:
    known = Known(command("downgrade_model", model="x\r\nSet-Cookie: a=b"))
    status, _, headers = await asked(session, known, "/v1/authz", headers=HEADERS)
    assert status == 200
    assert "Set-Cookie" not in headers


async def test_whoever_names_no_tenant_is_told_so(session: aiohttp.ClientSession) -> None:
    assert (await asked(session, Known(), "/v1/authz"))[0] == 400


async def test_without_news_of_kafka_closed_refuses_and_open_does_not(session: aiohttp.ClientSession) -> None:
    closed = Known(outage="closed", away=True)
    status, _, headers = await asked(session, closed, "/v1/authz", headers=HEADERS)
    assert (status, headers["X-Tidegate-Verdict"], headers["Retry-After"]) == (503, "outage", "5")
    assert (await asked(session, Known(away=True), "/v1/authz", headers=HEADERS))[0] == 200
    # What is known goes on, also without news.
    assert (await asked(session, Known(command("pause"), away=True), "/v1/authz", headers=HEADERS))[0] == 429
