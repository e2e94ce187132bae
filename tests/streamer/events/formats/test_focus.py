"""Rows of real and synthetic bills become events that say what the rows say, whatever file they come in."""

import csv
import gzip
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from streamer.events.decoder import Decoded, Decoder
from streamer.events.formats.base import Names
from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent
from tests.streamer.samples import NOW

BILLS = [
    "focus_1_2_aws_synthetic.csv",
    "focus_1_2_azure_synthetic.csv",
    "focus_1_2_gcp_synthetic.csv",
    "focus_1_3_aws_synthetic.csv",
    "fetched-github/focus_sample_1.0.csv",
]
ROW: dict[str, Any] = {
    "BilledCost": "1.5",
    "EffectiveCost": "1.25",
    "BillingCurrency": "USD",
    "ChargePeriodStart": "2026-11-20T00:00:00Z",
    "ChargePeriodEnd": "2026-11-21T00:00:00Z",
    "ChargeCategory": "Usage",
    "ProviderName": "AWS",
    "ServiceName": "Amazon Bedrock",
    "SubAccountName": "research",
}


def decode(record: bytes, **settings: Any) -> list[Decoded]:
    return Decoder(**settings).decode(record, NOW)


def one(row: dict[str, Any], **settings: Any) -> UsageEvent:
    (event,) = decode(orjson.dumps(row), **settings)
    assert isinstance(event, UsageEvent), event
    return event


def reason(row: dict[str, Any]) -> str:
    (item,) = decode(orjson.dumps(row))
    assert isinstance(item, Rejected)
    return item.reason


@lru_cache
def bill(payloads: Path, name: str) -> list[tuple[dict[str, str], UsageEvent]]:
    """Each row of a bill beside its event; what a bill spells NULL is empty."""
    record = (payloads / "focus" / name).read_bytes()
    rows = list(csv.DictReader(io.StringIO(record.decode())))
    plain = [{column: "" if value == "NULL" else value for column, value in row.items()} for row in rows]
    found = []
    for row, item in zip(plain, decode(record), strict=True):
        assert isinstance(item, UsageEvent), item
        found.append((row, item))
    return found


@pytest.mark.parametrize("name", BILLS)
def test_costs_are_the_bills_own_to_the_last_digit(payloads: Path, name: str) -> None:
    pairs = bill(payloads, name)
    assert [event.cost_usd for _, event in pairs] == [Decimal(row["BilledCost"]) for row, _ in pairs]


@pytest.mark.parametrize("name", BILLS)
def test_who_what_and_when_are_the_rows_own(payloads: Path, name: str) -> None:
    for row, event in bill(payloads, name):
        start = datetime.fromisoformat(row["ChargePeriodStart"])
        assert event.time == (start if start.tzinfo else start.replace(tzinfo=UTC))
        tags = orjson.loads(row["Tags"]) if row["Tags"] else {}
        owners = (tags.get("tenant"), row["SubAccountName"], row["SubAccountId"], row["BillingAccountName"])
        assert event.tenant == next(filter(None, owners), row["BillingAccountId"])
        assert event.use_case == next(
            filter(None, map(tags.get, ("use_case", "application", "app", "project"))), row["ServiceName"]
        )
        assert event.provider == row.get("ServiceProviderName", row["ProviderName"])
        assert event.tags.items() >= {key: str(value) for key, value in tags.items() if value != ""}.items()
        assert event.tags["ChargeCategory"] == row["ChargeCategory"]
        assert (event.source, event.kind, event.tokens) == ("focus", "saas", 0)


@pytest.mark.parametrize("name", BILLS)
def test_quantities_are_those_consumed_or_else_priced(payloads: Path, name: str) -> None:
    for row, event in bill(payloads, name):
        quantities = {what: Decimal(row[f"{what}Quantity"] or 0) for what in ("Consumed", "Pricing")}
        what = next((what for what, quantity in quantities.items() if quantity > 0), None)
        assert event.quantity == (quantities[what] if what else 0)
        assert event.unit == (row[f"{what}Unit"] if what else "")


