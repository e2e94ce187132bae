"""A FOCUS export (1.0 to 1.4; CSV, Parquet or JSON rows) as the charges that a stream of usage can be held against."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date
from decimal import Decimal
from typing import Any, Literal

import msgspec
import orjson

from streamer.errors import SourceUnreadable
from streamer.events.formats.base import Rate, Unmappable
from streamer.events.formats.focus_rows import Cells, begin_of, cells_of, model_of, tokens_of
from streamer.events.formats.values import amount, dollars, mapping, text
from streamer.pricing.money import ZERO, added

Kind = Literal["usage", "credit", "other"]
_AI = "AI and Machine Learning"


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
    tokens: int | None


class Bill(msgspec.Struct):
    """The charges, and what rows of other services were left out: how many, of how much."""

    charges: list[Charge]
    left_out: int = 0
    usd_left_out: Decimal = ZERO


def bill_of(
    records: Iterable[bytes], source: str, *, rate: Rate, cost: str, tag: str, services: tuple[str, ...]
) -> Bill:
    """Read rows of JSON, one or an array of them a record: those of `services`, else of AI services and of models.

    `cost` names the column of dollars, `tag` the tag that names the tenant. Raises SourceUnreadable.
    """
    bill = Bill([])
    for number, row in enumerate(_rows(records), 1):
        try:
            cells = cells_of(row)
            charge = _charge(cells, rate, cost, tag)
        except (Unmappable, AttributeError, TypeError) as error:
            why = error if isinstance(error, Unmappable) else "a row must be a JSON object"
            raise SourceUnreadable(f"{source}, row {number}: {why}") from None
        if charge.service in services if services else charge.model or cells.get("ServiceCategory") == _AI:
            bill.charges.append(charge)
        else:
            bill.left_out += 1
            bill.usd_left_out = added((bill.usd_left_out, charge.usd))
    if not (bill.charges or bill.left_out):
        raise SourceUnreadable(f"{source}: it has no rows")
    return bill


def _rows(records: Iterable[bytes]) -> Iterator[Any]:
    for record in records:
        if not record.isspace():
            found = orjson.loads(record)
            yield from found if isinstance(found, list) else [found]


def _charge(cells: Cells, rate: Rate, cost: str, tag: str) -> Charge:
    begin, given = begin_of(cells), amount(cells.get(cost), cost)
    if begin is None or given is None:
        raise Unmappable("missing_field", f"it has no {cost if begin else 'ChargePeriodStart'}")
    usd = dollars(given, cells.get("BillingCurrency"), begin, rate) or ZERO
    tags = {str(name).lower(): text(value) for name, value in mapping(cells.get("Tags")).items()}
    tokens = tokens_of(cells)
    return Charge(
        day=begin.astimezone(UTC).date(),
        service=text(cells.get("ServiceName")),
        model=model_of(cells).lower(),
        tenant=tags.get(tag.lower(), ""),
        kind=_kind(text(cells.get("ChargeCategory") or "Usage").lower(), usd),
        usd=usd,
        tokens=tokens["input_tokens"] + tokens["output_tokens"] if tokens else None,
    )


def _kind(category: str, usd: Decimal) -> Kind:
    if category in ("credit", "adjustment") or usd < 0:
        return "credit"
    return "usage" if category == "usage" else "other"
