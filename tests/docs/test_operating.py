"""The failure guide names a test for each thing that dies, and there is that test."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
GUIDE = (TESTS.parent / "docs" / "operating.md").read_text(encoding="utf-8")
NAME = re.compile(r"`(test_\w+)`")


def test_every_row_of_the_failure_guide_names_a_test_that_there_is() -> None:
    there = {name for file in TESTS.rglob("test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())}
    table = GUIDE.split("## What happens when something dies")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "tested by" not in line]
    assert len(rows) >= 10
    assert [row for row in rows if not NAME.search(row)] == []
    assert set(NAME.findall(GUIDE)) <= there
