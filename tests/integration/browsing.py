"""A reader in a real browser, who in the end must not have seen the console complain."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from playwright.async_api import Browser, Page

from tests.conftest import go_without


@asynccontextmanager
async def browsing(browser: Browser, url: str, **context: Any) -> AsyncIterator[Page]:
    """A reader of their own at an address."""
    faults: list[str] = []
    reader = await browser.new_context(viewport={"width": 1440, "height": 960}, **context)
    page = await reader.new_page()
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.set_default_timeout(15_000)
    await page.goto(url)
    yield page
    await reader.close()
    assert not faults, faults


def axe_core() -> str:
    """The source of axe-core, which finds what keeps people out."""
    if not find_spec("axe_playwright_python"):
        go_without("axe-core", "pip install axe-playwright-python")
    return (files("axe_playwright_python") / "axe.min.js").read_text()


async def serious(page: Page, axe: str) -> list[tuple[str, str, str]]:
    """The serious faults of what a page shows: impact, rule, element."""
    await page.evaluate(axe)
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    told = [(v["impact"], v["id"], v["nodes"][0]["html"]) for v in found["violations"]]
    return [one for one in told if one[0] in ("serious", "critical")]
