"""The worker tells Slack: the real slack-sdk against the stand-in, from the repeated call to the closing notice."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.integration.deployment import PATIENCE, Deployment
from tests.integration.events import record, usage
from tests.slack.standin import CHANNEL, TOKEN, SlackStandIn

pytestmark = pytest.mark.integration


async def test_slack_gets_one_message_that_is_edited_to_its_end(embedded_broker: str, tmp_path: Path) -> None:
    """One incident is one message; its end is said in it and in its thread."""
    async with SlackStandIn() as slack:
        deployment = Deployment(
            Broker("embedded", embedded_broker),
            tmp_path,
            SLACK__TOKEN=TOKEN,
            SLACK__BASE_URL=slack.base_url,
            ALERTS__RECEIVERS=f'[{{"name": "owner", "type": "slack", "channel": "{CHANNEL}"}}]',
            ALERTS__ROUTES='[{"receiver": "owner", "group_wait_seconds": 0.2, "group_interval_seconds": 1}]',
            DETECT__LOOP__QUIET_SECONDS="2",
        )
        await asyncio.to_thread(_loop_through, deployment, slack)
    tops = [message for message in slack.messages.values() if message.thread_ts is None]
    replies = [message for message in slack.messages.values() if message.thread_ts is not None]
    assert len(tops) == 1
    assert len(replies) == 1
    assert "acme · support · triage is back to normal" in tops[0].text
    assert "search called 6 times with the same arguments" in str(tops[0].blocks)


def _loop_through(deployment: Deployment, slack: SlackStandIn) -> None:
    calls = [
        usage(n, tenant="acme", agent="triage", session="runaway", tool="search", tool_args_hash="aa") for n in range(6)
    ]
    with deployment.running() as worker:
        deployment.produce(deployment.topics.usage, map(record, calls))
        end = time.monotonic() + PATIENCE
        while not any(message.thread_ts for message in slack.messages.values()):
            assert time.monotonic() < end, "Slack was not told of the end"
            time.sleep(0.05)
        assert TOKEN not in worker.log
