"""What an incident remembers of its course: how its alerts stood, what was sent, and who has seen it."""

from datetime import datetime

import msgspec


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """How an alert of the incident stood at `at` (epoch seconds), in the unit of its series."""

    alert: str
    at: float
    observed: float
    expected: float


class Sent(msgspec.Struct, frozen=True):
    """The last notification of an incident that a receiver took.

    `ref` is the receiver's own reference (a Slack timestamp), `revision` the incident's, `at` epoch seconds.
    """

    ref: str
    revision: int
    at: float
    resolved: bool


class Acknowledged(msgspec.Struct, frozen=True):
    """Who has seen an incident, and when."""

    by: str
    at: datetime
