"""Takes the documentation's pictures of the live page: `python -m tests.integration.page_pictures docs/pictures`.

It serves the page on the embedded broker, with a moment's life of a few tenants that ends now.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from streamer.demo.broker import EmbeddedBroker
from tests.brokers import Broker
from tests.integration.deployment import Deployment
from tests.integration.page_life import BUDGETS, life

# Name, path, width, and whether by night.
PICTURES = (
    ("page-now", "/", 1440, False),
    ("page-now-dark", "/", 1440, True),
    ("page-incident", "/incidents/b", 1440, False),
    ("page-tenant-dark", "/tenants/acme?level=agent", 1440, True),
    ("page-phone", "/", 390, False),
)


def main(folder: Path) -> None:
    """Take all of them."""
    settings = {"PAGE__HISTORY_SECONDS": "600", "PAGE__RATE_SECONDS": "20", "BUDGETS": BUDGETS}
    with tempfile.TemporaryDirectory() as logs, EmbeddedBroker() as broker:
        here = Deployment(Broker("embedded", broker.bootstrap), Path(logs), **settings)
        # The worker has topics of its own: what is shown is made up, and it shall tell nothing of it.
        with here.running("page", WINDOWS__SIZE_SECONDS="10") as page, here.running(KAFKA__TOPIC_PREFIX="idle."):
            for topic, records in life(time.time(), hostile=False):
                here.produce(f"{here.group}.{topic}", records)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
                for name, path, width, dark in PICTURES:
                    _take(browser, page.url + path, folder / f"{name}.png", width, dark=dark)
                browser.close()


def _take(browser: Browser, url: str, to: Path, width: int, *, dark: bool) -> None:
    size = {"width": width, "height": 844 if width < 600 else 900}
    page = browser.new_page(viewport=size, color_scheme="dark" if dark else "light")  # type: ignore[arg-type]
    page.goto(url)
    page.locator(".panel h2").first.wait_for()
    page.wait_for_timeout(600)
    page.screenshot(path=to, full_page=width > 600)
    page.close()
    with Image.open(to) as taken:
        small = taken.quantize(256, dither=Image.Dither.NONE)
    small.save(to, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
