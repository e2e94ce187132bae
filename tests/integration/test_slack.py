"""The worker and Slack: the real slack-sdk against the stand-in, from the repeated call to the closing notice."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.brokers import Broker
from tests.brokers.apache import ApacheKafka
from tests.integration.deployment import PATIENCE, Deployment, Process
from tests.integration.events import record, usage
from tests.slack.press import SECRET, posted, pressed
from tests.slack.socket import APP_TOKEN
from tests.slack.standin import CHANNEL, HANG, TOKEN, Message, SlackStandIn

pytestmark = pytest.mark.integration
AT_ONCE = 1.0


def deployed(broker: Broker, folder: Path, slack: SlackStandIn, **settings: str) -> Deployment:
    return Deployment(
        broker,
        folder,
        SLACK__TOKEN=TOKEN,
        SLACK__BASE_URL=slack.base_url,
        SLACK__SPACING_SECONDS="0",
        ALERTS__RECEIVERS=f'[{{"name": "owner", "type": "slack", "channel": "{CHANNEL}"}}]',
        ALERTS__ROUTES='[{"receiver": "owner", "group_wait_seconds": 0.2, "group_interval_seconds": 600}]',
        **settings,
    )


async def test_slack_gets_one_message_that_is_edited_to_its_end(embedded_broker: str, tmp_path: Path) -> None:
    """One incident is one message, with its picture; its end is said in it and in its thread."""
    async with SlackStandIn() as slack:
        deployment = deployed(Broker("embedded", embedded_broker), tmp_path, slack, DETECT__LOOP__QUIET_SECONDS="2")
        with deployment.running() as worker:
            await asyncio.to_thread(_loop, deployment)
            await _until(lambda: any(_is_said(message) for message in slack.messages.values()), "the end to be said")
            assert TOKEN not in worker.log
    tops = [message for message in slack.messages.values() if message.thread_ts is None]
    replies = [message for message in slack.messages.values() if _is_said(message)]
    assert (len(tops), len(replies)) == (1, 1)
    assert "acme · support · triage is back to normal" in tops[0].text
    assert "search called 6 times with the same arguments" in str(tops[0].blocks)


async def test_what_is_pressed_is_heard_within_a_second_and_says_by_whom(embedded_broker: str, tmp_path: Path) -> None:
    """By Socket Mode and by signed HTTP; a double click is one word, and a forged request none."""
    async with SlackStandIn() as slack:
        deployment = deployed(
            Broker("embedded", embedded_broker),
            tmp_path,
            slack,
            SLACK__APP_TOKEN=APP_TOKEN,
            SLACK__SIGNING_SECRET=SECRET,
            DETECT__LOOP__QUIET_SECONDS="600",
        )
        with deployment.running() as worker:
            await asyncio.to_thread(_loop, deployment)
            await _until(lambda: bool(_row(slack)), "the message")
            await asyncio.wait_for(slack.sockets.opened.wait(), PATIENCE)
            await _until(lambda: _shown(slack, "slack_file"), "the picture")
            blocks = _top(slack).blocks
            clicks = (pressed(blocks, "tidegate.acknowledge", at=time.time(), ts=_ts(slack)) for _ in range(2))
            begun = time.monotonic()
            assert await asyncio.gather(*(slack.sockets.deliver(click) for click in clicks)) == [True, True]
            await _until(lambda: _shown(slack, "ann acknowledged it"), "the acknowledgement")
            took = time.monotonic() - begun
            forged = pressed(_top(slack).blocks, "tidegate.false_alarm", at=time.time(), name="eve")
            assert await _post(worker, *posted(forged, time.time(), "forged")) == 401
            real = pressed(_top(slack).blocks, "tidegate.false_alarm", at=time.time(), name="bob", user="U0BOB")
            assert await _post(worker, *posted(real, time.time())) == 200
            await _until(lambda: _shown(slack, "is back to normal"), "the end")
            assert worker.metric("tidegate_answers_total", outcome="taken") == 2
            assert worker.metric("tidegate_answers_total", outcome="repeated") == 1
            assert not any(secret in worker.log for secret in (TOKEN, APP_TOKEN, SECRET))
    thread = "\n".join(message.text for message in slack.messages.values() if _is_said(message))
    assert (thread.count("ann acknowledged it"), thread.count("bob called it a false alarm")) == (1, 1)
    assert "eve" not in thread
    assert took < AT_ONCE, f"it took {took:.2f} s"


async def test_kill_9_on_the_way_to_slack_loses_no_message_and_repeats_the_one_in_flight(
    apache_broker: ApacheKafka, tmp_path: Path
) -> None:
    """Once while Slack does not answer, once when it has a message; then a worker lives."""
    async with SlackStandIn() as slack:
        broker = Broker("apache", apache_broker.bootstrap)
        apart = {"ALERTS__STORM__TENANTS": "9", "DETECT__LOOP__QUIET_SECONDS": "2"}
        deployment = deployed(broker, tmp_path, slack, **apart)
        moments: list[tuple[str, Callable[[], bool]]] = [
            ("asked", lambda: "chat.postMessage" in slack.methods),
            ("taken", lambda: any("asked" not in message.text for message in slack.messages.values())),
        ]
        slack.fail_next(HANG, method="chat.postMessage")
        for tenant, reached in moments:
            with deployment.running() as worker:
                await asyncio.to_thread(_loop, deployment, tenant)
                await _until(reached, tenant)
                worker.kill()
        with deployment.running():
            await _until(lambda: {whose for whose, over in _told(slack) if over} == {"asked", "taken"}, "both")
    tops = Counter(whose for whose, _ in _told(slack))
    assert max(tops.values()) <= 2, "of each the one in flight when its worker died"
    assert [whose for whose, over in _told(slack) if not over] in ([], ["asked"], ["taken"], ["asked", "taken"])


def _told(slack: SlackStandIn) -> list[tuple[str, bool]]:
    """Each incident's message: of whom, and whether it says that it is over."""
    tops = [message.text for message in slack.messages.values() if message.thread_ts is None]
    return [(text.split(" · ")[0][2:], "back to normal" in text) for text in tops]


def _loop(deployment: Deployment, tenant: str = "acme") -> None:
    who = {"tenant": tenant, "agent": "triage", "tool": "search"}
    now = time.time()
    before = [usage(n, at=now - 30 + n, session=f"s{n}", tool_args_hash=f"a{n}", **who) for n in range(28)]
    calls = [usage(100 + n, at=now, session="runaway", tool_args_hash="aa", **who) for n in range(6)]
    deployment.produce(deployment.topics.usage, map(record, [*before, *calls]))


def _top(slack: SlackStandIn) -> Message:
    return next(message for message in slack.messages.values() if message.thread_ts is None)


def _ts(slack: SlackStandIn) -> str:
    return next(ts for (_, ts), message in slack.messages.items() if message.thread_ts is None)


def _is_said(message: Message) -> bool:
    return bool(message.thread_ts) and not message.file


def _row(slack: SlackStandIn) -> list[Any]:
    tops = [message for message in slack.messages.values() if message.thread_ts is None]
    return [block for message in tops for block in message.blocks if block["type"] == "actions"]


def _shown(slack: SlackStandIn, text: str) -> bool:
    return text in str(_top(slack).blocks)


async def _post(worker: Process, body: bytes, headers: dict[str, str]) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{worker.url}/slack/actions", data=body, headers=headers) as answer,
    ):
        return answer.status


async def _until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"waited in vain for {what}"
        await asyncio.sleep(0.01)
