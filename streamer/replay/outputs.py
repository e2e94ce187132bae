"""Writes what a replay found: the files that CONTRACTS.md names, and the tables of docs/analysts.md."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec
import pyarrow as pa
from pyarrow import parquet

from alerts.throttle.command import Command
from streamer.clock import utc
from streamer.pricing.money import COST_KINDS, added, dollars, plain
from streamer.records import Anomaly
from streamer.replay.charges import Charge
from streamer.replay.facts import Facts
from streamer.replay.office import Told
from streamer.replay.run import Chunk, Totals
from streamer.replay.scorecards import SCORECARDS, Scorecard, as_csv, as_json, as_table
from streamer.replay.tables import (
    ANOMALIES,
    CHARGES,
    INCIDENTS,
    MOST,
    ROLLUPS,
    anomalies_table,
    charges_table,
    is_cut,
    told_row,
)
from streamer.whole import UNFINISHED

_ROWS = 50_000
# What an incident needs for itself, and tells nobody anything.
_INNER = (
    *("noted_at", "sent", "rest", "absorbed", "told_at", "joined_at", "unheard", "track", "answered", "word"),
    *("told_by", "told_by_until"),
)
_NOT_PUBLIC = frozenset({"state", "updated_at", "line", "causes", "seconds", "ceiling"})


class Table:
    """A Parquet file that is written in row groups of a size that the rows alone decide."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = parquet.ParquetWriter(path, schema, compression="zstd")
        self._schema, self._waiting, self._rows = schema, list[pa.Table](), 0
        #: Whether counts of what is in the file were too large for it.
        self.is_cut = False

    def write(self, rows: pa.Table) -> None:
        """Append rows."""
        if len(rows):
            self._waiting.append(rows.select(self._schema.names))
            self._rows += len(rows)
        if self._rows >= _ROWS:
            self.flush()

    def close(self) -> None:
        """End the file."""
        self.flush()
        self._writer.close()

    def flush(self) -> None:
        """Write what waits for more."""
        if self._waiting:
            rows = pa.concat_tables(self._waiting)
            self.is_cut = self.is_cut or is_cut(rows)
            self._writer.write_table(rows, row_group_size=1 << 30)
            self._waiting, self._rows = [], 0


