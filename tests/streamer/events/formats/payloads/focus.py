"""Bills of FOCUS: rows of CSV and Parquet, about machines and storage, none about a model."""

import csv
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pyarrow import parquet

from tests.streamer.events.formats.payloads.told import HASHED, Told, told

Row = dict[str, str]
_TAGS = ("ServiceName", "ServiceCategory", "ChargeCategory", "ChargeClass", "RegionId")


def expected(path: Path) -> list[Told]:
    return list(map(_told, _parquet(path) if path.suffix == ".parquet" else _csv(path)))


def _csv(path: Path) -> list[Row]:
    with path.open(newline="") as lines:
        return [{name: "" if cell == "NULL" else cell for name, cell in row.items()} for row in csv.DictReader(lines)]


def _parquet(path: Path) -> list[Row]:
    rows = parquet.read_table(path).to_pylist()
    return [{name: "" if cell is None else _spelled(cell) for name, cell in row.items()} for row in rows]


def _spelled(cell: Any) -> str:
    if isinstance(cell, list | dict):
        return json.dumps(dict(cell))
    return cell.isoformat() if isinstance(cell, datetime) else str(cell)


def _told(row: Row) -> Told:
    own = json.loads(row["Tags"]) if row["Tags"] else {}
    start = datetime.fromisoformat(row["ChargePeriodStart"])
    owners = (own.get("tenant"), *(row[name] for name in ("SubAccountName", "SubAccountId", "BillingAccountName")))
    uses = (own.get(name) for name in ("use_case", "application", "app", "project"))
    return told(
        id=HASHED,
        source="focus",
        time=start if start.tzinfo else start.replace(tzinfo=UTC),
        tenant=next(filter(None, owners), row["BillingAccountId"]),
        use_case=next(filter(None, uses), row["ServiceName"]),
        agent=own.get("agent"),
        user=own.get("user_id") or own.get("user"),
        kind="saas",
        provider=row.get("ServiceProviderName") or row["ProviderName"],
        cost_usd=Decimal(row["BilledCost"]),
        requests=max(0, int(Decimal(row["ConsumedQuantity"]))) if row["ConsumedUnit"] in ("Requests", "Request") else 0,
        tags=_tags(row, own),
        **_quantity(row),
    )


def _tags(row: Row, own: Mapping[str, Any]) -> dict[str, str]:
    assert row["BillingCurrency"] == "USD"
    tags = {name: row[name] for name in _TAGS} | {name: str(value) for name, value in own.items()}
    return {name: value for name, value in tags.items() if value}


def _quantity(row: Row) -> dict[str, Any]:
    """What was consumed, else what was priced; nothing where something is taken back."""
    for what in ("Consumed", "Pricing"):
        quantity = Decimal(row[f"{what}Quantity"] or 0)
        if quantity > 0:
            return {"quantity": quantity, "unit": row[f"{what}Unit"]}
    return {}
