"""The answers of docs/analysts.md over a month, computed once more in plain Python from the events themselves."""

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from streamer.config import Config, UseCaseConfig
from tests.streamer.archive.test_tables import archived
from tests.streamer.replay.data import CONFIG, Row, as_jsonl, replayed
from tests.streamer.replay.month import Shape, month
from tests.streamer.test_analysts_page import QUERIES, asked

pytestmark = pytest.mark.slow

SHAPE = Shape(days=30, events=3000, tenants=12, cases=3, loops=3, day=60.0)
AGREED: Config = CONFIG.model_copy(
    update={
        "use_cases": tuple(
            UseCaseConfig.model_validate({"tenant": f"tenant {n:03}", "name": f"claims {n % 7}", "cost_centre": "CC-9"})
            for n in range(6)
        )
    }
)


def events() -> list[Row]:
    """All of them with a cost that the sender gave, so that nothing but adding up is left to do."""
    return [{**row, "cost_usd": row.get("cost_usd") or "0.000123"} for row in month(SHAPE)]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("month")
    (folder / "month.jsonl").write_bytes(as_jsonl(events()))
    replayed(folder / "out", folder / "month.jsonl", config=AGREED)
    return folder / "out"


def summed(of: Any) -> dict[Any, Decimal]:
    """Dollars of the events by what `of` gives; outcomes cost nothing."""
    found: dict[Any, Decimal] = defaultdict(Decimal)
    for event in events():
        if event.get("kind") != "outcome":
            found[of(event)] += Decimal(event["cost_usd"])
    return found


def test_the_six_way_split(tables: Path) -> None:
    expected = summed(lambda event: (event["tenant"], event.get("kind", "llm")))
    whole = summed(lambda event: event["tenant"])
    rows = asked(QUERIES[0], tables)
    assert {(tenant, kind): usd for tenant, kind, usd, _ in rows} == expected
    assert {kind for _, kind, _, _ in rows} == {"llm", "tool", "vector", "evaluation", "human_review", "saas"}
    for tenant, kind, _, percent in rows:
        assert percent == pytest.approx(float(100 * expected[tenant, kind] / whole[tenant]), abs=0.051)


def test_what_an_outcome_costs(tables: Path) -> None:
    spent = summed(lambda event: (event["tenant"], event.get("use_case")))
    done = defaultdict(int)
    for event in events():
        done[event["tenant"], event.get("use_case")] += event.get("kind") == "outcome"
    rows = {(tenant, case): rest for tenant, case, *rest in asked(QUERIES[1], tables)}
    assert rows.keys() == {names for names in spent if names[1]}
    for names, (usd, outcomes, each) in rows.items():
        assert (usd, outcomes) == (spent[names], done[names])
        assert each == (pytest.approx(float(usd) / done[names]) if done[names] else None)


def test_who_is_to_pay(tables: Path) -> None:
    agreed = {(case.tenant, case.name): case.cost_centre for case in AGREED.use_cases}

    def payer(event: Row) -> tuple[str, str, str | None]:
        own = event["tags"].get("cost_centre") or agreed.get((event["tenant"], event.get("use_case", "")))
        return "2026-10", own or "(nobody)", event["tags"].get("team")

    rows = asked(QUERIES[4], tables)
    assert {tuple(row[:3]): row[3] for row in rows} == summed(payer)
    assert any(row[1] == "CC-9" for row in rows)


def test_what_it_costs_to_own_beside_the_tokens(tables: Path) -> None:
    split = summed(lambda event: (event["tenant"], event.get("use_case"), event.get("kind", "llm") == "llm"))
    for tenant, case, tokens, all_else, _ in asked(QUERIES[2], tables):
        assert (tokens or 0, all_else or 0) == (split[tenant, case, True], split[tenant, case, False])


def test_a_query_of_one_day_opens_the_files_of_that_day_only(tmp_path: Path) -> None:
    found = events()
    archived(tmp_path, "usage", [orjson.dumps(event) for event in found], every=len(found))
    query = f"FROM read_parquet('{tmp_path}/usage/**/*.parquet', hive_partitioning = true) WHERE day = '2026-10-03'"
    with duckdb.connect() as database:
        (count,) = database.execute(f"SELECT count(*) {query}").fetchall()
        (plan,) = database.execute(f"EXPLAIN ANALYZE SELECT sum(input_tokens) {query}").fetchall()
    assert count == (sum(event["time"].startswith("2026-10-03") for event in found),)
    files = len(list(tmp_path.glob("usage/day=2026-10-03/**/*.parquet")))
    assert f"Total Files Read: {files}" in plan[1]
    assert len(list(tmp_path.glob("usage/**/*.parquet"))) > 20 * files