@pytest.mark.parametrize("name", BILLS)
def test_each_row_has_an_id_of_its_own_and_the_same_again(payloads: Path, name: str) -> None:
    ids = [event.id for _, event in bill(payloads, name)]
    assert len(set(ids)) == len(ids)
    again = decode((payloads / "focus" / name).read_bytes())
    assert ids == [event.id for event in again if isinstance(event, UsageEvent)]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"ConsumedQuantity": "2", "ConsumedUnit": "1,000 Tokens"}, 2000),
        ({"ConsumedQuantity": 3, "ConsumedUnit": "1K tokens"}, 3000),
        ({"PricingQuantity": "0.5", "PricingUnit": "1M Tokens"}, 500_000),
        (
            {"ConsumedQuantity": "7", "ConsumedUnit": "Requests", "PricingQuantity": "1.5", "PricingUnit": "K tokens"},
            1500,
        ),
        ({"ConsumedQuantity": "-4", "ConsumedUnit": "Tokens"}, 0),
    ],
)
def test_quantities_in_tokens_are_tokens(cells: dict[str, Any], expected: int) -> None:
    assert one({**ROW, **cells}).input_tokens == expected


def test_tags_of_a_warehouse_are_a_list_and_may_name_the_model() -> None:
    event = one({**ROW, "Tags": [{"key": "tenant", "value": "acme"}, {"key": "model", "value": "gpt-4o"}]})
    assert (event.tenant, event.model, event.kind, event.tags["model"]) == ("acme", "gpt-4o", "llm", "gpt-4o")


def test_parquet_and_csv_of_a_bill_are_the_same_events(payloads: Path) -> None:
    folder = payloads / "focus"
    written = (folder / "focus_1_2_aws_synthetic.csv").read_bytes()
    assert decode((folder / "focus_1_2_aws_synthetic.parquet").read_bytes()) == decode(written)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
@pytest.mark.parametrize("name", ["focus_1_2_aws_synthetic.csv", "focus_1_2_aws_synthetic.parquet"])
def test_bills_may_be_packed(payloads: Path, name: str, pack: Any) -> None:
    record = (payloads / "focus" / name).read_bytes()
    assert decode(pack(record)) == decode(record)


def test_json_rows_and_lines_and_csv_are_the_same_events() -> None:
    rows = [{**ROW, "BilledCost": str(number)} for number in range(3)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(ROW))
    writer.writeheader()
    writer.writerows(rows)
    expected = [one(row) for row in rows]
    lines = b"\n".join(map(orjson.dumps, rows))
    assert decode(orjson.dumps(rows)) == decode(lines) == decode(text.getvalue().encode()) == expected
    marked = b"\xef\xbb\xbf" + text.getvalue().encode()
    assert decode(marked) == expected


def test_a_row_that_comes_again_has_its_id_and_a_correction_has_another() -> None:
    again = {
        **ROW,
        "InvoiceId": "INV-1",
        "x_ExportedAt": "today",
        "BilledCost": "1.50",
        "ChargePeriodStart": "2026-11-20 00:00:00",
    }
    correction = {**ROW, "ChargeClass": "Correction", "BilledCost": "-1.5"}
    second = {**correction, "BilledCost": "-0.5"}
    assert one(again).id == one(ROW).id
    assert len({one(row).id for row in (ROW, correction, second)}) == 3


def test_credits_and_corrections_are_negative_and_consume_nothing() -> None:
    credit = {
        **ROW,
        "ChargeCategory": "Credit",
        "BilledCost": "-2.61370000000",
        "ConsumedQuantity": "-3",
        "ConsumedUnit": "Hours",
    }
    event = one(credit)
    assert (event.cost_usd, event.quantity, event.unit) == (Decimal("-2.6137"), 0, "")
    tokens = one({**ROW, "BilledCost": "-1", "x_InputTokens": "-100", "x_AIModel": "m"})
    assert (tokens.cost_usd, tokens.input_tokens) == (Decimal(-1), 0)


def test_tokens_are_in_vendors_columns() -> None:
    event = one({**ROW, "x_AIModel": "gpt-4o", "x_InputTokens": 100, "x_OutputTokens": "20", "x_CachedTokens": 30.0})
    assert (event.kind, event.model) == ("llm", "gpt-4o")
    assert (event.input_tokens, event.output_tokens, event.cache_read_tokens) == (100, 20, 30)


