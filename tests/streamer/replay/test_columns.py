"""Whether a table's columns are taken as a whole or row by row, they are the same events, and the same faults."""

from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from streamer.archive.tables import USAGE
from streamer.events import canonical
from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent
from streamer.replay.columns import events_of

Row = dict[str, Any]
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - with zones
GOOD: st.SearchStrategy[Row] = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1, max_size=5),
        "time": TIMES,
        "tenant": st.sampled_from(["acme", "beta"]),
        "input_tokens": st.integers(10, 2**53),
    },
    optional={
        "kind": st.sampled_from(["llm", "tool", "", None]),
        "agent": st.sampled_from(["a", "b", "", None]),
        "cache_read_tokens": st.integers(0, 5) | st.none(),
        "cache_write_tokens": st.just(5),
        "steps": st.integers(0, 2**53) | st.none(),
        "quantity": st.sampled_from([Decimal("1.5"), Decimal(0), None]),
        "cost_usd": st.sampled_from([Decimal("-2.25"), None]),
        "tags": st.dictionaries(st.sampled_from("xyz"), st.text(max_size=2), max_size=2) | st.none(),
    },
)
SPOILED = st.sampled_from(
    [
        *({"id": ""}, {"id": None}, {"time": None}, {"tenant": ""}, {"kind": "storm"}, {"steps": -1}),
        *({"agent": "x" * 300}, {"time": datetime(1970, 1, 1, tzinfo=UTC)}, {"time": datetime(2100, 1, 2, tzinfo=UTC)}),
        *({"input_tokens": 10, "cache_read_tokens": 6, "cache_write_tokens": 5}, {"cost_usd": Decimal(10) ** 12}),
        *({"quantity": Decimal(-1)}, {"quantity": Decimal(10) ** 12}),
    ]
)


def batch(rows: list[Row]) -> pa.RecordBatch:
    names = {"id", "time", "tenant", *(name for row in rows for name in row)}
    schema = pa.schema([field for field in USAGE if field.name in names])
    spelled = [{**row, "tags": list((row.get("tags") or {}).items()) or None} for row in rows]
    return pa.RecordBatch.from_pylist(spelled, schema)


def one_by_one(row: Row) -> UsageEvent | Rejected:
    """What a row is by itself; empty cells are absent, and money has as many digits as the column."""
    given_ = {name: cell for name, cell in row.items() if cell not in (None, "", {})}
    for name in ("quantity", "cost_usd"):
        if name in given_:
            given_[name] = given_[name].quantize(Decimal("1e-18"), context=Context(prec=38))
    return canonical.event_of(given_, LATEST)


@given(st.lists(GOOD, max_size=8))
def test_good_columns_are_the_events_of_their_rows(rows: list[Row]) -> None:
    assert list(events_of(batch(rows), LATEST) or []) == [one_by_one(row) for row in rows]


@given(st.lists(GOOD, min_size=1, max_size=5), SPOILED, st.data())
def test_one_bad_row_is_rejected_with_its_reason_and_the_others_are_events(
    rows: list[Row], spoiled: Row, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    rows[place] = {**rows[place], **spoiled}
    found = list(events_of(batch(rows), LATEST) or [])
    assert found == [one_by_one(row) for row in rows]
    assert [isinstance(one, Rejected) for one in found] == [at == place for at in range(len(rows))]


def test_a_time_that_no_event_can_have_is_rejected_with_its_row() -> None:
    times = pa.array([1_790_000_000_000_000, 1 << 62], pa.timestamp("us", "UTC"))
    rows = pa.RecordBatch.from_arrays([pa.array(["a", "b"]), times, pa.array(["t", "t"])], ["id", "time", "tenant"])
    good, bad = events_of(rows, LATEST) or ()
    assert isinstance(good, UsageEvent)
    assert isinstance(bad, Rejected)


def test_a_time_that_no_year_holds_makes_a_table_one_that_is_read_row_by_row() -> None:
    days = pa.array([0, 2**31 - 1], pa.date32())
    rows = pa.record_batch({"id": days, "time": pa.array([0, 0], pa.timestamp("us", "UTC")), "tenant": ["t", "t"]})
    assert events_of(rows, LATEST) is None


def test_other_columns_are_no_canonical_table() -> None:
    rows = pa.RecordBatch.from_pylist([{"id": "a", "time": datetime.now(UTC), "tenant": "t", "colour": "red"}])
    assert events_of(rows, LATEST) is None
