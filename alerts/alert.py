"""What the alert side knows of an anomaly."""

from datetime import datetime
from decimal import Decimal
from typing import Literal, get_args

import msgspec

#: The name of a label: one of `LABELS`, or a tag of the owners' file, such as `tag:cost_centre`.
Label = str
Named = Literal["tenant", "use_case", "agent", "model", "session", "tool", "kind", "severity", "line", "owner"]
LABELS: tuple[Label, ...] = get_args(Named)
TAG = "tag:"
Severity = Literal["info", "warning", "critical"]
AlertState = Literal["opened", "updated", "closed"]

RANK: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}


class Cause(msgspec.Struct, frozen=True):
    """A part of what an alert is about, and its share (0 to 1) of what is above normal."""

    level: Literal["use_case", "agent", "model", "tool", "session"]
    name: str
    share: float


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One anomaly at one moment; records of the same `id` are the same anomaly going on.

    `labels` say whom it concerns, and never hold an empty value; `line` is the line of a budget that is crossed, and
    changes when a stronger one is. `usd_excess` is in dollars so far,
    `usd_per_hour` in dollars an hour if nobody acts. `series` is what is judged (`tenant=acme#requests`); of a rate,
    `observed`, `expected` and `ceiling` are over `seconds`, which is 0 where something else is judged. `causes` are
    what is behind it, the largest first.
    """

    id: str
    state: AlertState
    severity: Severity
    labels: dict[Label, str]
    detector: str
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    observed: float
    expected: float
    usd_excess: Decimal
    usd_per_hour: Decimal
    reason: str
    series: str = ""
    seconds: float = 0.0
    ceiling: float = 0.0
    causes: tuple[Cause, ...] = ()
