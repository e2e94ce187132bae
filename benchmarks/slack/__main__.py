"""`make slack-page`: takes the pictures of docs/slack.md, by Chromium, into the folder that is named."""

import asyncio
import sys
from datetime import timedelta
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.async_api import async_playwright

from alerts.decide import Because
from alerts.history import History
from alerts.incident import Incident
from alerts.notification import Notification
from alerts.slack.chart import draw
from alerts.slack.dialog import Asked, view_of
from alerts.slack.render import message, reply
from alerts.slack.showback import report_message
from benchmarks.slack import page, scenes

CHROMIUM = "/usr/bin/chromium"
PHONE, DESK = 390, 820


def pages() -> dict[str, tuple[int, str]]:
    """Make the pages, by the name of their pictures, each with the width of its window."""
    answered, past = scenes.burst()
    answered.answer("ann acknowledged it at 09:43:02 UTC")
    ended = scenes.over(scenes.loop()[0])
    daily = page.page([page.message(report_message(scenes.showback())[1], scenes.START, {})])
    until = view_of(Asked("planned", "answer/4f2a6c1e9b03d857/3", "C0FINOPS", ""), scenes.START)
    return {
        "slack-loop-phone": (PHONE, _shown(*scenes.loop(), "new")),
        "slack-answered-phone": (PHONE, _shown(answered, past, "answered", thread=answered.notes[-1:])),
        "slack-budget-phone": (PHONE, _shown(*scenes.budget(), "new")),
        "slack-storm-phone": (PHONE, _shown(*scenes.storm(), "new")),
        "slack-until-phone": (PHONE, page.page([page.dialog(until)])),
        "slack-showback-phone": (PHONE, daily),
        "slack-over-desk": (DESK, _shown(ended, scenes.loop()[1], "resolved", thread=ended.notes[-1:])),
    }


def _shown(told: Incident, past: History, because: Because, thread: list[str] | None = None) -> str:
    png = draw(told, past)
    files = {"F1": png} if png else {}
    _, blocks = message(Notification(told, told.receiver, because, None), past, "F1" if png else "")
    at = told.updated_at + timedelta(seconds=1)
    parts = [page.message(blocks, at, files, edited=because != "new")]
    if thread:
        parts.append(page.reply(reply(told, thread), at))
    return page.page(parts)


def _keep(png: bytes, path: Path) -> None:
    """Write a picture in few colours, a third of the bytes: they lie in the repository."""
    Image.open(BytesIO(png)).convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


async def take(folder: Path) -> None:
    """Take all pictures."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, (width, html) in pages().items():
            tab = await browser.new_page(viewport={"width": width, "height": 200}, device_scale_factor=1.5)
            await tab.set_content(html)
            _keep(await tab.screenshot(full_page=True), folder / f"{name}.png")
            await tab.close()
        await browser.close()


if __name__ == "__main__":
    asyncio.run(take(Path(sys.argv[1])))
