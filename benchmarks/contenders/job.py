"""The job of every contender: decode, total tokens and dollars a tenant in windows of 10 seconds, emit what closed.

Decoding and writing are the same for all, so that what differs is the framework. Money is summed as Decimal.
"""

import argparse
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec

SIZE = 10.0
LATENESS = 5.0
# Windows of a tenant that are open, by start: tokens and dollars.
Open = dict[float, tuple[int, Decimal]]


class Usage(msgspec.Struct):
    """What the job needs of a usage event; the rest is skipped by the decoder."""

    tenant: str
    time: datetime
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.input_tokens + self.output_tokens


class Closed(msgspec.Struct):
    """A closed window of a tenant, as it is written to the output topic."""

    tenant: str
    start: float
    tokens: int
    usd: Decimal


class Args(argparse.Namespace):
    """Where to read and to write, and a folder for state."""

    bootstrap: str
    source: str
    sink: str
    group: str
    folder: Path


decode = msgspec.json.Decoder(Usage).decode
encode = msgspec.json.Encoder().encode


def args() -> Args:
    """Read the command line that `benchmarks.processes` gives to each contender."""
    parser = argparse.ArgumentParser()
    for name in ("bootstrap", "source", "sink", "group"):
        parser.add_argument(name)
    parser.add_argument("folder", type=Path)
    return parser.parse_args(namespace=Args())


def add(windows: Open, usage: Usage) -> list[Closed]:
    """Count one event in its tenant's windows, in place, and take out those that it closes.

    For frameworks that leave event time to their user.
    """
    at = usage.time.timestamp()
    start = at // SIZE * SIZE
    tokens, usd = windows.get(start, (0, Decimal(0)))
    windows[start] = (tokens + usage.tokens, usd + usage.cost_usd)
    if len(windows) == 1:
        return []
    over = [start for start in windows if start + SIZE <= at - LATENESS]
    return [Closed(usage.tenant, start, *windows.pop(start)) for start in over]
