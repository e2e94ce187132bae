"""The real Socket Mode client of slack-sdk over a real WebSocket, against the stand-in."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from alerts.slack.dialog import Mistaken
from alerts.slack.socket import SocketMode, Take
from tests.slack.socket import APP_TOKEN
from tests.slack.standin import HANG, SlackStandIn, page, refused

PAYLOAD = {"type": "block_actions", "actions": []}


@pytest.fixture
async def slack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SlackStandIn]:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with SlackStandIn() as slack:
        yield slack


class Taken:
    """Takes payloads, or does not."""

    def __init__(self, takes: bool = True) -> None:
        self.payloads: list[Mapping[str, Any]] = []
        self._takes = takes

    async def __call__(self, payload: Mapping[str, Any]) -> bool:
        self.payloads.append(payload)
        return self._takes


@asynccontextmanager
async def connected(
    slack: SlackStandIn, take: Take, patience: float = 2.0, token: str = APP_TOKEN
) -> AsyncIterator[SocketMode]:
    socket = SocketMode(token, take, base_url=slack.base_url, ping=0.1, patience=patience)
    task = asyncio.create_task(socket.run())
    try:
        yield socket
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_is_pressed_is_taken_and_acknowledged(slack: SlackStandIn) -> None:
    take = Taken()
    async with connected(slack, take):
        assert await slack.sockets.deliver(PAYLOAD)
    assert take.payloads == [PAYLOAD]


async def test_what_is_not_taken_is_not_acknowledged(slack: SlackStandIn) -> None:
    take = Taken(False)
    async with connected(slack, take):
        assert not await slack.sockets.deliver(PAYLOAD, patience=0.3)
    assert take.payloads == [PAYLOAD]


async def test_who_enters_what_cannot_be_meant_is_told_why(slack: SlackStandIn) -> None:
    async def take(_: Mapping[str, Any]) -> bool:
        raise Mistaken("This lies in the past.")

    async with connected(slack, take):
        assert await slack.sockets.deliver({"type": "view_submission"})
        await until(lambda: slack.sockets.responses)
    why = {"until": "This lies in the past."}
    assert slack.sockets.responses == [{"response_action": "errors", "errors": why}]


async def test_other_envelopes_are_acknowledged_and_left(slack: SlackStandIn) -> None:
    take = Taken()
    async with connected(slack, take):
        assert await slack.sockets.deliver({"event": {}}, kind="events_api")
    assert take.payloads == []


async def test_slacks_refresh_of_the_connection_loses_nothing(slack: SlackStandIn) -> None:
    take = Taken()
    async with connected(slack, take):
        assert await slack.sockets.deliver(PAYLOAD)
        await slack.sockets.ask_to_reconnect()
        await until(lambda: slack.methods.count("apps.connections.open") == 2 and len(slack.sockets.open) == 1)
        assert await slack.sockets.deliver(PAYLOAD)
    assert len(take.payloads) == 2


async def test_a_connection_that_is_cut_comes_back(slack: SlackStandIn) -> None:
    take = Taken()
    async with connected(slack, take):
        await slack.sockets.opened.wait()
        await slack.sockets.cut()
        await until(lambda: slack.methods.count("apps.connections.open") == 2)
        assert await slack.sockets.deliver(PAYLOAD)


@pytest.mark.slow
@pytest.mark.parametrize("failure", [refused("internal_error"), page(502), HANG], ids=["refused", "page", "hang"])
async def test_slack_that_does_not_answer_is_asked_again(slack: SlackStandIn, failure: Any) -> None:
    slack.fail_next(failure, method="apps.connections.open")
    async with connected(slack, Taken(), patience=0.5):
        assert await slack.sockets.deliver(PAYLOAD)


@pytest.mark.slow
async def test_a_ticket_that_is_used_up_is_replaced(slack: SlackStandIn) -> None:
    """slack-sdk goes on with the same address; then the client is made anew."""
    ticket, asked = slack.sockets.ticket, 0

    def spoilt() -> str:
        nonlocal asked
        asked += 1
        made = ticket()
        if asked == 1:
            slack.sockets.tickets.discard(made)
        return made

    slack.sockets.ticket = spoilt  # type: ignore[method-assign]
    async with connected(slack, Taken(), patience=0.5):
        assert await slack.sockets.deliver(PAYLOAD)


async def test_a_wrong_token_is_never_told(slack: SlackStandIn, caplog: pytest.LogCaptureFixture) -> None:
    async with connected(slack, Taken(), patience=0.3, token="xapp-wrong-secret"):
        await until(lambda: slack.methods.count("apps.connections.open") >= 2)
    assert "xapp-wrong-secret" not in caplog.text
    assert not slack.sockets.open


async def until(holds: Any) -> None:
    async with asyncio.timeout(8):
        while not holds():  # noqa: ASYNC110 - the stand-in's state is what we wait for
            await asyncio.sleep(0.01)
