"""The page holds the figures that were kept, and nothing else of it is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.quality import figures, page
from benchmarks.quality.drive import Times
from benchmarks.quality.judge import Judgement, Level, Verdict
from benchmarks.quality.measure import Options
from benchmarks.quality.plantings import Planting
from benchmarks.quality.scenarios import Scenario
from benchmarks.quality.sheets import Sheet

ROOT = Path(__file__).parents[3]
BURST = Planting("burst", "step", 5, "acme", 3600, 4200)
NAB = {
    "standard": 70.04,
    "low_fp": 60.0,
    "low_fn": 80.0,
    "by_split": 65.0,
    "by_split_reselected": 64.0,
    "by_family": {"realTweets": 81.6},
    "us_per_row": 10.0,
    "us_per_row.river_gaussian": 1.5,
}


@pytest.fixture
def measured() -> figures.Figures:
    results = figures.Results()
    verdict = Verdict(BURST, "short medium", (), Level(1, 2, 3), Level(5, 2, 15), 0.25)
    scenario = Scenario("acme", "short medium", 0, 43_200, (BURST,), (), list)
    results.take(scenario, Judgement([verdict]), Times(events=1234))
    return figures.as_json(results, Options().seeds) | {"cost": {"us_per_event": 12.34}}


def between(text: str, name: str) -> str:
    return text.partition(f"<!-- begin {name} -->")[2].partition(f"<!-- end {name} -->")[0]


def test_the_page_in_the_repository_takes_all_sections(measured):
    text = (ROOT / "docs" / "quality.md").read_text()
    drawn = [{"file": "burst.png", "caption": "A burst. $5 lost"}]
    found = page.filled(
        text, {"scenarios": measured, "nab": NAB, "memory": {"bytes_per_series": 976.0}, "pictures": drawn}
    )
    assert "1 tenants" in between(found, "summary")
    assert "1,234 events" in between(found, "summary")
    assert "| burst step 5x | 1 | 0% |" in between(found, "strengths")
    assert "| standard | 70.0 |" in between(found, "nab")
    assert "| 976 |" in between(found, "memory")
    assert "(pictures/burst.png)" in between(found, "pictures")
    assert page.filled(found, {}) == found


def test_what_was_not_measured_stays_and_so_does_all_text_around(measured):
    text = "".join(f"before\n<!-- begin {name} -->\nold\n<!-- end {name} -->\nafter\n" for name in page._SECTIONS)
    found = page.filled(text, {"nab": NAB})
    assert [name for name in page._SECTIONS if between(found, name) != "\nold\n"] == ["nab"]
    assert found.count("before\n") == found.count("after\n") == len(page._SECTIONS)


def test_a_page_without_a_sections_marks_is_refused(measured):
    with pytest.raises(ValueError, match="begin summary"):
        page.filled("no marks", {"scenarios": measured})


def test_a_benchmark_that_was_left_out_is_said_to_be():
    text = "<!-- begin nab -->\n<!-- end nab -->"
    assert "NAB is left out" in page.filled(text, {"nab": {"left_out": "NAB is left out: no series"}})


def test_tables_are_written_with_their_numbers_to_the_right():
    sheet = Sheet("Two", ("", "n"), [("a|b", "1"), ("c", "")])
    assert page.markdown(sheet).splitlines()[2:] == ["|  | n |", "|---|--:|", "| a\\|b | 1 |", "| c |  |"]


def test_pictures_on_the_page_are_in_the_repository():
    shown = between((ROOT / "docs" / "quality.md").read_text(), "pictures")
    files = [part.partition(")")[0] for part in shown.split("](")[1:]]
    assert files
    assert all((ROOT / "docs" / file).is_file() for file in files)
