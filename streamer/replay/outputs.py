"""Writes what a replay found: the files that CONTRACTS.md names."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import pyarrow as pa
from pyarrow import parquet

from streamer.clock import utc
from streamer.pricing.money import COST_KINDS, ZERO, plain
from streamer.records import Anomaly, Rollup
from streamer.replay.run import Replay, Step, Told
from streamer.windows.totals import COUNTS

_MONEY = pa.decimal128(38, 15)
_ROWS = 50_000
# What an incident needs for itself, and tells nobody anything.
_INNER = ("noted_at", "sent", "rest", "absorbed", "told_at", "joined_at", "unheard", "track", "answered", "word")
_NOT_PUBLIC = frozenset({"state", "updated_at", "line", "causes", "seconds", "ceiling"})
_SCOPE = ("use_case", "agent", "model", "session")
_SCHEMA = pa.schema(
    [("series", pa.string()), ("level", pa.string()), ("tenant", pa.string())]
    + [(name, pa.string()) for name in _SCOPE]
    + [
        ("start", pa.timestamp("us", "UTC")),
        ("end", pa.timestamp("us", "UTC")),
        ("late", pa.bool_()),
        ("part", pa.int64()),
    ]
    + [(name, pa.int64()) for name in COUNTS]
    + [("usd", _MONEY), *((f"usd_{kind}", _MONEY) for kind in COST_KINDS), ("usd_given", _MONEY)]
)


class Outputs:
    """The files of one replay, written as it goes on; use as a context manager, so that they end whole."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._incidents = (folder / "incidents.jsonl").open("wb")
        self._commands = (folder / "commands.jsonl").open("wb")
        self._rollups = parquet.ParquetWriter(folder / "rollups.parquet", _SCHEMA, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write_rows()
        self._rollups.close()
        self._incidents.close()
        self._commands.close()

    def write(self, step: Step) -> None:
        """Write what one step led to."""
        self._incidents.writelines(_line(_told(told)) for told in step.told)
        self._commands.writelines(_line(change.command) for change in step.commands if change.command)
        self._rows += [_row(rollup) for rollup in step.rollups]
        if len(self._rows) >= _ROWS:
            self._write_rows()

    def finish(self, replay: Replay, seconds: float) -> dict[str, Any]:
        """Write anomalies and summary; gives the summary."""
        anomalies = sorted(replay.anomalies.values(), key=lambda anomaly: (anomaly.opened_at, anomaly.id))
        with (self._folder / "anomalies.jsonl").open("wb") as lines:
            lines.writelines(_line(_public(anomaly)) for anomaly in anomalies)
        summary = _summary(replay, anomalies, seconds)
        (self._folder / "summary.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary)) + b"\n")
        return summary

    def _write_rows(self) -> None:
        if self._rows:
            self._rollups.write_table(pa.Table.from_pylist(self._rows, _SCHEMA))
            self._rows.clear()


def _line(record: Any) -> bytes:
    return msgspec.json.encode(record) + b"\n"


def _public(anomaly: Anomaly) -> dict[str, Any]:
    fields = msgspec.structs.asdict(anomaly)
    return {name: value for name, value in fields.items() if name not in _NOT_PUBLIC}


def _told(told: Told) -> dict[str, Any]:
    notification = told.notification
    incident = msgspec.structs.asdict(notification.incident)
    for name in _INNER:
        del incident[name]
    return {"at": utc(told.at), "receiver": notification.receiver, "because": notification.because, **incident}


def _row(rollup: Rollup) -> dict[str, Any]:
    fields = msgspec.structs.asdict(rollup)
    scope, split = fields.pop("scope"), fields.pop("usd_by_kind")
    kinds = {f"usd_{kind}": split.get(kind, ZERO) for kind in COST_KINDS}
    return {**fields, **{name: getattr(scope, name) or None for name in _SCOPE}, **kinds}


def _summary(replay: Replay, anomalies: Iterable[Anomaly], seconds: float) -> dict[str, Any]:
    counts = replay.counts()
    counted = counts.get("counted", 0)
    kinds: dict[str, int] = {}
    for anomaly in anomalies:
        kinds[anomaly.kind] = kinds.get(anomaly.kind, 0) + 1
    by_kind = {
        kind: plain(sum((split.get(kind, ZERO) for split in replay.spend.values()), ZERO)) for kind in COST_KINDS
    }
    return {
        "events": dict(counts),
        "rejected": dict(sorted(replay.rejected.items())),
        "feedback": replay.heard(),
        "anomalies": kinds,
        "usd": plain(sum(by_kind.values(), Decimal(0))),
        "usd_given": plain(replay.given),
        "usd_by_kind": by_kind,
        "usd_by_tenant": {
            tenant: {kind: plain(amount) for kind, amount in sorted(split.items())}
            for tenant, split in sorted(replay.spend.items())
        },
        "speed": {"seconds": round(seconds, 3), "events_per_second": round(counted / seconds) if seconds else 0},
    }
