"""What is written down of a tenant's watch."""

import msgspec

from streamer.judges.book import Standing
from streamer.judges.policies import Tolerance
from streamer.records import AnomalyKind
from streamer.windows.entity import Entity


class WrittenWatch(msgspec.Struct, array_like=True):
    """What is written down of a tenant's watch beside its entities' models."""

    standing: list[Standing]
    waiting: list[tuple[Entity, int]]
    parents: list[Entity]
    end: float
    sessions: list[tuple[str, int]] = []
    fatigue: list[tuple[AnomalyKind, Tolerance]] = []
