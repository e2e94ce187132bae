"""The estimate beside the bill: the gap of each day, model and tenant, and its parts by what explains them.

Pure, and exact: the parts of every gap add up to it, to the last decimal.
"""

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

import msgspec

from streamer.pricing.money import ZERO, added, less, plain
from streamer.reconcile.bill import Bill, Charge
from streamer.reconcile.stream import Key, Spent

Reason = Literal[
    "credits",  # credits, refunds, corrections
    "other_charges",  # tax, purchases
    "not_yet_billed",  # the stream has usage of days after the last one of the bill
    "not_in_bill",  # the stream has usage that the bill has not
    "not_in_stream",  # the bill has usage that the stream has not
    "unpriced",  # the stream had no price for some of the usage
    "volume",  # other tokens, at the bill's dollars a token
    "price",  # the same tokens, other dollars
    "unexplained",  # both have usage, and the bill tells no tokens
]
REASONS: tuple[Reason, ...] = Reason.__args__  # type: ignore[attr-defined]
_FEMTO = Decimal("1e-15")
# Of tokens at a price: no ratio has an end.
_RATIOS = Context(prec=100, rounding=ROUND_HALF_EVEN)


class Cell(msgspec.Struct, frozen=True):
    """A day, model and tenant: dollars of both sides, their gap (bill less stream), and its parts."""

    day: date
    service: str
    model: str
    tenant: str
    stream: Decimal
    bill: Decimal
    gap: Decimal
    because: dict[Reason, Decimal]


class Reconciliation(msgspec.Struct, frozen=True):
    """All cells in order, and their sums."""

    stream: Decimal
    bill: Decimal
    gap: Decimal
    because: dict[Reason, Decimal]
    left_out: int
    usd_left_out: Decimal
    cells: list[Cell]


class _Billed(msgspec.Struct):
    """What a bill says of one key."""

    services: set[str] = msgspec.field(default_factory=set)
    rows: int = 0
    usage: Decimal = ZERO
    tokens: Decimal = ZERO
    tells_tokens: bool = True
    credits: Decimal = ZERO
    other: Decimal = ZERO

    def add(self, charge: Charge) -> None:
        self.services.add(charge.service)
        if charge.kind == "credit":
            self.credits = added((self.credits, charge.usd))
        elif charge.kind == "other":
            self.other = added((self.other, charge.usd))
        else:
            self.rows += 1
            self.usage = added((self.usage, charge.usd))
            self.tokens += charge.tokens or 0
            # A row of nothing, as bills have many, leaves nothing out.
            self.tells_tokens = self.tells_tokens and (charge.tokens is not None or not charge.usd)

    @property
    def usd(self) -> Decimal:
        return added((self.usage, self.credits, self.other))


def reconcile(stream: Mapping[Key, Spent], bill: Bill) -> Reconciliation:
    """Compare by day, and by model and tenant as far as the bill names any.

    Models go by the last part of their names: what a gateway puts before it (`azure/gpt-4o`) is in no bill.
    """
    models = any(charge.model for charge in bill.charges)
    tenants = any(charge.tenant for charge in bill.charges)

    def key_of(day: date, model: str, tenant: str) -> Key:
        return day, model.rpartition("/")[2] if models else "", tenant if tenants else ""

    spent: dict[Key, Spent] = {}
    for key, one in stream.items():
        spent.setdefault(key_of(*key), Spent()).add(one)
    billed: dict[Key, _Billed] = {}
    for charge in bill.charges:
        billed.setdefault(key_of(charge.day, charge.model, charge.tenant), _Billed()).add(charge)
    last = max((charge.day for charge in bill.charges), default=date.min)
    keys = sorted(spent.keys() | billed.keys())
    cells = [_cell(key, spent.get(key, Spent()), billed.get(key, _Billed()), last) for key in keys]
    return _total(cells, bill)


def _cell(key: Key, spent: Spent, billed: _Billed, last: date) -> Cell:
    day, model, tenant = key
    services = ", ".join(sorted(filter(None, billed.services)))
    because = _parts(spent, billed, late=day > last)
    gap = less(billed.usd, spent.usd)
    explained = {name: plain(usd) for name, usd in because.items() if usd}
    return Cell(day, services, model, tenant, plain(spent.usd), plain(billed.usd), plain(gap), explained)


def _parts(spent: Spent, billed: _Billed, late: bool) -> dict[Reason, Decimal]:
    found: dict[Reason, Decimal] = {"credits": billed.credits, "other_charges": billed.other}
    gap = less(billed.usage, spent.usd)
    if not billed.rows:
        found["not_yet_billed" if late else "not_in_bill"] = gap
    elif not spent.events:
        found["not_in_stream"] = gap
    elif spent.unpriced and gap > 0:
        found["unpriced"] = gap
    elif billed.tells_tokens and billed.tokens and spent.tokens:
        more = _RATIOS.multiply(billed.tokens - spent.tokens, _RATIOS.divide(billed.usage, billed.tokens))
        found["volume"] = _RATIOS.quantize(more, _FEMTO)
        # The rest, so that both add up to the gap whatever the division leaves.
        found["price"] = less(gap, found["volume"])
    else:
        found["unexplained"] = gap
    return found


def _total(cells: list[Cell], bill: Bill) -> Reconciliation:
    sums = {reason: added(cell.because.get(reason, ZERO) for cell in cells) for reason in REASONS}
    return Reconciliation(
        stream=added(cell.stream for cell in cells),
        bill=added(cell.bill for cell in cells),
        gap=added(cell.gap for cell in cells),
        because={reason: usd for reason, usd in sums.items() if usd},
        left_out=bill.left_out,
        usd_left_out=bill.usd_left_out,
        cells=cells,
    )