@pytest.mark.parametrize(
    ("unit", "meter", "expected"),
    [
        ("Tokens", "Input tokens", (1500, 0, 0, 0)),
        ("tokens", "Output tokens", (0, 1500, 0, 0)),
        ("1K tokens", "input", (1_500_000, 0, 0, 0)),
        ("1M Tokens", "completion", (0, 1_500_000_000, 0, 0)),
        ("Thousand Tokens", "cache read", (1_500_000, 0, 1_500_000, 0)),
        ("Output Tokens", "", (0, 1500, 0, 0)),
        ("tokens", "chat completions, input", (1500, 0, 0, 0)),
        ("tokens", "chat completions, cached input", (1500, 0, 1500, 0)),
        ("tokens", "cache write, 5 minutes", (1500, 0, 0, 1500)),
        ("tokens", "Prompt cache creation", (1500, 0, 0, 1500)),
        ("Hours", "tokens", (0, 0, 0, 0)),
    ],
)
def test_tokens_may_be_what_was_consumed(unit: str, meter: str, expected: tuple[int, ...]) -> None:
    event = one({**ROW, "ConsumedQuantity": "1500", "ConsumedUnit": unit, "SkuMeter": meter})
    assert (event.input_tokens, event.output_tokens, event.cache_read_tokens, event.cache_write_tokens) == expected


def test_names_of_the_provider_are_those_of_each_version() -> None:
    new = {name: value for name, value in ROW.items() if name != "ProviderName"}
    assert one({**new, "ServiceProviderName": "Azure", "HostProviderName": "x"}).provider == "Azure"
    assert one({**ROW, "ServiceProviderName": "Azure"}).provider == "Azure"
    assert one(ROW).provider == "AWS"


def test_another_currency_needs_a_rate() -> None:
    euros = {**ROW, "BillingCurrency": "EUR"}
    (refused,) = decode(orjson.dumps(euros))
    assert isinstance(refused, Rejected)
    assert (refused.reason, "EUR" in refused.detail) == ("unknown_currency", True)
    asked: list[tuple[str, date]] = []

    def rate(currency: str, day: date) -> Decimal:
        asked.append((currency, day))
        return Decimal("1.1")

    assert one(euros, rate=rate).cost_usd == Decimal("1.65")
    assert asked == [("EUR", one(ROW).time.date())]
    assert one({**euros, "BilledCost": "0"}).cost_usd == 0
    assert one({**ROW, "BillingCurrency": "usd"}).cost_usd == Decimal("1.5")


def test_the_cost_that_counts_is_configured() -> None:
    names = Names(tenant=("SubAccountName",), cost=("EffectiveCost",))
    assert one(ROW, names={"focus": names}).cost_usd == Decimal("1.25")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"BilledCost": "much"}, "wrong_type"),
        ({"BilledCost": "1e99"}, "wrong_type"),
        ({"BilledCost": "Infinity"}, "wrong_type"),
        ({"ChargePeriodStart": "yesterday"}, "impossible_time"),
        ({"ChargePeriodStart": "0001-01-01T00:00:00+23:59", "BillingCurrency": "EUR"}, "impossible_time"),
        ({"ChargePeriodStart": "2031-01-01T00:00:00Z"}, "impossible_time"),
        ({"SubAccountName": "NULL"}, "missing_tenant"),
        ({"x_InputTokens": "1.5"}, "wrong_type"),
        ({"Tags": "{broken", "BilledCost": []}, "wrong_type"),
    ],
)
def test_a_bad_row_has_a_named_reason(change: dict[str, Any], expected: str) -> None:
    assert reason({**ROW, **change}) == expected


def test_a_row_with_too_many_cells_is_rejected_alone() -> None:
    text = ",".join(ROW) + "\n" + ",".join(map(str, ROW.values())) + "\n" + ",".join(map(str, ROW.values())) + ",more\n"
    good, bad = decode(text.encode())
    assert isinstance(good, UsageEvent)
    assert isinstance(bad, Rejected)
    assert (bad.reason, bad.item) == ("wrong_type", 1)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_what_unpacks_beyond_the_bound_is_too_large(pack: Any) -> None:
    record = pack(b" " * 100_000)
    (item,) = decode(record, max_record_bytes=50_000)
    assert isinstance(item, Rejected)
    assert item.reason == "too_large"


def test_parquet_that_unpacks_beyond_the_bound_is_too_large() -> None:
    table = pa.table({"ChargePeriodStart": ["2026-11-20"] * 2000, "ServiceName": ["x" * 1000] * 2000})
    made = pa.BufferOutputStream()
    parquet.write_table(table, made)
    record = made.getvalue().to_pybytes()
    assert len(record) < 50_000
    (item,) = decode(record, max_record_bytes=50_000)
    assert isinstance(item, Rejected)
    assert item.reason == "too_large"


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=12))
def test_any_amount_is_kept_exactly(amount: Decimal) -> None:
    assert one({**ROW, "BilledCost": str(amount)}).cost_usd == amount