class Outputs:
    """The files of one replay, written as it goes on; use as a context manager.

    They get their names when all of them are whole: what an earlier replay wrote stays until then, and where this one
    fails it stays for good.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._names = folder, list[str]()
        self._incidents, self._commands = self._lines("incidents.jsonl"), self._lines("commands.jsonl")
        self._rollups = self._table("rollups.parquet", ROLLUPS)
        self._charges = self._table("charges.parquet", CHARGES)
        self._messages = self._table("incidents.parquet", INCIDENTS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # Where the disk is full a file may not even be closed well.
            with ExitStack() as files:
                for file in (self._rollups, self._charges, self._messages, self._incidents, self._commands):
                    files.callback(file.close)
            if error is None:
                for name in self._names:
                    self._path(name).replace(self._folder / name)
        finally:
            for name in self._names:
                self._path(name).unlink(missing_ok=True)

    def write(self, chunk: Chunk) -> None:
        """Write the rollups and charges of a chunk."""
        if chunk.rollups is not None:
            self._rollups.write(chunk.rollups)
        self._charge(chunk.charges)

    def tell(self, told: Told | Command) -> None:
        """Write what people or gateways would have been told."""
        if isinstance(told, Command):
            self._commands.write(_line(told))
            return
        self._incidents.write(_line(_told(told)))
        self._messages.write(pa.Table.from_pylist([told_row(told.notification, told.at)], INCIDENTS))

    def finish(self, facts: Facts, totals: Totals, seconds: float, *, stopped: bool = False) -> dict[str, Any]:
        """Write anomalies and summary; gives the summary."""
        found = facts.in_order()
        with self._lines("anomalies.jsonl") as lines:
            lines.writelines(_line(_public(one.last)) for one in found)
        table = self._table("anomalies.parquet", ANOMALIES)
        table.write(anomalies_table((one.last for one in found), {one.last.id: one.when_known for one in found}))
        table.close()
        self._note_cut(totals)
        summary = _summary(facts, totals, seconds, stopped=stopped)
        self.add("summary.json", msgspec.json.format(msgspec.json.encode(summary)) + b"\n")
        return summary

    def score(self, cards: Sequence[Scorecard]) -> None:
        """Write the scorecards, for programs, for spreadsheets and as a table."""
        self.add("scorecards.json", as_json(cards))
        self.add("scorecards.csv", as_csv(cards))
        table = self._table("scorecards.parquet", SCORECARDS)
        table.write(as_table(cards))
        table.close()

    def add(self, name: str, content: bytes) -> None:
        """Write a file that is whole already."""
        self._named(name).write_bytes(content)

    def rollups(self) -> Path:
        """Give the file of rollups, for a reader after `finish`; nothing can be written to it any more."""
        self._rollups.close()
        return self._path("rollups.parquet")

    def _note_cut(self, totals: Totals) -> None:
        for name, table in (("rollups", self._rollups), ("charges", self._charges)):
            table.flush()
            if table.is_cut:
                totals.faults.remark(f"{name}.parquet: counts of more than {MOST:,} are cut to that; none is real")

    def _charge(self, charges: Iterable[Charge]) -> None:
        self._charges.write(charges_table(charges))

    def _lines(self, name: str) -> IO[bytes]:
        return self._named(name).open("wb")

    def _table(self, name: str, schema: pa.Schema) -> Table:
        return Table(self._named(name), schema)

    def _named(self, name: str) -> Path:
        self._names.append(name)
        return self._path(name)

    def _path(self, name: str) -> Path:
        return self._folder / f".{name}{UNFINISHED}"


def _line(record: Any) -> bytes:
    return msgspec.json.encode(record) + b"\n"


def _public(anomaly: Anomaly) -> dict[str, Any]:
    fields = msgspec.structs.asdict(anomaly)
    return {name: value for name, value in fields.items() if name not in _NOT_PUBLIC and value is not msgspec.UNSET}


def _told(told: Told) -> dict[str, Any]:
    notification = told.notification
    incident = msgspec.structs.asdict(notification.incident)
    for name in _INNER:
        del incident[name]
    return {"at": utc(told.at), "receiver": notification.receiver, "because": notification.because, **incident}


def _summary(facts: Facts, totals: Totals, seconds: float, *, stopped: bool) -> dict[str, Any]:
    counted, spend = totals.events["counted"], facts.spend
    by_kind = {kind: plain(dollars(sum(split.get(kind, 0) for split in spend.values()))) for kind in COST_KINDS}
    return {
        "from": utc(facts.begin) if facts.read else None,
        "to": utc(facts.end) if facts.read else None,
        "stopped": stopped,
        "events": {str(name): count for name, count in sorted(totals.events.items())},
        "rejected": dict(sorted(totals.faults.rejected.items())),
        "damaged": totals.faults.damaged,
        "remarks": [*totals.faults.remarks, *filter(None, [totals.faults.overlaps])],
        "unpriced": sorted(totals.unpriced),
        "feedback": _heard(totals.heard),
        "anomalies": dict(sorted(Counter(found.last.kind for found in facts.anomalies.values()).items())),
        "incidents": len(facts.incidents),
        "messages": facts.messages,
        "commands": len(facts.commands),
        "usd": plain(added(by_kind.values())),
        "usd_given": plain(dollars(facts.given)),
        "usd_by_kind": by_kind,
        "usd_by_tenant": {
            tenant: {kind: plain(dollars(amount)) for kind, amount in sorted(split.items())}
            for tenant, split in sorted(spend.items())
        },
        "speed": {"seconds": round(seconds, 3), "events_per_second": round(counted / seconds) if seconds else 0},
    }


def _heard(heard: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (verdict, outcome), count in sorted(heard.items()):
        found.setdefault(verdict, {})[outcome] = count
    return found
