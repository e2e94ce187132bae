"""A FOCUS export (1.0 to 1.4; CSV, Parquet or JSON rows) as the charges that a stream of usage can be held against."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import msgspec
import orjson

from streamer.errors import SourceUnreadable
from streamer.pricing.agreed import Rates
from streamer.pricing.money import ZERO, product

Kind = Literal["usage", "credit", "other"]
_AI = "AI and Machine Learning"
_MODELS = ("x_AIModel", "x_Model", "x_ModelName")
_TOKENS = ("x_InputTokens", "x_OutputTokens")
_SCALES = {"K": 1000, "M": 1_000_000}
# What exports write for nothing.
_NOTHING = (None, "", "NULL", "null")


class Charge(msgspec.Struct, frozen=True):
    """One row: usage, a credit (also a refund or correction), or another charge (tax, purchase).

    `day` is the UTC day on which its period begins; `tokens` is None where the bill tells none.
    """

    day: date
    service: str
    model: str
    tenant: str
    kind: Kind
    usd: Decimal
    tokens: Decimal | None


class Bill(msgspec.Struct):
    """The charges, and what rows of other services were left out: how many, of how much."""

    charges: list[Charge]
    left_out: int = 0
    usd_left_out: Decimal = ZERO


def bill_of(
    records: Iterable[bytes], source: str, *, rates: Rates, cost: str, tag: str, services: tuple[str, ...]
) -> Bill:
    """Read rows of JSON, one or an array of them a record: those of `services`, else of AI services and of models.

    `cost` names the column of dollars, `tag` the tag that names the tenant. Raises SourceUnreadable.
    """
    bill = Bill([])
    for number, row in enumerate(_rows(records), 1):
        try:
            fields = {name: value for name, value in row.items() if value not in _NOTHING}
            charge = _charge(fields, rates, cost, tag)
        except (KeyError, ValueError, InvalidOperation, TypeError, AttributeError) as error:
            why = f"needs {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
            raise SourceUnreadable(f"{source}, row {number}: {why}") from None
        if charge.service in services if services else charge.model or fields.get("ServiceCategory") == _AI:
            bill.charges.append(charge)
        else:
            bill.left_out += 1
            bill.usd_left_out += charge.usd
    return bill


def _rows(records: Iterable[bytes]) -> Iterator[Any]:
    for record in records:
        if not record.isspace():
            found = orjson.loads(record)
            yield from found if isinstance(found, list) else [found]


def _charge(fields: Mapping[str, Any], rates: Rates, cost: str, tag: str) -> Charge:
    begin = datetime.fromisoformat(fields["ChargePeriodStart"])
    day = (begin if begin.tzinfo else begin.replace(tzinfo=UTC)).astimezone(UTC).date()
    tags = {str(name).lower(): str(value) for name, value in _tags(fields.get("Tags")).items()}
    usd = _usd(_amount(fields[cost]), str(fields.get("BillingCurrency", "USD")), day, rates)
    model = next((str(fields[name]) for name in _MODELS if name in fields), tags.get("model", ""))
    return Charge(
        day=day,
        service=str(fields.get("ServiceName", "")),
        model=model.lower(),
        tenant=tags.get(tag.lower(), ""),
        kind=_kind(str(fields.get("ChargeCategory", "Usage")).lower(), usd),
        usd=usd,
        tokens=_tokens(fields),
    )


def _kind(category: str, usd: Decimal) -> Kind:
    if category in ("credit", "adjustment") or usd < 0:
        return "credit"
    return "usage" if category == "usage" else "other"


def _usd(amount: Decimal, currency: str, day: date, rates: Rates) -> Decimal:
    rate = rates.usd(currency, day)
    if rate is None:
        raise ValueError(f"no exchange rate of {currency} for {day} (pricing.exchange_rates)")
    return product(amount, rate)


def _tokens(fields: Mapping[str, Any]) -> Decimal | None:
    """Give the tokens of vendors' columns, else the consumed quantity where its unit is tokens, or 1K or 1M of them."""
    counts = [_amount(fields[name]) for name in _TOKENS if name in fields]
    if counts:
        return sum(counts, ZERO)
    unit = str(fields.get("ConsumedUnit", "")).upper()
    if "TOKEN" not in unit or "ConsumedQuantity" not in fields:
        return None
    scale = unit.replace("TOKENS", "").replace("TOKEN", "").strip().removeprefix("1")
    if scale and scale not in _SCALES:
        return None
    return _amount(fields["ConsumedQuantity"]) * _SCALES.get(scale, 1)


def _amount(value: Any) -> Decimal:
    amount = Decimal(str(value))
    if not amount.is_finite():
        raise ValueError(f"{value} is no amount")
    return amount


def _tags(tags: Any) -> Mapping[str, Any]:
    if isinstance(tags, str):
        tags = orjson.loads(tags)
    return tags if isinstance(tags, dict) else {}
