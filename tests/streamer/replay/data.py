"""A small day of usage with a looping session in it, and the same in every format that replay reads."""

import csv
import gzip
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import orjson
import pyarrow as pa
from pyarrow import parquet

from streamer.config import Config, PolicyConfig, PricingConfig, ThrottleConfig
from streamer.replay.command import run
from tests.streamer.samples import event

Row = dict[str, Any]
CONFIG = Config(
    pricing=PricingConfig.model_validate({"prices": [{"kind": "tool", "each": "0.002"}]}),
    throttle=ThrottleConfig(
        policies=(PolicyConfig(kind="loop", scope="session", action="pause", mode="enforce"),), hold_seconds=10
    ),
)


def day() -> list[Row]:
    """Ten minutes of two tenants' calls; from the third minute on a session of acme goes round in circles."""
    rng = Random(7)
    rows = [_call(rng, number, number * 2.0) for number in range(300)]
    rows += loop("runaway", 180, 20, 1.5)
    return sorted(rows, key=lambda row: (row["time"], row["id"]))


def _call(rng: Random, number: int, seconds: float) -> Row:
    fields = event(
        f"call-{number}",
        seconds,
        tenant=rng.choice(["acme", "beta"]),
        use_case=rng.choice(["", "support"]),
        agent="triage",
        session=f"s{number % 40}",
        provider="openai",
        model=rng.choice(["gpt-4o", "nobodys-model"]),
        input_tokens=rng.randrange(50, 500),
        output_tokens=rng.randrange(50),
        steps=1,
        requests=1,
        cost_usd=rng.choice([None, "0.000123456789"]),
        tags=rng.choice([{}, {"team": "a,b"}]),
        user='says "hi"',
    )
    return _plain(fields)


def loop(session: str, begin: float, calls: int, every: float, **fields: Any) -> list[Row]:
    """Give a session of acme that makes one call again and again, from `begin` (seconds) on."""
    call = {"use_case": "support", "agent": "triage", "kind": "tool", "tool": "search", "tool_args_hash": "aa"}
    named = {"session": session, "tool_calls": 1, **call, **fields}
    return [_plain(event(f"{session}-{number}", begin + number * every, **named)) for number in range(calls)]


def _plain(fields: Any) -> Row:
    plain: Row = msgspec.to_builtins(fields)
    return plain


def as_jsonl(rows: Sequence[Row]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def as_csv(rows: Sequence[Row]) -> bytes:
    names = sorted({"tags", *(name for row in rows for name in row)})
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, names)
    table.writeheader()
    table.writerows({**row, "tags": orjson.dumps(row.get("tags", {})).decode()} for row in rows)
    return text.getvalue().encode()


def as_parquet(rows: Sequence[Row]) -> bytes:
    names = sorted({"tags", *(name for row in rows for name in row)})
    columns = {name: [row.get(name) for row in rows] for name in names}
    arrays = {name: pa.array(values) for name, values in columns.items() if name not in ("tags", "time")}
    arrays["time"] = pa.array(columns["time"]).cast(pa.timestamp("us", "UTC"))
    arrays["tags"] = pa.array(
        [tags and list(tags.items()) for tags in columns["tags"]], pa.map_(pa.string(), pa.string())
    )
    sink = io.BytesIO()
    parquet.write_table(pa.table(arrays), sink)
    return sink.getvalue()


def zst(data: bytes) -> bytes:
    """Two frames, as parallel compressors write them."""
    half = len(data) // 2
    return b"".join(pa.compress(part, "zstd", asbytes=True) for part in (data[:half], data[half:]))


FORMATS: dict[str, Callable[[Sequence[Row]], bytes]] = {
    "day.jsonl": as_jsonl,
    "day.ndjson": as_jsonl,
    "day.json": orjson.dumps,
    "day.csv": as_csv,
    "day.parquet": as_parquet,
    "day.jsonl.gz": lambda rows: gzip.compress(as_jsonl(rows)),
    "day.jsonl.zst": lambda rows: zst(as_jsonl(rows)),
    "day.csv.gz": lambda rows: gzip.compress(as_csv(rows)),
    "day.csv.zst": lambda rows: zst(as_csv(rows)),
    "day.parquet.gz": lambda rows: gzip.compress(as_parquet(rows)),
    "day.parquet.zst": lambda rows: zst(as_parquet(rows)),
    "mark.csv": lambda rows: b"\xef\xbb\xbf" + as_csv(rows),
}


def write(folder: Path, name: str, rows: Sequence[Row]) -> Path:
    """Write the rows in the format that the name's ending tells."""
    path = folder / name
    path.write_bytes(FORMATS[name](rows))
    return path


def replayed(out: Path, *sources: Path, config: Config = CONFIG, **bounds: Any) -> list[str]:
    """Replay the sources into `out`; gives what was said on the terminal."""
    return list(run([str(source) for source in sources], config, out, **bounds))


def lines(path: Path) -> list[Row]:
    """The records of a file of JSON lines."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def summary(out: Path) -> Row:
    """The summary of a replay, but for its speed and the names of its sources."""
    found: Row = orjson.loads((out / "summary.json").read_bytes())
    del found["speed"], found["remarks"]
    return found
