"""The figures of back-tests and comparisons, computed once more by hand from nothing but the files of a replay."""

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from typing import Any

import duckdb
import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.replay import backtest, compare
from streamer.replay.backtest import Margins, Truth
from streamer.replay.extent import Control
from streamer.replay.facts import Facts, Found
from streamer.replay.feed import Job
from streamer.replay.labels import Label
from tests.streamer.replay.data import CONFIG, Row, as_jsonl, day, lines, replayed
from tests.streamer.replay.month import BEGIN, Shape, month
from tests.streamer.replay.test_trials import DEAF, PATIENT, case
from tests.streamer.samples import NOON

pytestmark = pytest.mark.slow

CONFIGS = {"now": CONFIG, "patient": PATIENT, "deaf": DEAF}
SCENARIOS = ("day", "month")


def rows_of(scenario: str) -> list[Row]:
    if scenario == "day":
        return day()
    return list(month(Shape(days=2, events=500, tenants=4, cases=2, loops=8, day=900.0, every=3000.0)))


@cache
def source(scenario: str) -> Path:
    path = Path(mkdtemp()) / f"{scenario}.jsonl"
    path.write_bytes(as_jsonl(rows_of(scenario)))
    return path


@cache
def files(scenario: str, config: str) -> Path:
    out = source(scenario).parent / config
    replayed(out, source(scenario), config=CONFIGS[config])
    return out


