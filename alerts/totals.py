"""What the alerts of an incident come to."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

import msgspec

from alerts.alert import RANK, Severity
from alerts.kept import Rest

_NOTHING, _LESS = Decimal(0), Decimal("-Infinity")


class Totals(NamedTuple):
    """How bad it is, what it has cost and costs an hour, whether any of it goes on, and in how many tenants it is."""

    severity: Severity
    usd_excess: Decimal
    usd_per_hour: Decimal
    going_on: bool
    tenants: int


def totals_of(alerts: Iterable[Rest], severity: Severity) -> Totals:
    """Sum alerts up; `severity` is the least that comes out.

    Alerts of one tenant see the same spend at several levels, so its greatest stands for all of them.
    """
    excess: dict[str, Decimal] = {}
    per_hour: dict[str, Decimal] = {}
    going_on = False
    # One pass, for a storm has a thousand of them and sums up at each.
    for one in alerts:
        tenant, worst, closed, usd_excess, usd_per_hour = msgspec.structs.astuple(one)
        if usd_excess > excess.get(tenant, _LESS):
            excess[tenant] = usd_excess
        if usd_per_hour > per_hour.get(tenant, _LESS):
            per_hour[tenant] = usd_per_hour
        going_on = going_on or not closed
        if worst != severity and RANK[worst] > RANK[severity]:
            severity = worst
    total, rate = sum(excess.values(), _NOTHING), sum(per_hour.values(), _NOTHING)
    return Totals(severity, total, rate, going_on, len(excess))
