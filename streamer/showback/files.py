"""Showback of the rollups that a replay wrote."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from streamer.errors import SourceUnreadable
from streamer.pricing.money import COST_KINDS
from streamer.records import Scope
from streamer.showback.spend import Spent

_SCOPE = ("use_case", "agent")
_COLUMNS = ["series", "level", "tenant", *_SCOPE, "start", "part", *(f"usd_{kind}" for kind in COST_KINDS)]
_LEVELS = ["tenant", "use_case", "agent"]


def read(path: Path) -> Iterator[Spent]:
    """Give the rollups of tenants, use cases and agents; raises SourceUnreadable."""
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=_COLUMNS):
                wanted = batch.filter(pc.is_in(batch["level"], pa.array(_LEVELS)))
                yield from map(_spent, wanted.to_pylist())
    except (OSError, pa.ArrowException) as error:
        raise SourceUnreadable(f"{path} holds no rollups that can be read: {error}") from error


def newest(path: Path) -> Any:
    """Give the start of the newest window; None where there is none. Raises SourceUnreadable."""
    try:
        return pc.max(parquet.read_table(path, columns=["start"])["start"]).as_py()
    except (OSError, pa.ArrowException) as error:
        raise SourceUnreadable(f"{path} holds no rollups that can be read: {error}") from error


def _spent(row: dict[str, Any]) -> Spent:
    usd = {kind: Decimal(row[f"usd_{kind}"]) for kind in COST_KINDS if row[f"usd_{kind}"]}
    scope = Scope(**{name: row[name] or "" for name in _SCOPE})
    return Spent(row["series"], row["level"], row["tenant"], scope, row["start"], row["part"], usd)
