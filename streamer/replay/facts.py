"""What a replay found, gathered as it goes on: for the summary, the report and the comparison of configurations."""

from collections.abc import Iterable
from decimal import Decimal
from math import inf
from typing import NamedTuple

import msgspec

from alerts.incident import Incident
from alerts.throttle.command import Command
from streamer.judges.horizons import Band
from streamer.pricing.money import COST_KINDS, CostKind
from streamer.records import Anomaly
from streamer.replay.charges import SUMS, Charge, Key, date_of
from streamer.replay.office import Told
from streamer.replay.run import Chunk, Step

# So many readings of a case are kept; past them every second one is dropped.
_MOST_READINGS = 400
_FEMTO, _GIVEN = SUMS.index("femtodollars"), SUMS.index("femtodollars_given")


class Reading(NamedTuple):
    """How a case stood at a moment (epoch seconds). `ceiling` is None where it is judged by none."""

    at: float
    observed: float
    expected: float
    ceiling: float | None
    usd_excess: Decimal


class Found(msgspec.Struct):
    """One anomaly as it was first and last, the last with the worst rate that it had, and how it came to that.

    `windows` is over how many windows a burst was found.
    """

    first: Anomaly
    last: Anomaly
    readings: list[Reading]
    windows: int = 1

    @property
    def when_known(self) -> Decimal:
        """How many dollars above normal it had come to when it was opened."""
        return self.first.usd_excess

    def take(self, case: Anomaly, band: Band | None) -> None:
        """Take in how it goes on."""
        worst = max(self.last.usd_per_hour, case.usd_per_hour)
        self.last = msgspec.structs.replace(case, usd_per_hour=worst)
        ceiling = band.ceiling if band else None
        self.readings.append(
            Reading(case.updated_at.timestamp(), case.observed, case.expected, ceiling, case.usd_excess)
        )
        if len(self.readings) > _MOST_READINGS:
            del self.readings[1:-1:2]


class Message(NamedTuple):
    """An incident as people were told of it last: when first, how often."""

    incident: Incident
    first: float
    times: int


class Facts:
    """All of it. Grows with the anomalies and with the parts of tenants, not with the events."""

    def __init__(self) -> None:
        self.begin, self.end = inf, -inf
        self.read = 0
        self.anomalies: dict[str, Found] = {}
        self.incidents: dict[str, Message] = {}
        #: Ids of all anomalies of each incident.
        self.members: dict[str, list[str]] = {}
        self.commands: list[Command] = []
        #: Sums in the order of SUMS, by key; instead of the day it has the first one of the month.
        self.sums: dict[Key, list[int]] = {}

    def take(self, chunk: Chunk) -> None:
        """Take in what some events brought out."""
        self.read += chunk.events
        if chunk.events:
            self.begin, self.end = chunk.earliest, chunk.at
        for step in chunk.steps:
            self._step(step)
        for charge in chunk.charges:
            self._charge(charge)

    def tell(self, told: Told | Command) -> None:
        """Take in what people and gateways were told."""
        if isinstance(told, Command):
            self.commands.append(told)
            return
        incident = told.notification.incident
        known = self.incidents.get(incident.id)
        self.incidents[incident.id] = Message(
            incident, known.first if known else told.at, known.times + 1 if known else 1
        )

    @property
    def spend(self) -> dict[str, dict[CostKind, int]]:
        """Femtodollars by tenant and by kind of cost."""
        found: dict[str, dict[CostKind, int]] = {}
        for key, sums in self.sums.items():
            if sums[_FEMTO] and key.kind in COST_KINDS:
                split = found.setdefault(key.tenant, {})
                split[key.kind] = split.get(key.kind, 0) + sums[_FEMTO]
        return found

    @property
    def given(self) -> int:
        """Femtodollars that senders gave."""
        return sum(sums[_GIVEN] for sums in self.sums.values())

    @property
    def messages(self) -> int:
        """How many messages people would have got."""
        return sum(message.times for message in self.incidents.values())

    def in_order(self) -> list[Found]:
        """Give the anomalies in the order in which they were known."""
        return sorted(self.anomalies.values(), key=lambda found: (found.last.opened_at, found.last.id))

    def _step(self, step: Step) -> None:
        for case in step.anomalies:
            band = step.bands.get(case.id)
            found = self.anomalies.get(case.id)
            if found is None:
                found = self.anomalies[case.id] = Found(case, case, [], band.windows if band else 1)
            found.take(case, band)

    def _charge(self, charge: Charge) -> None:
        sums = self.sums.setdefault(charge.key._replace(day=_month(charge.key.day)), [0] * len(SUMS))
        for place, amount in enumerate(charge[1:]):
            sums[place] += amount


def total(rows: Iterable[list[int]]) -> dict[str, int]:
    """Add sums up, by name."""
    added = [0] * len(SUMS)
    for sums in rows:
        for place, amount in enumerate(sums):
            added[place] += amount
    return dict(zip(SUMS, added, strict=True))


def _month(day: int) -> int:
    """Give the first day of the month that a day lies in."""
    return day - date_of(day).day + 1
