"""What a picture of an incident is drawn from: how its series went, before it and since."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

import msgspec

from alerts.alert import Alert
from alerts.incident import Incident


class Sample(msgspec.Struct, frozen=True):
    """One point of a series: its value over the time that ends at `at` (epoch seconds)."""

    at: float
    value: float


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A series in the unit that people read, oldest sample first.

    `unit` names it (`requests a minute`). Of a rate, values are over `per` seconds (60: a minute); `per` is 0 for what
    is no rate, where what the detector says is to be multiplied by `factor`. `split` are the dollars by kind of cost
    since the incident opened.
    """

    unit: str
    per: float = 0.0
    factor: float = 0.0
    samples: tuple[Sample, ...] = ()
    split: Mapping[str, Decimal] = {}

    def scaled(self, value: float, alert: Alert) -> float | None:
        """Bring what a detector says of an alert into the unit of the series; None where it says something else."""
        if self.per:
            return value * self.per / alert.seconds if alert.seconds else None
        return value * self.factor if self.factor else None


class Historian(Protocol):
    """Looks up how the series of an incident went."""

    async def of(self, incident: Incident) -> History | None:
        """Give its history, None where nothing is known; any error counts as that too."""


def told(incident: Incident) -> History:
    """Give what the incident's own updates tell of its main alert, for want of more."""
    main = incident.main
    readings = [reading for reading in incident.track if reading.alert == main.id]
    metric = main.series.rpartition("#")[2].replace("_", " ") or main.labels.get("kind", "")
    unit = f"{metric} in {main.seconds:g} s" if main.seconds else metric
    samples = tuple(Sample(reading.at, reading.observed) for reading in readings)
    return History(unit=unit, factor=1.0, samples=samples)


def joined(past: History, incident: Incident) -> History:
    """Add what the incident's updates tell of the time after the last sample: windows that are still open."""
    main, samples = incident.main, list(past.samples)
    for reading in incident.track:
        value = past.scaled(reading.observed, main)
        if reading.alert == main.id and value is not None and (not samples or reading.at > samples[-1].at):
            samples.append(Sample(reading.at, value))
    return msgspec.structs.replace(past, samples=tuple(samples))
