"""Bills in FOCUS are replayed to the cent, in the order of time, and a bill that comes again changes nothing."""

import gzip
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
import zstandard

from streamer.config import Config, EventsConfig
from streamer.events.decoder import Decoder
from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent
from streamer.replay.command import run
from streamer.replay.sources import read

MONTH = 32 * 86_400.0
CONFIG = Config(events=EventsConfig(duplicate_span_seconds=MONTH))
SYNTHETIC = "focus/focus_1_2_aws_synthetic"


def events(path: Path) -> list[UsageEvent]:
    found = [decoded for run in read(str(path), Decoder(), Config()) for decoded in run.decoded]
    assert all(isinstance(item, UsageEvent) for item in found)
    return [item for item in found if isinstance(item, UsageEvent)]


def replayed(out: Path, *sources: Path) -> dict[str, object]:
    list(run([str(source) for source in sources], CONFIG, out))
    summary: dict[str, object] = orjson.loads((out / "summary.json").read_bytes())
    return summary


@pytest.mark.parametrize("name", ["fetched-github/focus_sample_1.0.csv", "focus_1_3_aws_synthetic.csv"])
def test_rows_come_in_the_order_of_time(payloads: Path, name: str) -> None:
    times = [event.time for event in events(payloads / "focus" / name)]
    assert times == sorted(times)
    assert len(set(times)) > 10


def test_every_kind_of_file_gives_the_same_rows(payloads: Path, tmp_path: Path) -> None:
    written, parquet = payloads / f"{SYNTHETIC}.csv", payloads / f"{SYNTHETIC}.parquet"
    expected = events(written)
    assert len(expected) == 100
    packed = {
        "bill.csv.gz": gzip.compress(written.read_bytes()),
        "bill.csv.zst": zstandard.ZstdCompressor().compress(written.read_bytes()),
        "bill.parquet.gz": gzip.compress(parquet.read_bytes()),
    }
    assert events(parquet) == expected
    for name, content in packed.items():
        (tmp_path / name).write_bytes(content)
        assert events(tmp_path / name) == expected


def test_a_bill_is_replayed_to_the_cent_and_again_changes_nothing(payloads: Path, tmp_path: Path) -> None:
    bill = payloads / f"{SYNTHETIC}.csv"
    total = sum((event.cost_usd or Decimal(0) for event in events(bill)), Decimal(0))
    once = replayed(tmp_path / "once", bill)
    twice = replayed(tmp_path / "twice", bill, payloads / f"{SYNTHETIC}.parquet")
    assert Decimal(str(once["usd"])) == Decimal(str(twice["usd"])) == total
    assert twice["events"]["duplicate"] == 100  # type: ignore[index]


def test_rows_that_are_rejected_are_told_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "bill.csv").write_text(
        "ChargePeriodStart,SubAccountName,BilledCost,BillingCurrency\n"
        "2026-11-20,research,1,EUR\n2026-11-20,research,2,USD\n2026-11-19,research,3,USD\n"
    )
    (found,) = read(str(tmp_path / "bill.csv"), Decoder(), Config())
    assert found.rows == [1, 3, 2]
    assert isinstance(found.decoded[0], Rejected)
