"""docs/analysts.md: its queries run on what a replay writes, and its columns are those of the tables."""

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from streamer.replay.scorecards import SCORECARDS
from streamer.replay.tables import ANOMALIES, CHARGES, INCIDENTS, ROLLUPS
from tests.streamer.replay.data import day, loop, replayed, write

PAGE = (Path(__file__).parents[2] / "docs" / "analysts.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    rows = day()
    done = {**rows[0], "id": "done", "tenant": "acme", "use_case": "support", "kind": "outcome", "input_tokens": 0}
    replayed(folder / "out", write(folder, "day.jsonl", [*rows, {**done, "time": rows[-1]["time"]}]))
    return folder / "out"


def asked(query: str, tables: Path) -> list[Any]:
    with duckdb.connect() as database:
        return database.execute(query.replace("october-report/", f"{tables}/")).fetchall()


def test_there_are_ten_questions() -> None:
    (section,) = re.findall(r"## Ten questions(.*?)\n## ", PAGE, re.DOTALL)
    assert section.count("```sql") == 10


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: str(QUERIES.index(query)))
def test_every_query_runs_and_has_an_answer(query: str, tables: Path) -> None:
    assert asked(query, tables)


def test_the_six_way_split_adds_up_to_the_rollups(tables: Path) -> None:
    rows = asked(QUERIES[0], tables)
    (whole,) = asked("SELECT sum(usd) FROM 'october-report/rollups.parquet' WHERE level = 'tenant'", tables)
    assert sum(usd for _, _, usd, _ in rows) == whole[0]


def test_an_outcome_costs_what_its_use_case_does(tables: Path) -> None:
    found = {
        (tenant, use_case): (usd, outcomes, unit) for tenant, use_case, usd, outcomes, unit in asked(QUERIES[1], tables)
    }
    usd, outcomes, unit = found["acme", "support"]
    assert (outcomes, float(usd)) == (1, pytest.approx(unit))


def test_what_incidents_cost_is_what_the_report_says(tmp_path: Path) -> None:
    again = loop("later", 190, 60, 0.5, cost_usd="0.01")
    rows = sorted([*day(), *loop("runaway", 180, 60, 1.5)[20:], *again], key=lambda row: str(row["time"]))
    replayed(tmp_path / "out", write(tmp_path, "day.jsonl", rows))
    (query,) = (query for query in QUERIES if "could_be_saved" in query)
    above = sum(usd for _, _, usd, *_ in asked(query, tmp_path / "out"))
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert f"<b>${above:.2f}</b><span>of it above normal" in page
    assert asked("SELECT count(*) FROM 'october-report/anomalies.parquet'", tmp_path / "out") == [(2,)]


@pytest.mark.parametrize(
    ("table", "schema"),
    [
        *(("charges", CHARGES), ("rollups", ROLLUPS), ("anomalies", ANOMALIES), ("incidents", INCIDENTS)),
        ("scorecards", SCORECARDS),
    ],
)
def test_every_column_is_explained(table: str, schema: Any) -> None:
    (section,) = re.findall(rf"\*\*{table}\.parquet\*\*(.*?)(?:\n\*\*|\n## )", PAGE, re.DOTALL)
    told = section + (PAGE.split("**charges.parquet**")[1].split("\n**")[0] if table == "rollups" else "")
    assert {name for name in schema.names if not re.search(rf"\b{name}\b", told)} == set()
