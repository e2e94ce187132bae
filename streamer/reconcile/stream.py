"""What the stream estimated, by day, model and tenant: read from the rollups of a replay or of the topic."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from pyarrow import parquet

from streamer.config import KafkaConfig
from streamer.errors import SourceUnreadable
from streamer.pricing.money import ZERO, added, less
from streamer.records import Rollup
from streamer.replay.sources import DAMAGES, records
from streamer.replay.topic import topic_records

_COLUMNS = ["level", "tenant", "model", "start", "events", "input_tokens", "output_tokens", "unpriced", "usd"]
_SUMS = ("events", "input_tokens", "output_tokens", "unpriced", "usd")
# Day, model in lower case ("" for what is no model's), tenant.
Key = tuple[date, str, str]


class Spent(msgspec.Struct):
    """Sums over rollups."""

    events: int = 0
    tokens: int = 0
    unpriced: int = 0
    usd: Decimal = ZERO

    def add(self, other: "Spent", sign: int = 1) -> None:
        """Add, or take away."""
        self.events += sign * other.events
        self.tokens += sign * other.tokens
        self.unpriced += sign * other.unpriced
        self.usd = added((self.usd, other.usd)) if sign > 0 else less(self.usd, other.usd)


class _Sums:
    """Models are summed up by themselves; what a tenant has beyond them is no model's."""

    def __init__(self) -> None:
        self._found: dict[Key, Spent] = {}

    def add(self, level: str, key: Key, spent: Spent) -> None:
        day, model, tenant = key
        if level == "model":
            self._at((day, model.lower(), tenant)).add(spent)
            self._at((day, "", tenant)).add(spent, -1)
        elif level == "tenant":
            self._at((day, "", tenant)).add(spent)

    def found(self) -> dict[Key, Spent]:
        return {key: spent for key, spent in self._found.items() if spent != Spent()}

    def _at(self, key: Key) -> Spent:
        return self._found.setdefault(key, Spent())


def spent_of(source: str, kafka: KafkaConfig) -> dict[Key, Spent]:
    """Read rollups: `.parquet` of a replay, `.jsonl` as on the topic, or `kafka://host:port/topic`.

    Raises SourceUnreadable.
    """
    sums = _Sums()
    if source.startswith("kafka://"):
        _add_records(sums, (record.value or b"" for record in topic_records(source, kafka)), source)
        return sums.found()
    path = Path(source)
    try:
        if path.suffix.lower() == ".parquet":
            _add_table(sums, path)
        else:
            _add_records(sums, (record for record in records(path) if isinstance(record, bytes)), source)
    except (*DAMAGES, pa.ArrowException, KeyError) as error:
        raise SourceUnreadable(f"{source} holds no rollups that can be read: {error}") from error
    return sums.found()


def _add_table(sums: _Sums, path: Path) -> None:
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=_COLUMNS):
            table = pa.Table.from_batches([batch])
            table = table.set_column(3, "start", table["start"].cast(pa.timestamp("us")).cast(pa.date32(), safe=False))
            grouped = table.group_by(_COLUMNS[:4]).aggregate([(name, "sum") for name in _SUMS])
            for row in grouped.to_pylist():
                sums.add(row["level"], (row["start"], row["model"] or "", row["tenant"]), _summed(row))


def _summed(row: Mapping[str, Any]) -> Spent:
    events, read, written, unpriced, usd = (row[f"{name}_sum"] for name in _SUMS)
    return Spent(events, read + written, unpriced, usd)


def _add_records(sums: _Sums, lines: Iterable[bytes], source: str) -> None:
    """Add rollups as they are on the topic, where one that was written again after a crash is there twice."""
    seen: set[tuple[str, datetime, int]] = set()
    for rollup in _rollups(lines, source, msgspec.json.Decoder(Rollup).decode):
        about = (rollup.series, rollup.start, rollup.part)
        if rollup.level in ("tenant", "model") and about not in seen:
            seen.add(about)
            tokens = rollup.input_tokens + rollup.output_tokens
            key = (rollup.start.astimezone(UTC).date(), rollup.scope.model, rollup.tenant)
            sums.add(rollup.level, key, Spent(rollup.events, tokens, rollup.unpriced, rollup.usd))


def _rollups(lines: Iterable[bytes], source: str, decode: Callable[[bytes], Rollup]) -> Iterator[Rollup]:
    for number, line in enumerate(lines, 1):
        try:
            yield decode(line)
        except msgspec.MsgspecError as error:
            raise SourceUnreadable(f"{source}, row {number}: no rollup: {error}") from None
