"""The records that the fuzzer spoils: the golden files of the tests, in each of the encodings that formats have."""

import base64
import gzip
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson
import pyarrow as pa
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pyarrow import csv, parquet

# Stands in the golden files wherever a prompt, an answer or a tool's argument would.
MARKER = b"xyzzy-private-words"
_GOLDEN = Path(__file__).parents[2] / "tests" / "streamer" / "events" / "formats" / "golden"
_PROTOBUF = {"content-type": "application/x-protobuf"}
_ID = re.compile(rb'("(?:trace|span|parentSpan)Id": ")([0-9a-f]+)')
_BINARY = {
    **{"ce_specversion": "1.0", "ce_type": "t", "ce_source": "s", "ce_id": "1"},
    **{"ce_time": "2026-11-22T00:00:00Z", "ce_tenant": "acme"},
}


class Seed(NamedTuple):
    """A record with its headers; `items` are the JSON texts in it, None where it is none."""

    record: bytes
    headers: Mapping[str, str]
    items: Sequence[bytes] | None


def seeds(folders: Sequence[Path] = ()) -> list[Seed]:
    """Read the golden files, and what is in `folders` besides."""
    more = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    golden = [path for path in sorted(_GOLDEN.iterdir()) if path.suffix != ".expected"]
    return [seed for path in (*golden, *more) for seed in _of(path)]


def _of(path: Path) -> Iterator[Seed]:
    record = path.read_bytes()
    if path.suffix == ".pb":
        yield Seed(record, _PROTOBUF, None)
    elif path.suffix == ".csv":
        yield Seed(record, {}, None)
        yield Seed(_parquet(record), {}, None)
    elif path.suffix in (".json", ".ndjson"):
        items = record.splitlines() if path.suffix == ".ndjson" else [record]
        yield Seed(record, {}, [orjson.dumps(orjson.loads(item)) for item in items])
        yield Seed(gzip.compress(record), {}, None)
        if path.name == "otel-new.json":
            yield Seed(_protobuf(record), _PROTOBUF, None)
        if path.name == "cloudevents-structured.json":
            yield Seed(
                orjson.dumps(orjson.loads(record)["data"]), _BINARY, [orjson.dumps(orjson.loads(record)["data"])]
            )


def _parquet(record: bytes) -> bytes:
    head = record.partition(b"\n")[0]
    separator = ";" if b";" in head else ","
    table = csv.read_csv(io.BytesIO(record), parse_options=csv.ParseOptions(delimiter=separator))
    made = pa.BufferOutputStream()
    parquet.write_table(table, made)
    written: bytes = made.getvalue().to_pybytes()
    return written


def _protobuf(record: bytes) -> bytes:
    """Encode OTLP JSON as protobuf, whose own parser wants ids in base64."""
    in_base64 = _ID.sub(lambda id_: id_[1] + base64.b64encode(bytes.fromhex(id_[2].decode())), record)
    written: bytes = Parse(in_base64, ExportTraceServiceRequest()).SerializeToString()
    return written
