"""Each use case has a card that can be handed on: what it costs, what it brings, and whether that was hoped for."""

import csv
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from pyarrow import parquet

from streamer.config import BudgetConfig, Config, UseCaseConfig
from streamer.replay.scorecards import SCORECARDS, Scorecard, as_csv
from tests.streamer.replay.data import CONFIG, Row, day, replayed, write

SCHEMA = Path(__file__).parents[3] / "docs" / "schemas" / "scorecard.schema.json"


def agreed(**changes: Any) -> Config:
    known = {"tenant": "acme", "name": "support", "stage": "pilot", "owner": "Ann", "outcome": "ticket solved"}
    case = UseCaseConfig.model_validate({**known, "hypothesis_usd_per_outcome": "0.001", **changes})
    budget = BudgetConfig.model_validate({"tenant": "acme", "use_case": "support", "limit": "1"})
    steps = BudgetConfig.model_validate({"tenant": "acme", "use_case": "support", "metric": "steps", "limit": 9})
    return CONFIG.model_copy(update={"use_cases": (case,), "budgets": (budget, steps)})


def rows(outcomes: int) -> list[Row]:
    found = day()
    done = {**found[0], "tenant": "acme", "use_case": "support", "kind": "outcome", "input_tokens": 0}
    return [*found, *({**done, "id": f"done-{n}", "time": found[-1]["time"]} for n in range(outcomes))]


def cards(folder: Path, config: Config, outcomes: int = 2) -> list[Row]:
    replayed(folder / "out", write(folder, "day.jsonl", rows(outcomes)), config=config)
    found: list[Row] = orjson.loads((folder / "out" / "scorecards.json").read_bytes())
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row]]:
    folder = tmp_path_factory.mktemp("cards")
    return folder / "out", cards(folder, agreed())


def test_a_card_holds_spend_outcomes_unit_cost_budget_and_stage_against_the_hypothesis(
    found: tuple[Path, list[Row]],
) -> None:
    out, (support, *others) = found
    ledger = parquet.read_table(out / "charges.parquet").to_pylist()
    mine = [row for row in ledger if (row["tenant"], row["use_case"]) == ("acme", "support")]
    assert Decimal(support["usd"]) == sum(row["usd"] for row in mine)
    assert Decimal(support["usd_not_tokens"]) == sum(row["usd"] for row in mine if row["kind"] != "llm")
    assert (support["outcomes"], Decimal(support["usd_per_outcome"])) == (2, Decimal(support["usd"]) / 2)
    assert (support["stage"], support["owner"], support["outcome"]) == ("pilot", "Ann", "ticket solved")
    assert (support["verdict"], support["hypothesis_usd_per_outcome"]) == ("missed", "0.001")
    assert (support["budget_metric"], support["budget_used"], support["budget_limit"]) == ("usd", support["usd"], "1")
    assert support["budget_share"] == pytest.approx(float(support["usd"]), abs=1e-6)
    # Ten minutes tell nobody how a month ends.
    assert support["budget_projected"] is None
    assert [(card["tenant"], card["verdict"]) for card in others] == [("beta", "no outcomes were sent")]


def test_a_budget_is_projected_once_the_data_cover_a_day_of_its_period(tmp_path: Path) -> None:
    first = rows(1)
    began = datetime.fromisoformat(first[0]["time"])
    last = {**first[0], "tenant": "acme", "id": "last", "time": (began + timedelta(days=3)).isoformat()}
    replayed(tmp_path / "out", write(tmp_path, "day.jsonl", [*first, last]), config=agreed())
    card = orjson.loads((tmp_path / "out" / "scorecards.json").read_bytes())[0]
    # Of a month of thirty days three are known.
    assert card["budget_projected"] == pytest.approx(card["budget_share"] * 10, rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "outcomes", "verdict"),
    [
        ({"hypothesis_usd_per_outcome": "1"}, 1, "met"),
        ({"hypothesis_usd_per_outcome": None}, 1, "no hypothesis"),
        ({}, 0, "no outcomes were sent"),
        ({"name": "search"}, 1, "not used"),
    ],
)
def test_the_verdict_says_what_can_be_said(
    changes: dict[str, Any], outcomes: int, verdict: str, tmp_path: Path
) -> None:
    config = agreed(**changes)
    found = cards(tmp_path, config, outcomes)
    assert next(card["verdict"] for card in found if card["use_case"] == config.use_cases[0].name) == verdict


def test_the_cards_are_the_same_for_programs_spreadsheets_and_as_a_table(found: tuple[Path, list[Row]]) -> None:
    out, records = found
    validator = Draft202012Validator(orjson.loads(SCHEMA.read_bytes()))
    assert [error for card in records for error in validator.iter_errors(card)] == []
    table = parquet.read_table(out / "scorecards.parquet")
    assert table.schema.names == SCORECARDS.names
    with (out / "scorecards.csv").open(newline="", encoding="utf-8") as file:
        sheet = list(csv.DictReader(file))
    for card, row, line in zip(records, table.to_pylist(), sheet, strict=True):
        assert list(line) == SCORECARDS.names
        for name in SCORECARDS.names:
            told, text = card.get(name), line[name]
            assert (str(told) if told is not None else "") == text
            assert row[name] == (Decimal(told) if isinstance(row[name], Decimal) else told or None) or not told


def test_a_name_that_a_spreadsheet_would_obey_is_only_a_name() -> None:
    card = Scorecard("=HYPERLINK(1)", "@x", Decimal(0), Decimal(0), 0, "not used")
    (_, line) = as_csv([card]).decode().splitlines()
    assert line.startswith("'=HYPERLINK(1),'@x,")
