"""The live page in a real browser, on a real broker: what is wrong shows at once, and people's hands reach gateways."""

import asyncio
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from alerts.throttle.command import CommandScope
from streamer.clock import utc
from streamer.demo.broker import EmbeddedBroker
from streamer.page.access import hashed
from tests.brokers import Broker
from tests.integration.browsing import axe_core, browsing, serious
from tests.integration.deployment import Deployment, Process
from tests.integration.events import record, usage
from tests.integration.page_life import BUDGETS, HOSTILE, encoded, life
from tests.streamer.page.build import command

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]
TOKEN = "tgp_of-bob"


@pytest.fixture(scope="module")
def axe() -> str:
    return axe_core()


@pytest.fixture(scope="module")
def deployment(embedded_broker: str, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    settings = {"PAGE__HISTORY_SECONDS": "600", "PAGE__RATE_SECONDS": "20", "DETECT__LOOP__QUIET_SECONDS": "600"}
    policy = '[{"kind": "loop", "scope": "session", "action": "pause", "mode": "enforce", "expires_seconds": 600}]'
    folder = tmp_path_factory.mktemp("page")
    return Deployment(Broker("embedded", embedded_broker), folder, THROTTLE__POLICIES=policy, **settings)


@pytest.fixture(scope="module")
def served(deployment: Deployment) -> Iterator[Process]:
    """A page with a moment's life of three tenants, one of which runs away and one of which has a name that bites."""
    with deployment.running("page", WINDOWS__SIZE_SECONDS="10", BUDGETS=BUDGETS) as page:
        for topic, records in life(time.time()):
            deployment.produce(f"{deployment.group}.{topic}", records)
        yield page


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """One browser for all of these tests."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        await started.close()


async def said_on(deployment: Deployment, verdict: str) -> dict[str, Any]:
    """The last record of feedback with a verdict, once it is there."""

    def there(found: dict[str, list[Any]]) -> bool:
        return any(one["verdict"] == verdict for one in found[deployment.topics.feedback])

    found = await asyncio.to_thread(deployment.consume_until, there, deployment.topics.feedback)
    record: dict[str, Any] = next(
        one for one in reversed(found[deployment.topics.feedback]) if one["verdict"] == verdict
    )
    return record


async def test_a_runaway_shows_within_two_seconds_and_is_acknowledged_and_released(
    deployment: Deployment, browser: Browser
) -> None:
    calls = {"kind": "tool", "tool": "search", "tool_args_hash": "aa", "agent": "triage", "session": "runaway"}
    with deployment.running(wait=False) as worker, deployment.running("page") as served:
        worker.wait_until_ready()
        async with browsing(browser, served.url) as page:
            await expect(page.locator("#status")).to_have_text("live")
            events = [record(usage(n, tenant="looper", at=time.time(), **calls)) for n in range(8)]
            await asyncio.to_thread(deployment.produce, deployment.topics.usage, events)
            card = page.locator("article.incident", has_text="looper")
            await card.wait_for()
            shown = time.time()
            known = await asyncio.to_thread(deployment.first_at, deployment.topics.alerts, b"looper")
            assert shown - known < 2.0
            await expect(card).to_contain_text("pause")
            await card.get_by_role("button", name="Acknowledge").click()
            await expect(card).to_contain_text("local has acknowledged it")
            await card.get_by_role("button", name="Release").click()
            await expect(card).to_contain_text("local asked to release")
            told = page.get_by_role("region", name="Told to gateways")
            await expect(told).not_to_contain_text("runaway", timeout=15_000)
            released = await said_on(deployment, "release")
            link = await card.get_by_role("link").first.get_attribute("href")
            assert (released["by"], f"/incidents/{released['incident']}") == ("local", link)
            await card.get_by_role("link").first.click()
            await expect(page.get_by_role("heading", level=1)).to_contain_text("looper")
            assert page.url == served.url + str(link)
            await page.reload()
            await expect(page.get_by_role("heading", name="What was said")).to_be_visible()
        with urllib.request.urlopen(f"{served.url}/api/live"):  # noqa: ASYNC210 - somebody who still looks
            assert served.terminate() == 0


async def test_a_release_is_seen_as_soon_as_it_is_told(
    deployment: Deployment, served: Process, browser: Browser
) -> None:
    async with browsing(browser, served.url) as page:
        told = page.get_by_role("region", name="Told to gateways")
        await expect(told).to_contain_text("limit rate acme · support · triage")
        await expect(told).to_contain_text("edge-eu applied it")
        now = time.time()
        scope = CommandScope("globex", "code")
        pause = command(1, id="pause", scope=scope, issued_at=utc(now), expires_at=utc(now + 60))
        release = command(2, id="release", scope=scope, issued_at=utc(now), expires_at=utc(now + 60), action="release")
        for one, seen in ((pause, 1), (release, 0)):
            produced = [(scope.key(), encoded(one))]
            await asyncio.to_thread(deployment.produce, deployment.topics.throttle, produced)
            await expect(told.get_by_text("pause globex · code")).to_have_count(seen)


async def test_planned_asks_until_when(deployment: Deployment, served: Process, browser: Browser) -> None:
    async with browsing(browser, f"{served.url}/incidents/b") as page:
        await page.get_by_role("button", name="Planned until").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("button", name="4 hours").click()
        await dialog.get_by_role("button", name="Say so").click()
        await expect(page.get_by_role("region", name="What was said")).to_contain_text("local planned until")
        planned = await said_on(deployment, "planned")
        assert planned["incident"] == "b"
        await page.get_by_role("button", name="Mute until").click()
        await page.keyboard.press("Escape")
        await expect(dialog).not_to_be_visible()


async def test_names_that_bite_are_only_text(served: Process, browser: Browser) -> None:
    async with browsing(browser, served.url) as page:
        link = page.get_by_role("link", name=HOSTILE, exact=True).first
        await link.click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
        await page.get_by_role("button", name="Agents").click()
        await page.get_by_role("region", name="Who spends").get_by_role("link", name=HOSTILE).click()
        await expect(page.get_by_role("region", name="Over time")).to_contain_text(f"{HOSTILE} · {HOSTILE}")
        assert await page.locator("img").count() == 0
        assert await page.title() == f"{HOSTILE} · Tidegate"
        await page.goto(f"{served.url}/incidents/h")
        await expect(page.get_by_role("region", name="Over time")).to_contain_text("usual in 10 s")


@pytest.mark.parametrize("path", ["/tenants/nobody", "/tenants/%zz", "/incidents/%E0%A4%A"])
async def test_an_address_that_names_nothing_says_so(served: Process, browser: Browser, path: str) -> None:
    page, faults = await browser.new_page(), list[str]()
    page.on("pageerror", lambda error: faults.append(str(error)))
    await page.goto(served.url + path)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Not here")
    await page.close()
    assert faults == []


async def test_the_page_is_worked_by_keyboard_alone(served: Process, browser: Browser) -> None:
    async with browsing(browser, served.url) as page:
        await expect(page.get_by_role("link", name="initech").first).to_be_visible()
        found = page.get_by_role("region", name="Who spends")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Skip to the content"
        await page.keyboard.press("/")
        await page.keyboard.type("initech")
        await expect(found.get_by_role("link", name="globex", exact=True)).to_have_count(0)
        assert await page.evaluate("document.activeElement.value") == "initech"
        await found.get_by_role("link", name="initech").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("initech")
        assert await page.evaluate("document.activeElement.id") == "main"


async def test_a_viewer_signs_in_sees_their_own_and_has_no_buttons(deployment: Deployment, browser: Browser) -> None:
    bob = msgspec.json.encode([{"name": "bob", "token_sha256": hashed(TOKEN), "tenants": ["acme"]}]).decode()
    with deployment.running("page", PAGE__PEOPLE=bob) as guarded:
        async with browsing(browser, f"{guarded.url}/incidents") as page:
            await page.get_by_label("Token").fill(TOKEN)
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.locator("#person")).to_contain_text("bob")
            await expect(page.locator("article.incident")).to_have_count(1)
            assert await page.get_by_role("button", name="Acknowledge").count() == 0
            await page.get_by_role("button", name="Sign out").click()
            await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


WAYS = {"now": "/", "incidents": "/incidents", "incident": "/incidents/b", "tenant": "/tenants/acme?level=agent"}


async def test_nothing_serious_keeps_anybody_out(served: Process, browser: Browser, axe: str) -> None:
    async with browsing(browser, served.url) as page:
        for name, scheme in (("now", "light"), ("tenant", "light"), ("incident", "dark")):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await page.goto(served.url + WAYS[name])
            await expect(page.get_by_role("heading", level=1)).to_be_visible()
            await expect(page.locator("#status")).to_have_text("live")
            assert await serious(page, axe) == [], (scheme, name)


async def test_a_phone_shows_all_of_it_without_a_sideways_scroll(served: Process, browser: Browser) -> None:
    async with browsing(browser, served.url) as page:
        await page.set_viewport_size({"width": 390, "height": 844})
        for name, path in WAYS.items():
            await page.goto(served.url + path)
            await expect(page.get_by_role("heading", level=1)).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390, name


async def test_figures_that_are_not_of_now_say_so(tmp_path: Path, browser: Browser) -> None:
    with EmbeddedBroker(tmp_path / "broker.log") as broker:
        here = Deployment(Broker("embedded", broker.bootstrap), tmp_path, PAGE__HISTORY_SECONDS="600")
        with here.running("page", WINDOWS__SIZE_SECONDS="10") as served:
            for topic, records in life(time.time() - 300, hostile=False):
                await asyncio.to_thread(here.produce, f"{here.group}.{topic}", records)
            page = await browser.new_page()
            await page.goto(served.url)
            notice = page.locator("#notice")
            await expect(notice).to_contain_text("No worker runs", timeout=20_000)
            with here.running():
                await expect(notice).to_contain_text("No usage has been counted since", timeout=20_000)
            await asyncio.to_thread(broker.stop)
            await expect(notice).to_contain_text("Kafka has not answered since", timeout=30_000)
            await asyncio.to_thread(served.kill)
            await expect(notice).to_contain_text("cannot be reached", timeout=20_000)
            await expect(page.locator("#status")).to_contain_text("not connected since")
            await page.close()
