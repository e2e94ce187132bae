"""A newcomer's path: from a clean clone to an event of their own on the page, by docs/start.md alone."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.docker.compose import listens
from tests.integration.deployment import until

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
START = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
MAKE, SEND, RUN_AWAY = re.findall(r"^```sh\n(.*?)^```", START, re.MULTILINE | re.DOTALL)
(ADDRESS,) = re.findall(r"Open <(http://[^>]+)>", START)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clean clone, with the environment that `make` would make: that takes minutes, and needs the network."""
    folder = tmp_path / "tidegate"
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(folder)], check=True)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    for name in ("requirements-dev.lock", "pyproject.toml"):
        os.utime(folder / name, (0, 0))  # older than the environment: it is made
    # Compiled it would be, too: `make` would else tell that environment to look for what is compiled here.
    (folder / "build").mkdir()
    (folder / "build" / ".compiled").touch()
    return folder


@contextmanager
def typed(line: str, clone: Path, log: Path) -> Iterator[None]:
    """What is typed into a first terminal, until Ctrl-C."""
    with log.open("wb") as output:
        shell = subprocess.Popen(
            ["bash", "-c", line],
            cwd=clone,
            env=environment(clone),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        until(lambda: "everything is up" in log.read_text() or shell.poll() is not None, "everything to be up")
        assert shell.poll() is None, log.read_text()[-3000:]
        yield
        os.killpg(shell.pid, signal.SIGINT)
        shell.wait(30)
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait(30)
        print(log.read_text()[-4000:])  # noqa: T201 - pytest shows it where the test fails


def environment(clone: Path) -> dict[str, str]:
    """That of a terminal, in which the clone's sources come before those that the environment was made for."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
    return {**ours, "PYTHONPATH": str(clone), "COLUMNS": "200"}


def in_second_terminal(line: str, clone: Path) -> str:
    done = subprocess.run(
        ["bash", "-ec", line],
        cwd=clone,
        env=environment(clone),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_newcomer_sees_an_event_of_their_own_on_the_page(clone: Path, chromium: str, tmp_path: Path) -> None:
    if taken := [port for port in (8070, 8088) if listens(port)]:
        pytest.skip(f"somebody listens on {taken}, which the guide takes for free")
    with typed(MAKE, clone, tmp_path / "demo.log"), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 960})
        page.set_default_timeout(20_000)
        page.goto(ADDRESS)
        assert in_second_terminal(SEND, clone) == '{"accepted":1}'
        spends = page.get_by_role("region", name="Who spends")
        expect(spends.get_by_role("link", name="my-team", exact=True)).to_be_visible(timeout=20_000)
        assert in_second_terminal(SEND, clone) == '{"accepted":1}'
        assert in_second_terminal(RUN_AWAY, clone) == '{"accepted":1}' * 10
        _is_told_of_the_loop(page)
        browser.close()


def _is_told_of_the_loop(page: Page) -> None:
    card = page.locator("article.incident", has_text="my-team · triage runs in a loop")
    expect(card).to_be_visible(timeout=20_000)
    expect(card.get_by_role("button", name="Acknowledge")).to_be_visible()
    expect(card.get_by_role("button", name="Release")).to_be_visible()
