"""`tidegate reconcile`: a replay's rollups beside a bill, as files and as people read it."""

import csv
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

from streamer import logs
from streamer.cli.base import cli
from streamer.config import Config
from streamer.errors import SourceUnreadable
from streamer.events.decoder import Decoder
from streamer.events.usage import UsageEvent
from streamer.pipeline import Pipeline
from streamer.pricing.agreed import Rates
from streamer.pricing.money import ZERO
from streamer.reconcile.bill import bill_of
from streamer.reconcile.stream import spent_of
from streamer.records import Rollup
from streamer.replay.sources import records
from tests.streamer.replay.data import CONFIG, Row, day, replayed, write
from tests.streamer.samples import NOON, event

AI = "AI and Machine Learning"
LATER = (NOON + timedelta(days=3650)).timestamp()


@pytest.fixture(autouse=True)
def _logs_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "set_up", lambda _: None)


@pytest.fixture(scope="module")
def rollups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay")
    replayed(folder / "out", write(folder, "day.jsonl", day()))
    return folder / "out" / "rollups.parquet"


def billed(path: Path, *rows: dict[str, str]) -> Path:
    plain = {
        "BilledCost": "0",
        "BillingCurrency": "USD",
        "ChargeCategory": "Usage",
        "ServiceCategory": AI,
        "ServiceName": "OpenAI API",
        "ChargePeriodStart": f"{NOON.date()} 00:00:00",
        "ChargeClass": "NULL",
        "x_AIModel": "",
        "x_InputTokens": "",
        "x_OutputTokens": "",
        "Tags": "",
    }
    with path.open("w", newline="") as lines:
        table = csv.DictWriter(lines, list(plain))
        table.writeheader()
        table.writerows({**plain, **row} for row in rows)
    return path


def reconciled(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["reconcile", *map(str, arguments)])


def found(*arguments: object) -> dict[str, Any]:
    result = reconciled(*arguments, "--json")
    assert result.exit_code == 0, result.output
    whole: dict[str, Any] = orjson.loads(result.output)
    return whole


def sums(rollups: Path) -> dict[tuple[str, str], Row]:
    """Dollars and tokens of gpt-4o by tenant, and of everything."""
    table = parquet.read_table(rollups).to_pylist()
    models = [row for row in table if row["level"] == "model" and row["model"] == "gpt-4o"]
    return {
        (tenant, name): sum(row[name] for row in models if row["tenant"] == tenant)
        for tenant in ("acme", "beta")
        for name in ("usd", "input_tokens", "output_tokens")
    }


def test_a_bill_is_held_against_a_replay_by_day_model_and_tag(rollups: Path, tmp_path: Path) -> None:
    usage = sums(rollups)
    rows = [
        {
            "x_AIModel": "GPT-4o",
            "BilledCost": str(usage[tenant, "usd"] * factor),
            "x_InputTokens": str(usage[tenant, "input_tokens"]),
            "x_OutputTokens": str(usage[tenant, "output_tokens"]),
            "Tags": orjson.dumps({"Team": tenant}).decode(),
        }
        for tenant, factor in (("acme", 1), ("beta", 2))
    ]
    credit = {"BilledCost": "-1.25", "ChargeCategory": "Credit", "x_AIModel": "gpt-4o", "Tags": '{"team": "acme"}'}
    disk = {"BilledCost": "9", "ServiceCategory": "Storage", "ServiceName": "Disks"}
    whole = found(rollups, billed(tmp_path / "bill.csv", *rows, credit, disk), "--tag", "team")
    by_key = {(cell["model"], cell["tenant"]): cell for cell in whole["cells"]}
    assert {name: Decimal(usd) for name, usd in by_key["gpt-4o", "acme"]["because"].items()} == {
        "credits": Decimal("-1.25")
    }
    assert {name: Decimal(usd) for name, usd in by_key["gpt-4o", "beta"]["because"].items()} == {
        "price": usage["beta", "usd"]
    }
    assert set(by_key["", "acme"]["because"]) == {"not_in_bill"}
    assert (whole["left_out"], whole["usd_left_out"]) == (1, "9")
    assert by_key["gpt-4o", "acme"]["service"] == "OpenAI API"


def test_corrections_and_taxes_of_a_bill_are_no_usage(rollups: Path, tmp_path: Path) -> None:
    rows = [
        {"BilledCost": usd, "ChargeCategory": category}
        for usd, category in (
            ("-2", "Usage"),
            ("-1", "Credit"),
            ("0.5", "Adjustment"),
            ("0.7", "Tax"),
            ("3", "Purchase"),
        )
    ]
    because = found(rollups, billed(tmp_path / "bill.csv", *rows))["because"]
    assert (because["credits"], because["other_charges"]) == ("-2.5", "3.7")


def test_the_streams_side_is_all_that_was_spent(rollups: Path) -> None:
    table = parquet.read_table(rollups).to_pylist()
    whole = sum((row["usd"] for row in table if row["level"] == "tenant"), ZERO)
    assert sum((spent.usd for spent in spent_of(str(rollups), CONFIG.kafka).values()), ZERO) == whole
    calls = sum(spent.events for (_, model, _), spent in spent_of(str(rollups), CONFIG.kafka).items() if not model)
    assert calls == 20


def test_rollups_of_the_topic_say_the_same_however_often_they_were_written(tmp_path: Path) -> None:
    pipeline = Pipeline(Config())
    events = [
        event(number, number * 40.0, model="gpt-4o" if number % 2 else "", input_tokens=5, cost_usd=Decimal("0.3"))
        for number in range(10)
    ]
    rows: list[Rollup] = [*pipeline.submit(events, events[-1].time.timestamp()).rollups, *pipeline.flush().rollups]
    path = tmp_path / "rollups.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(rollup) + b"\n" for rollup in [*rows, *rows[:4]]))
    spent = spent_of(str(path), Config().kafka)
    assert {key: (one.events, one.usd) for key, one in spent.items()} == {
        (NOON.date(), "", "acme"): (5, Decimal("1.5")),
        (NOON.date(), "gpt-4o", "acme"): (5, Decimal("1.5")),
    }