def asked(query: str, scenario: str, config: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as database:
        database.execute("SET timezone = 'UTC'")
        return database.execute(query.replace("$", str(files(scenario, config)))).fetchall()


def alarms(scenario: str, config: str) -> list[dict[str, Any]]:
    names = ("id", "kind", "tenant", "use_case", "agent", "session", "series", "opened_at", "closed_at", "usd_excess")
    names += ("usd_excess_when_known",)
    query = f"SELECT {', '.join(names)} FROM '$/anomalies.parquet' ORDER BY opened_at, id"  # noqa: S608
    return [dict(zip(names, row, strict=True)) for row in asked(query, scenario, config)]


def begin_of(scenario: str) -> datetime:
    return NOON if scenario == "day" else BEGIN


@st.composite
def labels(draw: st.DrawFn, scenario: str) -> list[Label]:
    tenants = ["acme", "beta", "nobody"] if scenario == "day" else [f"tenant {n:03}" for n in range(4)]
    found = []
    for _ in range(draw(st.integers(1, 5))):
        start = begin_of(scenario) + timedelta(seconds=draw(st.integers(-700, 4000 if scenario == "month" else 700)))
        found.append(
            Label(
                tenant=draw(st.sampled_from(tenants)),
                start=start,
                end=start + timedelta(seconds=draw(st.integers(1, 900))),
                kind=draw(st.sampled_from([None, "loop", "burst", "budget"])),
                use_case=draw(st.sampled_from(["", "support", "claims 1"])),
                agent=draw(st.sampled_from(["", "triage", "agent 1"])),
                session=draw(st.sampled_from(["", "runaway", "loop 3"])),
            )
        )
    return found


def concerns(label: Label, alarm: dict[str, Any]) -> bool:
    """A part of a tenant that has to do with the label's: neither names what the other names otherwise."""
    parts = [(alarm[name], getattr(label, name)) for name in ("use_case", "agent", "session")]
    apart = any(mine and theirs and mine != theirs for mine, theirs in parts)
    return alarm["tenant"] == label.tenant and not apart and (alarm["kind"] == "budget") == (label.kind == "budget")


def spans(scenario: str, config: str) -> dict[str, tuple[datetime, datetime]]:
    query = "SELECT tenant, min(start), max(\"end\") FROM '$/rollups.parquet' WHERE level = 'tenant' GROUP BY 1"
    return {tenant: (begin, end) for tenant, begin, end in asked(query, scenario, config)}


def spent(label: Label, begin: datetime, end: datetime, scenario: str, config: str) -> Decimal:
    """What the part that is labelled spent, in the windows that begin within a stretch of time."""
    level = "session" if label.session else "agent" if label.agent else "use_case" if label.use_case else "tenant"
    with duckdb.connect() as database:
        (row,) = database.execute(
            f"SELECT sum(usd) FROM '{files(scenario, config)}/rollups.parquet' WHERE level = ? AND tenant = ?"  # noqa: S608
            " AND start >= ? AND start < ? AND CASE level WHEN 'session' THEN session = ? WHEN 'tenant' THEN true"
            " ELSE coalesce(use_case, '') = ? AND coalesce(agent, '') = ? END",
            [level, label.tenant, begin, end, label.session, label.use_case, label.agent],
        ).fetchall()
    return row[0] or Decimal(0)


def lost(label: Label, known: datetime | None, begun: datetime, scenario: str, config: str) -> Decimal:
    until = min(known or label.end, label.end)
    during = spent(label, label.start, until, scenario, config)
    before = max(label.start - timedelta(hours=1), begun)
    if label.session or before >= label.start:
        return max(Decimal(0), during)
    usual = spent(label, label.start - timedelta(hours=1), label.start, scenario, config)
    return max(Decimal(0), during - usual * Decimal((until - label.start) / (label.start - before)))


def by_hand(found: list[Label], margins: Margins, scenario: str, config: str) -> dict[str, Any]:
    watched = spans(scenario, config)
    covered = [
        label
        for label in found
        if label.tenant in watched and label.start < watched[label.tenant][1] and label.end > watched[label.tenant][0]
    ]
    counted: dict[int, list[dict[str, Any]]] = {place: [] for place in range(len(found))}
    false = 0
    for alarm in alarms(scenario, config):
        late = [(alarm["opened_at"] - label.end).total_seconds() for label in found]
        near = [n for n, one in enumerate(found) if one.start <= alarm["opened_at"] and concerns(one, alarm)]
        if within := [n for n in near if late[n] <= margins.grace]:
            counted[within[0]].append(alarm)
        elif not any(late[n] <= margins.grace + margins.recovery for n in near):
            asks = any(label.kind == "budget" and label.tenant == alarm["tenant"] for label in found)
            false += alarm["kind"] != "budget" or asks
    kept = [(label, counted[place]) for place, label in enumerate(found) if label in covered]
    told = [(label, some) for label, some in kept if some]
    true = sum(len(some) for _, some in told)
    delays = [(some[0]["opened_at"] - label.start).total_seconds() for label, some in told]
    days = sum((end - begin).total_seconds() for begin, end in watched.values()) / 86_400
    dollars = [
        lost(label, some[0]["opened_at"] if some else None, watched[label.tenant][0], scenario, config)
        for label, some in kept
    ]
    return {
        "labels": len(kept),
        "found": len(told),
        "named": sum(any(label.kind in (None, one["kind"]) for one in some) for label, some in told),
        "alarms": true + false,
        "false_alarms": false,
        "precision": true / (true + false) if true + false else None,
        "recall": len(told) / len(kept) if kept else None,
        "delay_median": median(delays) if delays else None,
        "delay_worst": max(delays, default=None),
        "tenant_days": pytest.approx(days, abs=1e-4),
        "false_alarms_a_tenant_day": pytest.approx(false / days, rel=1e-3, abs=1e-4),
        "usd_lost": pytest.approx(float(sum(dollars)), abs=1e-5),
    }


@pytest.mark.parametrize("scenario", SCENARIOS)
@settings(max_examples=12)
@given(st.data())
def test_a_back_test_says_what_its_definitions_say(scenario: str, data: st.DataObject) -> None:
    found = sorted(data.draw(labels(scenario)), key=lambda label: (label.start, label.tenant))
    margins = Margins(*data.draw(st.tuples(st.sampled_from([0.0, 60.0, 300.0]), st.sampled_from([0.0, 1800.0]))))
    config = data.draw(st.sampled_from(sorted(CONFIGS)))
    out = files(scenario, config) / "backtest"
    job = Job((str(source(scenario)),), CONFIGS[config])
    list(backtest.run(job, Truth(found, margins), out, Control()))
    said = orjson.loads((out / "backtest.json").read_bytes())["all"]
    said["usd_lost"] = float(said["usd_lost"])
    assert said == by_hand(found, margins, scenario, config)


def sums(scenario: str, config: str) -> dict[str, Any]:
    """What a configuration comes to; here no tenant has two anomalies in one incident, so that dollars just add up."""
    found, told = alarms(scenario, config), lines(files(scenario, config) / "incidents.jsonl")
    above = sum((one["usd_excess"] for one in found), Decimal(0))
    # What was above normal at first may turn out to be less when the window closes.
    known = sum((min(one["usd_excess_when_known"], one["usd_excess"]) for one in found), Decimal(0))
    return {
        "anomalies": len(found),
        "incidents": len({one["id"] for one in told}),
        "messages": len(told),
        "commands": len(lines(files(scenario, config) / "commands.jsonl")),
        "above": above,
        "caught": above - known,
        "missed": known,
    }


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(("one", "other"), [("now", "now"), ("now", "patient"), ("patient", "now"), ("now", "deaf")])
def test_a_comparison_says_what_the_files_of_both_replays_say(
    scenario: str, one: str, other: str, tmp_path: Path
) -> None:
    job = Job((str(source(scenario)),), CONFIGS[one])
    list(compare.run(job, [(name, CONFIGS[name]) for name in (one, other)], tmp_path, Control()))
    (said,) = orjson.loads((tmp_path / "compare.json").read_bytes())
    for name, side in ((one, "before"), (other, "after")):
        found = {key: Decimal(value) if isinstance(value, str) else value for key, value in said["sums"][side].items()}
        assert found == sums(scenario, name)
    before = {alarm["series"]: alarm for alarm in alarms(scenario, one)}
    after = {alarm["series"]: alarm for alarm in alarms(scenario, other)}
    assert len(before) == sums(scenario, one)["anomalies"]
    assert {one["series"] for one in said["gained"]} == after.keys() - before.keys()
    assert {one["series"] for one in said["lost"]} == before.keys() - after.keys()
    moved = {
        series: (after[series]["opened_at"] - before[series]["opened_at"]).total_seconds()
        for series in before.keys() & after.keys()
    }
    assert {c["series"]: -c["seconds"] for c in said["earlier"]} == {s: by for s, by in moved.items() if by < 0}
    assert {c["series"]: c["seconds"] for c in said["later"]} == {s: by for s, by in moved.items() if by > 0}
    assert said["same"] == list(moved.values()).count(0)
    if (scenario, other) == ("month", "deaf"):
        assert len(said["lost"]) == 8


CASES = st.lists(
    st.tuples(
        st.sampled_from(["acme", "beta"]),
        st.sampled_from(["burst", "loop"]),
        st.sampled_from(["a", "b"]),
        st.integers(0, 9000),
        st.integers(0, 2000),
    ),
    max_size=8,
)


def facts_of(cases: list[tuple[str, Any, str, int, int]]) -> Facts:
    facts = Facts()
    for number, (tenant, kind, series, at, length) in enumerate(sorted(cases)):
        opened, closed = NOON + timedelta(seconds=at), NOON + timedelta(seconds=at + length)
        one = case(kind, tenant, series=series, opened_at=opened, closed_at=closed, updated_at=closed)
        one = msgspec.structs.replace(one, id=f"{tenant}/{kind}/{series}/{at}/{number}")
        facts.anomalies[one.id] = Found(one, one, [])
    return facts


def ids(found: list[Found]) -> Counter[str]:
    return Counter(one.last.id for one in found)


@given(CASES, CASES)
def test_the_other_way_round_gained_is_lost_and_earlier_is_later(one: list[Any], other: list[Any]) -> None:
    there = compare.difference(facts_of(one), facts_of(other))
    back = compare.difference(facts_of(other), facts_of(one))
    assert (ids(there.gained), ids(there.lost)) == (ids(back.lost), ids(back.gained))
    assert sorted(-pair.seconds for pair in there.earlier) == sorted(pair.seconds for pair in back.later)
    assert there.same == back.same
    pairs = len(there.earlier) + len(there.later) + there.same
    assert (len(there.lost) + pairs, len(there.gained) + pairs) == (len(one), len(other))


@given(CASES)
def test_nothing_is_gained_or_lost_by_what_is_the_same(cases: list[Any]) -> None:
    found = compare.difference(facts_of(cases), facts_of(cases))
    assert (found.gained, found.lost, found.earlier, found.later, found.same) == ([], [], [], [], len(cases))
