"""The running demo in a real browser: a runaway shows at once, people act on it, and Slack's message leads to it."""

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.integration.browsing import axe_core, browsing, serious
from tests.slack.standin import CHANNEL, TOKEN, SlackStandIn

pytestmark = pytest.mark.integration
PATIENCE = 120.0


class Demo:
    """A demo that tells Slack's stand-in, and when it said what."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process, self._said = process, list[tuple[float, str]]()
        self._news = asyncio.Condition()
        self._listening = asyncio.create_task(self._listen())

    async def said(self, pattern: str) -> tuple[float, str]:
        """When (epoch seconds) the first line was said in which a pattern is found, and the match."""
        async with asyncio.timeout(PATIENCE), self._news:
            while not (found := [(at, match[0]) for at, line in self._said if (match := re.search(pattern, line))]):
                assert not self._listening.done(), f"the demo ended: {self._said[-20:]}"
                await self._news.wait()
            return found[0]

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)
        await asyncio.wait_for(self._process.wait(), 30)
        await self._listening

    async def _listen(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            async with self._news:
                self._said.append((time.time(), line.decode(errors="replace")))
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()


@asynccontextmanager
async def demo(slack: SlackStandIn) -> AsyncIterator[Demo]:
    ours = {"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": CHANNEL, "TIDEGATE_SLACK__BASE_URL": slack.base_url}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-m", "streamer.cli", "demo"),
        env={**os.environ, **ours, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    running = Demo(process)
    try:
        yield running
    finally:
        await running.end()


async def test_a_runaway_of_the_demo_is_seen_answered_and_followed_from_slack(chromium: str) -> None:
    axe = axe_core()
    async with SlackStandIn() as slack, demo(slack) as running, async_playwright() as playwright:
        _, url = await running.said(r"http://127\.0\.0\.1:\d+(?=\s|$)")
        started = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        async with browsing(started, url) as page:
            await expect(page.locator("#status")).to_have_text("live")
            card = page.locator("article.incident", has_text="acme · support · triage runs in a loop").first
            await card.wait_for(timeout=PATIENCE * 1000)
            shown = time.time()
            known, _ = await running.said(r"loop: get_reservation_details called")
            assert shown - known < 2.0, f"it took {shown - known:.2f} s"
            await card.get_by_role("button", name="Acknowledge").click()
            await expect(card).to_contain_text("local has acknowledged it")
            await card.get_by_role("button", name="Release").click()
            await expect(card).to_contain_text("local asked to release")
            await running.said(r"release → tenant=acme")
            assert await serious(page, axe) == []
            await _follow(page, await _link_in(slack))
            assert await serious(page, axe) == []
        await started.close()


async def _link_in(slack: SlackStandIn) -> str:
    """The address in Slack's message of the loop."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for message in slack.messages.values():
                link = re.search(r"http://127\.0\.0\.1:\d+/incidents/\w+", str(message.blocks))
                if link and "loop" in message.text:
                    return link[0]
            await asyncio.sleep(0.1)


async def _follow(page: Page, link: str) -> None:
    await page.goto(link)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("acme")
    said = page.get_by_role("region", name="What was said")
    await expect(said).to_contain_text("local acknowledge")
    await expect(said).to_contain_text("local release")
