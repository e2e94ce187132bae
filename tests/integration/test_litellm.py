"""A runaway agent behind LiteLLM's real proxy is stopped by Tidegate, others are not, and it is let go again."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from tests.brokers import Broker
from tests.brokers.apache import ApacheKafka
from tests.integration.deployment import Deployment, Process, until
from tests.integration.litellm_proxy import Answer, Caller, Proxy, proxy
from tests.slack.standin import CHANNEL, TOKEN, SlackStandIn

pytestmark = pytest.mark.integration
# The agent of the story called one wrong API so many times, one a second; see tests/streamer/test_loop_closed.py.
CALLS = 847
NAMES = ("alerts", "throttle", "acks", "raw")
POLICY = '[{"kind": "loop", "scope": "session", "action": "pause", "mode": "enforce", "expires_seconds": 120}]'


async def test_an_agent_that_repeats_one_call_is_stopped_at_the_gateway_and_let_go_again(
    apache_broker: ApacheKafka, litellm_command: Path, tmp_path: Path
) -> None:
    """Before its 15th call reaches the model; and Slack tells the story, with what it saved."""
    async with SlackStandIn() as slack:
        deployment = Deployment(
            Broker("apache", apache_broker.bootstrap),
            tmp_path,
            THROTTLE__POLICIES=POLICY,
            THROTTLE__HOLD_SECONDS="10",
            DETECT__LOOP__QUIET_SECONDS="3",
            SLACK__TOKEN=TOKEN,
            SLACK__BASE_URL=slack.base_url,
            ALERTS__RECEIVERS=f'[{{"name": "owner", "type": "slack", "channel": "{CHANNEL}"}}]',
            ALERTS__ROUTES='[{"receiver": "owner", "group_wait_seconds": 0.2, "group_interval_seconds": 1}]',
            TRUST__GATEWAYS='["litellm-1"]',
        )
        async with _running(deployment, litellm_command, tmp_path) as (running, session, worker):
            stuck = Caller(session, running.url, agent="triage", session_id="runaway")
            others = [
                Caller(session, running.url, agent=agent, session_id=f"{agent}-1") for agent in ("triage", "writer")
            ]
            beside = asyncio.create_task(_beside(others))
            reached, refusal = await _run_away(stuck)
            # What it had called by the time that a call a second would have taken to the fifteenth.
            assert 6 <= reached < 15
            assert refusal.status == 429
            assert 0 < int(refusal.headers["retry-after"]) <= 120
            assert "this session is paused" in refusal.told
            assert "search_orders called 6 times with the same arguments" in refusal.told
            assert all(answer.status == 200 for answer in await beside)
            closed = "acme · triage is back to normal"
            await asyncio.to_thread(until, lambda: any(closed in m.text for m in slack.messages.values()), closed)
            await asyncio.to_thread(_check_the_story, slack, deployment)
            assert (await stuck.call("plain")).status == 200
            said = running.log + worker.log
            assert "a secret" not in said


async def _run_away(stuck: Caller) -> tuple[int, Answer]:
    """Call one and the same tool, four times as fast as in the story, and faster still once it is refused."""
    reached, refusal = 0, None
    while refusal is None and reached < CALLS:
        began = time.monotonic()
        answer = await stuck.call("stuck")
        reached += answer.status == 200
        refusal = answer if answer.status != 200 else None
        await asyncio.sleep(max(0.0, 0.25 - (time.monotonic() - began)))
    assert refusal is not None
    for _ in range(5):
        answers = await asyncio.gather(*(stuck.call("stuck") for _ in range(8)))
        assert {answer.status for answer in answers} == {429}
    return reached, refusal


async def _beside(others: list[Caller]) -> list[Answer]:
    answers = []
    for _ in range(20):
        answers += [await other.call("plain") for other in others]
        await asyncio.sleep(0.2)
    return answers


@asynccontextmanager
async def _running(
    deployment: Deployment, command: Path, folder: Path
) -> AsyncIterator[tuple[Proxy, aiohttp.ClientSession, Process]]:
    with proxy(command, deployment, folder, GATEWAY__NAME="litellm-1") as running, deployment.running() as worker:
        async with aiohttp.ClientSession() as session:
            await running.alive(session)
            yield running, session, worker


def _check_the_story(slack: SlackStandIn, deployment: Deployment) -> None:
    """What people, gateways and the topics hold in the end."""
    topics = deployment.topics
    (top,) = [message for message in slack.messages.values() if message.thread_ts is None]
    assert "acme · triage is back to normal" in top.text
    told = str(top.blocks)
    for part in ("told gateways to pause", "gateway litellm-1: applied", "released", "it saved about $"):
        assert part in told
    found = deployment.consume_until(
        lambda found: any(ack["state"] == "released" for ack in found[topics.acks]),
        *(getattr(topics, n) for n in NAMES),
    )
    commands = [command for command in found[topics.throttle] if command]
    assert [(one["action"], one["scope"]) for one in commands] == [
        (action, {"tenant": "acme", "session": "runaway"}) for action in ("pause", "release")
    ]
    assert [ack["state"] for ack in found[topics.acks]] == ["applied", "released"]
    last = found[topics.alerts][-1]
    assert (last["state"], last["commands"]) == ("resolved", [])
    assert Decimal(last["usd_saved"]) > 0
    calls = [call for batch in found[topics.raw] for call in batch]
    assert "a secret" not in str(calls)
    # What was refused here never reached a model, and is no usage.
    assert {call["status"] for call in calls} == {"success"}
