"""The report in a real browser: it opens offline, by day and by night, in print and on a phone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from streamer.config import BudgetConfig, Config, UseCaseConfig
from tests.streamer.replay.data import CONFIG, Row, day, loop, replayed, write

pytestmark = pytest.mark.processes
EVIL = '<img src=x onerror=alert(1)> $x^2$ & "acme" \'n\u202e'
AGREED: Config = CONFIG.model_copy(
    update={
        "budgets": (BudgetConfig.model_validate({"tenant": "acme", "limit": "0.05"}),),
        "use_cases": (
            UseCaseConfig.model_validate(
                {
                    "tenant": "acme",
                    "name": "support",
                    "stage": "pilot",
                    "owner": "Ann <b>",
                    "cost_centre": "CC-1",
                    "hypothesis_usd_per_outcome": "0.001",
                }
            ),
        ),
    }
)


def rows() -> list[Row]:
    """The day with an outcome, tags, and a name that would like to be more than that."""
    found = day()
    done = {**found[0], "id": "done", "tenant": "acme", "use_case": "support", "kind": "outcome", "input_tokens": 0}
    tagged = {"team": EVIL, "cost_center": "CC-2"}
    named = [{**row, "tags": tagged, "agent": EVIL} if row["tenant"] == "beta" else row for row in found]
    return [*named, {**done, "time": found[-1]["time"]}]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    replayed(folder / "out", write(folder, "day.jsonl", rows()), config=AGREED)
    return folder / "out" / "report.html"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser: Browser, report: Path, **settings: object) -> tuple[Page, list[str]]:
    """The page, and all that it complained of or asked the network for."""
    page = browser.new_context(offline=True, **settings).new_page()  # type: ignore[arg-type]
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: said.append(request.url) if request.url != report.as_uri() else None)
    page.goto(report.as_uri())
    return page, said


def text(page: Page) -> str:
    return str(page.inner_text("body"))


def test_it_opens_offline_without_a_complaint_and_shows_all_parts(browser: Browser, report: Path) -> None:
    page, said = opened(browser, report)
    assert said == []
    heads = [head.inner_text() for head in page.query_selector_all("h2")]
    assert heads == [
        *("Spend", "Incidents", "What throttling would have saved", "Budgets"),
        *("Scorecards", "Showback", "Chargeback", "Data quality"),
    ]
    # Spend, the time line, the loop, and the budget that it went over.
    assert len(page.query_selector_all("svg.chart")) == 4
    for link in page.query_selector_all("nav a"):
        assert page.query_selector(str(link.get_attribute("href"))) is not None


def test_it_says_what_was_found_and_who_pays(browser: Browser, report: Path) -> None:
    shown = text(opened(browser, report)[0])
    assert "search" in shown
    assert "pause tenant=acme/session=runaway" in shown
    card = next(line for line in shown.splitlines() if "pilot" in line)
    assert "Ann <b>" in card
    assert card.endswith("missed")
    assert any(line.startswith("2026-11\tCC-1\t-") for line in shown.splitlines())
    assert any(line.startswith("2026-11\tCC-2\t<img") for line in shown.splitlines())
    assert "unpriced" in shown


def test_names_are_shown_and_never_obeyed(browser: Browser, report: Path) -> None:
    page, said = opened(browser, report)
    assert said == []
    assert page.query_selector("img") is None
    assert page.query_selector("script") is None
    assert "<img src=x onerror=alert(1)> $x^2$" in text(page)
    assert "\u202e" not in text(page)


def colours(page: Page) -> tuple[str, str]:
    """Of the paper, and of the axis of a chart."""
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = page.evaluate("getComputedStyle(document.querySelector('svg.chart text')).fill")
    return str(paper), str(ink)


def test_page_and_charts_follow_the_reader_s_light(browser: Browser, report: Path) -> None:
    light = colours(opened(browser, report, color_scheme="light")[0])
    dark = colours(opened(browser, report, color_scheme="dark")[0])
    assert light[0] == "rgb(255, 255, 255)"
    assert len({*light, *dark}) == 4
    page, _ = opened(browser, report, color_scheme="dark")
    page.emulate_media(media="print")
    assert colours(page)[0] == "rgb(255, 255, 255)"


def test_it_prints(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report)
    printed = page.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert 2 <= printed.count(b"/Type /Page\n") <= 12


@pytest.mark.parametrize("width", [320, 390, 768, 1600])
def test_nothing_is_wider_than_the_screen(width: int, browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("media", ["screen", "print"])
def test_a_name_of_any_length_leaves_the_figures_beside_it_in_sight(
    media: Literal["screen", "print"], browser: Browser, tmp_path: Path
) -> None:
    long = [{**row, "tenant": "n" * 256, "use_case": "u" * 256} for row in day()]
    replayed(tmp_path / "out", write(tmp_path, "day.jsonl", long))
    page, _ = opened(browser, tmp_path / "out" / "report.html", viewport={"width": 1200, "height": 800})
    page.emulate_media(media=media)
    places = page.evaluate("[...document.querySelectorAll('td.n')].map((cell) => cell.getBoundingClientRect().right)")
    assert max(places) <= 1200


def test_an_incident_of_several_anomalies_is_known_before_it_is_told_and_names_whose_it_shows(tmp_path: Path) -> None:
    going_on = loop("runaway", 180, 60, 1.5)[20:]
    dear = loop("later", 230, 60, 0.5, agent="writer", cost_usd="0.01")
    rows = sorted([*day(), *going_on, *dear], key=lambda row: str(row["time"]))
    replayed(tmp_path / "out", write(tmp_path, "day.jsonl", rows))
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "acme · support · writer</h3>" in page
    assert "2026-11-22 12:03:07, told at 2026-11-22 12:03:10 to console" in page
    assert "the dearest of its 2 anomalies, known 2026-11-22 12:03:52" in page


def test_a_replay_of_nothing_has_a_report_too(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").touch()
    replayed(tmp_path / "out", tmp_path / "none.jsonl", config=AGREED)
    page, said = opened(browser, tmp_path / "out" / "report.html")
    assert said == []
    assert "No events were found" in text(page)


def test_names_in_any_script_are_drawn_as_they_are_and_warn_of_nothing(tmp_path: Path) -> None:
    everywhere = "\u540d\u524d \U0001f680 \u05e2\u05d1\u05e8\u05d9\u05ea"
    replayed(tmp_path / "out", write(tmp_path, "day.jsonl", [{**row, "tenant": everywhere} for row in day()]))
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert f">{everywhere} · support · triage: loop</text>" in page


def test_the_report_escapes_names(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>{}"
    replayed(tmp_path / "out", write(tmp_path, "day.jsonl", [{**row, "tenant": evil, "tool": "<em>"} for row in day()]))
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<em>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{}" in page
    assert "http://" not in page
    assert "https://" not in page
