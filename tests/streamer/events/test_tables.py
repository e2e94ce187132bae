"""Rows of tables whose times Python has no value for: those are said to be so, the others are read."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.events.rejected import Rejected
from streamer.events.tables import batch_rows

GOOD = 1_795_305_600
WIDE, NARROW = st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1)
KINDS = {
    **{pa.timestamp(unit, zone): WIDE for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "+23:00")},
    **{pa.date32(): NARROW, pa.date64(): WIDE, pa.duration("s"): WIDE},
}


@pytest.mark.parametrize("kind", KINDS, ids=str)
@given(data=st.data())
def test_whatever_a_time_holds_its_row_is_read_or_rejected_and_the_next_one_is_read(
    kind: pa.DataType, data: st.DataObject
) -> None:
    odd = data.draw(KINDS[kind])
    batch = pa.record_batch({"at": pa.array([odd, 0], kind), "tenant": ["acme", "beta"]})
    first, second = batch_rows(batch)
    assert isinstance(first, Rejected) or first["tenant"] == "acme"
    assert isinstance(second, dict)
    assert second["tenant"] == "beta"


def test_a_time_beyond_all_years_is_an_impossible_one() -> None:
    batch = pa.record_batch({"at": pa.array([2**60, GOOD], pa.timestamp("s", "UTC"))})
    assert [row.reason if isinstance(row, Rejected) else row for row in batch_rows(batch)] == [
        "impossible_time",
        {"at": "2026-11-22T00:00:00+00:00"},
    ]


def test_nanoseconds_are_cut_off() -> None:
    batch = pa.record_batch({"at": pa.array([GOOD * 10**9 + 123_456_789], pa.timestamp("ns"))})
    assert list(batch_rows(batch)) == [{"at": datetime.fromtimestamp(GOOD, UTC).strftime("%Y-%m-%dT%H:%M:%S.123456")}]


def test_a_zone_that_is_unknown_here_does_not_matter() -> None:
    batch = pa.record_batch({"at": pa.array([GOOD], pa.timestamp("s", "Europe/Nowhere"))})
    assert list(batch_rows(batch)) == [{"at": "2026-11-22T00:00:00+00:00"}]
