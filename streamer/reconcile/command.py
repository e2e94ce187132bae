"""`tidegate reconcile`: two sources in, a table or JSON out."""

from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from streamer.config import Config
from streamer.errors import SourceUnreadable
from streamer.events.rejected import Rejected
from streamer.pricing.agreed import Rates
from streamer.reconcile.bill import Bill, bill_of
from streamer.reconcile.compare import reconcile
from streamer.reconcile.show import shown
from streamer.reconcile.stream import spent_of
from streamer.replay.sources import DAMAGES, records


def run(rollups: str, export: Path, config: Config, *, most: int, **options: Any) -> None:
    """Compare and print: the `most` largest gaps as a table, or all as JSON where that is 0.

    Raises SourceUnreadable.
    """
    found = reconcile(spent_of(rollups, config.kafka), _bill(export, config, options))
    if most:
        Console().print(shown(found, most))
    else:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())


def _bill(export: Path, config: Config, options: dict[str, Any]) -> Bill:
    try:
        rows = records(export)
        return bill_of(map(_whole, rows), str(export), rate=Rates(config.pricing.exchange_rates).usd, **options)
    except DAMAGES as error:
        raise SourceUnreadable(f"{export}: {error}") from error


def _whole(row: bytes | Rejected) -> bytes:
    if isinstance(row, Rejected):
        raise ValueError(row.detail)
    return row