def test_people_read_what_explains_the_gap(rollups: Path, tmp_path: Path) -> None:
    later = str(NOON + timedelta(days=1))
    bill = billed(tmp_path / "bill.csv", {"x_AIModel": "gpt-4o", "BilledCost": "5"}, {"ChargePeriodStart": later})
    shown = reconciled(rollups, bill, "--most", 1)
    assert shown.exit_code == 0
    for words in ("stream estimated", "bill says", "5.000000", "not explained", "Where the gap is largest", "--most"):
        assert words in shown.output


def test_the_table_fits_a_plain_terminal_and_has_no_rows_without_a_gap(rollups: Path, tmp_path: Path) -> None:
    usage = sums(rollups)
    whole = str(usage["acme", "usd"] + usage["beta", "usd"])
    bill = billed(
        tmp_path / "bill.csv", {"x_AIModel": "gpt-4o", "BilledCost": whole}, {"x_AIModel": "o1", "BilledCost": "2"}
    )
    lines = reconciled(rollups, bill).output.splitlines()
    assert max(map(len, lines)) <= 80
    (row,) = [line.split() for line in lines if "o1" in line.split()]
    assert row[0] == NOON.date().isoformat()
    assert row[-1] == "not_in_stream"
    assert not [line for line in lines if "+0.0000" in line]


def test_names_are_shown_as_they_are_whatever_signs_they_hold(rollups: Path, tmp_path: Path) -> None:
    for name in ("[/]", "[/red]", "[bold]", "a\x1b[31mb"):
        bill = billed(tmp_path / "bill.csv", {"ServiceName": name, "x_AIModel": "o1", "BilledCost": "5"})
        shown = reconciled(rollups, bill)
        assert shown.exit_code == 0
        assert name.replace("\x1b", "\ufffd") in shown.output


def test_models_are_compared_by_the_last_part_of_their_names(rollups: Path, tmp_path: Path) -> None:
    whole = found(rollups, billed(tmp_path / "bill.csv", {"x_AIModel": "azure/GPT-4o", "BilledCost": "1"}))
    assert {cell["model"] for cell in whole["cells"] if cell["bill"] != "0"} == {"gpt-4o"}
    assert all("." not in amount or amount[-1] != "0" for cell in whole["cells"] for amount in cell["because"].values())


def test_another_currency_needs_a_rate(rollups: Path, tmp_path: Path) -> None:
    bill = billed(tmp_path / "bill.csv", {"BillingCurrency": "EUR", "BilledCost": "2"})
    with pytest.raises(SourceUnreadable, match="row 1: the amount is in EUR, for which no rate"):
        CliRunner().invoke(cli, ["reconcile", str(rollups), str(bill)], catch_exceptions=False)
    config = tmp_path / "tidegate.toml"
    config.write_text('[[pricing.exchange_rates]]\ncurrency = "EUR"\nusd = "1.5"\n')
    assert found(rollups, bill, "--config", config)["bill"] == "3"


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.csv", "BilledCost,ChargePeriodStart\nmuch,2026-10-01\n", "row 1"),
        ("a.csv", "BilledCost\n1\n", "row 1: it has no ChargePeriodStart"),
        ("a.csv", "", "no rows"),
        ("a.csv", "BilledCost,ChargePeriodStart\n", "no rows"),
        ("a.jsonl", "1\n", "row 1"),
        ("a.jsonl", "{\n", "a.jsonl"),
        ("a.txt", "", "not a .jsonl"),
        ("a.parquet", "no parquet", "a.parquet"),
    ],
)
def test_what_is_no_bill_is_said_in_a_line(name: str, text: str, why: str, rollups: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceUnreadable, match=why):
        CliRunner().invoke(cli, ["reconcile", str(rollups), str(tmp_path / name)], catch_exceptions=False)


@pytest.mark.parametrize("name", ["missing.parquet", "bad.parquet", "bad.jsonl"])
def test_what_is_no_rollup_is_said_in_a_line(name: str, tmp_path: Path) -> None:
    if name.startswith("bad"):
        (tmp_path / name).write_text("{}\n")
    with pytest.raises(SourceUnreadable, match=name):
        spent_of(str(tmp_path / name), Config().kafka)


def test_real_exports_are_read_to_the_last_cent(payloads: Path) -> None:
    files = [*payloads.glob("focus/*.csv"), *payloads.glob("focus/*.parquet"), *payloads.glob("focus/*/*.csv")]
    assert len(files) >= 6
    for file in files:
        rows = [orjson.loads(row) for row in records(file) if isinstance(row, bytes)]
        services = tuple({row["ServiceName"] for row in rows if row.get("ServiceName")} | {""})
        bill = bill_of(
            (row for row in records(file) if isinstance(row, bytes)),
            str(file),
            rate=Rates(()).usd,
            cost="BilledCost",
            tag="application",
            services=services,
        )
        assert len(bill.charges) == len(rows)
        events = [item for row in rows for item in Decoder().decode(orjson.dumps(row), LATER)]
        assert [(e.model.lower(), e.tokens, e.cost_usd) for e in events if isinstance(e, UsageEvent)] == [
            (charge.model, charge.tokens or 0, charge.usd) for charge in bill.charges
        ]
        assert sum((charge.usd for charge in bill.charges), ZERO) == sum(Decimal(str(r["BilledCost"])) for r in rows)
