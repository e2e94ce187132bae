"""The report of a large month is bounded: what is not shown by itself is there in sums, to the last digit."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from pyarrow import parquet

from streamer.config import BudgetConfig, Config, UseCaseConfig
from streamer.pricing.money import COST_KINDS
from streamer.replay.charges import Key, day_of
from streamer.replay.facts import Facts
from streamer.replay.report.figures import bounded
from tests.streamer.replay.data import CONFIG, as_jsonl, replayed, summary
from tests.streamer.replay.month import BEGIN, Shape, month
from tests.streamer.replay.test_report import browser, opened, text

__all__ = ["browser"]
pytestmark = pytest.mark.processes
# Loops are an hour and a half apart, so that each is an incident of its own.
LARGE = Shape(days=70, events=3000, tenants=120, cases=3, loops=70, day=60.0, every=5400.0)
AGREED: Config = CONFIG.model_copy(
    update={
        "budgets": tuple(
            BudgetConfig.model_validate({"tenant": f"tenant {n:03}", "limit": str(1 + n % 5)}) for n in range(60)
        ),
        "use_cases": tuple(
            UseCaseConfig.model_validate(
                {"tenant": f"tenant {n:03}", "name": f"claims {n % 7}", "hypothesis_usd_per_outcome": "0.05"}
                | {"cost_centre": f"CC-9{n % 3}"}
            )
            for n in range(90)
        ),
    }
)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    (folder / "month.jsonl").write_bytes(as_jsonl(list(month(LARGE))))
    replayed(folder / "out", folder / "month.jsonl", config=AGREED)
    return folder / "out"


def rows_of(page: Page, label: str) -> list[list[str]]:
    """The cells of a table, by its name for who cannot see it."""
    cells = "rows => rows.map(row => [...row.cells].map(cell => cell.innerText))"
    found: list[list[str]] = page.eval_on_selector_all(f"[aria-label='{label}'] tbody tr", cells)
    return found


def test_a_large_month_has_a_report_of_a_length_that_people_read(browser: Browser, large: Path) -> None:
    page, said = opened(browser, large / "report.html", viewport={"width": 1100, "height": 900})
    assert said == []
    assert page.evaluate("document.documentElement.scrollHeight") < 24_000
    assert (large / "report.html").stat().st_size < 500_000
    assert page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") <= 20
    assert max(page.eval_on_selector_all("table", "tables => tables.map(table => table.rows.length)")) <= 1 + 42


def test_every_table_of_spend_says_what_it_leaves_out_and_ends_in_the_same_sum(browser: Browser, large: Path) -> None:
    page, _ = opened(browser, large / "report.html")
    whole = rows_of(page, "Spend by tenant")[-1]
    assert whole[0] == "all"
    assert f"{Decimal(summary(large)['usd']):,.2f}" in whole[1]
    for label in ("Spend by tenant", "Spend by use case", "Spend by agent", "Spend by model", "Showback", "Chargeback"):
        rows = rows_of(page, label)
        assert rows[-1] == whole, label
        others = [row[0] for row in rows if re.fullmatch(r"and [\d,]+ others", row[0])]
        assert len(others) == (label != "Spend by model"), label
    assert ["no model named" in row for row in rows_of(page, "Spend by model")].count(True) == 1


def test_every_incident_is_on_the_page_by_itself_or_in_a_sum(browser: Browser, large: Path) -> None:
    page, _ = opened(browser, large / "report.html")
    found = summary(large)["incidents"]
    assert found > 60
    rows = rows_of(page, "The next dearest incidents")
    assert rows[-1][0] == f"and {found - 12 - 39} others, in incidents.parquet"
    assert f"How many were opened when, of all {found}." in text(page)
    assert f"The 25 dearest of {found}." in text(page)


def test_a_use_case_that_misses_its_hypothesis_is_never_among_the_others(browser: Browser, large: Path) -> None:
    page, _ = opened(browser, large / "report.html")
    cards = list(csv.DictReader(io.StringIO((large / "scorecards.csv").read_text(encoding="utf-8"))))
    missed = [card for card in cards if card["verdict"] == "missed"]
    rows = rows_of(page, "Scorecards")
    assert 0 < len(missed) < 39
    assert [row[-1] for row in rows[: len(missed)]] == ["missed"] * len(missed)
    assert rows[-1][0] == f"and {len(cards) - 39:,} others"
    assert "and 21 others" in rows_of(page, "Budgets")[-1][0]


def test_what_can_be_scrolled_is_named_and_reached_by_the_keyboard(browser: Browser, large: Path) -> None:
    page, _ = opened(browser, large / "report.html", viewport={"width": 390, "height": 800})
    loose = page.evaluate(
        "[...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1"
        " && getComputedStyle(e).overflowX === 'auto' && !(e.tabIndex === 0 && e.ariaLabel)).length"
    )
    assert loose == 0
    assert page.evaluate("document.querySelectorAll('main').length") == 1
    assert page.evaluate("[...document.querySelectorAll('th')].every(e => e.scope === 'col' && e.textContent.trim())")


def bill(path: Path) -> dict[tuple[str, ...], Decimal]:
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    split = len(COST_KINDS) + 1
    assert all(sum(map(Decimal, row[-split:-1])) == Decimal(row[-1]) for row in rows[1:])
    return {tuple(row[:-split]): Decimal(row[-1]) for row in rows[1:]}


def test_the_bills_are_whole_and_exact(large: Path) -> None:
    """Added up once more from the ledger, by hand."""
    agreed = {(case.tenant, case.name): case.cost_centre for case in AGREED.use_cases}
    used: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    paid: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for row in parquet.read_table(large / "charges.parquet").to_pylist():
        month_, case = f"{row['day']:%Y-%m}", (row["tenant"], row["use_case"] or "")
        used[month_, row["tenant"], row["use_case"] or "-"] += row["usd"]
        paid[month_, row["cost_centre"] or agreed.get(case, "") or "(nobody named)", row["team"] or "-"] += row["usd"]
    assert bill(large / "showback.csv") == used
    assert bill(large / "chargeback.csv") == paid
    assert sum(used.values()) == sum(paid.values()) == Decimal(summary(large)["usd"])


def facts_of(amounts: Iterable[int]) -> Facts:
    facts = Facts()
    for number, femto in enumerate(amounts):
        case = f"case {number}" if number % 3 else ""
        key = Key(day_of(BEGIN.timestamp()), "acme", case, "", "", "", COST_KINDS[number % 6], "", "", "")
        facts.sums[key] = [femto, *(0,) * 13]
    return facts


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 40])
def test_rows_others_and_nameless_are_the_whole_to_the_last_digit(count: int) -> None:
    facts = facts_of(3**number % 10**17 for number in range(count))
    found = bounded(facts, lambda key: (key.use_case,) if key.use_case else (), 4)
    parts = [*found.rows, *filter(None, (found.others, found.nameless))]
    assert sum(part.usd for part in parts) == found.whole.usd
    for place in range(len(COST_KINDS)):
        assert sum(part.by_kind[place] for part in parts) == found.whole.by_kind[place]
    assert len(found.rows) + found.many == len({key.use_case for key in facts.sums} - {""})
    assert len(found.rows) <= 4
    assert found.many != 1
