"""A replay says the same of the same data each time, in the files and fields that CONTRACTS.md names."""

import errno
import gzip
import os
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from streamer import logs
from streamer.cli.base import cli
from streamer.config import Config
from streamer.errors import SourceUnreadable
from streamer.kafka.stages import MeterStage
from streamer.kafka.topics import Topics
from streamer.pipeline import Pipeline
from streamer.pricing.money import COST_KINDS
from streamer.reconcile.stream import spent_of
from streamer.replay import outputs
from streamer.showback.files import read
from streamer.showback.period import Period
from streamer.showback.spend import Holder, Spend
from streamer.web.metrics import Metrics
from streamer.wiring import decoder_of
from tests.streamer.kafka.fakes import Fake
from tests.streamer.replay.data import CONFIG, FORMATS, Row, as_jsonl, day, lines, replayed, summary, write
from tests.streamer.samples import NOON

# CONTRACTS.md: the lines of anomalies.jsonl.
FIELDS = {
    *("id", "kind", "tenant", "scope", "series", "detector", "opened_at", "closed_at", "severity"),
    *("observed", "expected", "score", "usd_excess", "usd_per_hour", "reason"),
}
TABLES = [f"{name}.parquet" for name in ("anomalies", "charges", "incidents", "rollups", "scorecards")]
FILES = sorted(
    [
        *(*TABLES, "anomalies.jsonl", "commands.jsonl", "incidents.jsonl"),
        *("scorecards.csv", "scorecards.json", "showback.csv", "chargeback.csv", "report.html", "summary.json"),
    ]
)
EXACT = Context(prec=80)
SUMMED = ("events", "input_tokens", "output_tokens", "steps", "requests", "tool_calls", "unpriced")


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return day()


@pytest.fixture(scope="module")
def out(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The day, replayed."""
    folder = tmp_path_factory.mktemp("replay")
    replayed(folder / "out", write(folder, "day.jsonl", rows))
    return folder / "out"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_all_files_are_written(out: Path) -> None:
    assert sorted(path.name for path in out.iterdir()) == FILES


@pytest.mark.parametrize("name", ["day.json", "day.csv.zst", "day.parquet"])
def test_every_format_gives_the_same_summary(name: str, rows: list[Row], out: Path, tmp_path: Path) -> None:
    assert name in FORMATS
    replayed(tmp_path / "out", write(tmp_path, name, rows))
    assert summary(tmp_path / "out") == summary(out)


def test_the_same_data_give_the_same_bytes(rows: list[Row], out: Path, tmp_path: Path) -> None:
    replayed(tmp_path / "out", out.parent / "day.jsonl")
    for name in FILES:
        if name != "summary.json":
            assert (tmp_path / "out" / name).read_bytes() == (out / name).read_bytes()
    assert summary(tmp_path / "out") == summary(out)


def test_a_file_in_parts_is_the_file(rows: list[Row], out: Path, tmp_path: Path) -> None:
    parts = [write(tmp_path, "day.jsonl", rows[:100]), write(tmp_path, "day.csv.gz", rows[100:])]
    replayed(tmp_path / "out", *parts)
    assert summary(tmp_path / "out") == summary(out)
    assert (tmp_path / "out" / "anomalies.jsonl").read_bytes() == (out / "anomalies.jsonl").read_bytes()


def test_the_summary_counts_what_was_read(rows: list[Row], out: Path) -> None:
    found = summary(out)
    assert found["events"]["counted"] == len(rows)
    assert found["anomalies"] == {"loop": 1}
    assert found["rejected"] == {}
    assert set(found["usd_by_kind"]) == set(COST_KINDS)
    assert Decimal(found["usd_by_kind"]["tool"]) == 20 * Decimal("0.002")


def test_anomalies_have_exactly_the_fields_of_the_contract(out: Path) -> None:
    (anomaly,) = lines(out / "anomalies.jsonl")
    assert set(anomaly) == FIELDS
    assert (anomaly["kind"], anomaly["tenant"], anomaly["scope"]["session"]) == ("loop", "acme", "runaway")


def test_an_anomaly_is_not_known_before_the_call_that_proves_it(out: Path) -> None:
    (anomaly,) = lines(out / "anomalies.jsonl")
    assert moment(anomaly["opened_at"]) == NOON + timedelta(seconds=180 + 5 * 1.5)
    assert moment(anomaly["closed_at"]) == NOON + timedelta(seconds=180 + 19 * 1.5 + 30)


def test_the_rollups_add_up_to_the_summary_to_the_last_digit(rows: list[Row], out: Path) -> None:
    rollups = [row for row in parquet.read_table(out / "rollups.parquet").to_pylist() if row["level"] == "tenant"]
    spent: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for rollup in rollups:
        assert rollup["usd"] == sum(rollup[f"usd_{kind}"] for kind in COST_KINDS)
        for kind in COST_KINDS:
            spent[rollup["tenant"]][kind] += rollup[f"usd_{kind}"]
    found = summary(out)
    said = {
        tenant: {kind: Decimal(usd) for kind, usd in split.items()} for tenant, split in found["usd_by_tenant"].items()
    }
    assert {tenant: {kind: usd for kind, usd in split.items() if usd} for tenant, split in spent.items()} == said
    assert sum(rollup["usd"] for rollup in rollups) == Decimal(found["usd"])
    given = [Decimal(row["cost_usd"]) for row in rows if row.get("cost_usd")]
    assert sum(given) == len(given) * Decimal("0.000123456789")
    for name in SUMMED:
        expected = found["events"]["unpriced"] if name == "unpriced" else sum(row.get(name, 0) for row in rows)
        assert sum(rollup[name] for rollup in rollups) == (len(rows) if name == "events" else expected)


def test_sums_of_more_digits_than_python_keeps_by_itself_are_exact_wherever_they_are_told(tmp_path: Path) -> None:
    usd, kinds = "999999999999.999999999999999", ("llm", "tool", "saas")
    rows = [
        {
            "id": f"{n}-{kind}",
            "time": NOON.isoformat(),
            "tenant": "acme",
            "use_case": "x",
            "kind": kind,
            "cost_usd": usd,
        }
        for n in range(20)
        for kind in kinds
    ]
    out = tmp_path / "out"
    replayed(out, write(tmp_path, "day.jsonl", rows))
    assert Decimal(summary(out)["usd"]) == EXACT.multiply(Decimal(usd), 60)
    (card,) = orjson.loads((out / "scorecards.json").read_bytes())
    assert Decimal(card["usd_not_tokens"]) == EXACT.multiply(Decimal(usd), 40)
    spend = Spend(Period.holding("day", NOON.date(), ZoneInfo("UTC")))
    for rollup in read(out / "rollups.parquet"):
        spend.add(rollup)
    assert spend.total(Holder("acme")) == EXACT.multiply(Decimal(usd), 60)
    ((key, found),) = spent_of(str(out / "rollups.parquet"), CONFIG.kafka).items()
    assert (key[2], found.usd) == ("acme", EXACT.multiply(Decimal(usd), 60))


def test_a_looping_session_is_answered_by_a_command_and_told(out: Path) -> None:
    (anomaly,) = lines(out / "anomalies.jsonl")
    commands = lines(out / "commands.jsonl")
    assert [command["action"] for command in commands] == ["pause", "release"]
    assert commands[0]["scope"] == {"tenant": "acme", "session": "runaway"}
    assert commands[0]["issued_at"] == anomaly["opened_at"]
    assert moment(commands[1]["issued_at"]) >= moment(anomaly["closed_at"])
    told = lines(out / "incidents.jsonl")
    assert [incident["because"] for incident in told] == ["new", "resolved"]
    for incident in told:
        assert moment(incident["at"]) >= moment(incident["opened_at"]) == moment(anomaly["opened_at"])
        assert list(incident["alerts"]) == [anomaly["id"]]
        assert not {"noted_at", "sent"} & set(incident)


def test_without_a_policy_there_is_no_command(rows: list[Row], tmp_path: Path) -> None:
    replayed(tmp_path / "out", write(tmp_path, "day.jsonl", rows), config=Config())
    assert lines(tmp_path / "out" / "commands.jsonl") == []
    assert len(lines(tmp_path / "out" / "anomalies.jsonl")) == 1


def test_what_is_found_at_the_very_end_of_the_data_is_told_all_the_same(rows: list[Row], tmp_path: Path) -> None:
    """The incident still waits for company when the data end."""
    proof = next(place for place, row in enumerate(rows) if row["id"] == "runaway-5")
    replayed(tmp_path / "out", write(tmp_path, "day.jsonl", rows[: proof + 1]))
    (anomaly,) = lines(tmp_path / "out" / "anomalies.jsonl")
    (told,) = lines(tmp_path / "out" / "incidents.jsonl")
    assert moment(told["at"]) - moment(anomaly["opened_at"]) == timedelta(seconds=2)


def test_from_and_to_bound_the_events(rows: list[Row], tmp_path: Path) -> None:
    path = write(tmp_path, "day.jsonl", rows)
    begin, end = NOON + timedelta(seconds=60), NOON + timedelta(seconds=120)
    replayed(tmp_path / "out", path, begin=begin, end=end)
    inside = [row for row in rows if begin <= moment(row["time"]) < end]
    assert summary(tmp_path / "out")["events"]["counted"] == len(inside)
    rollups = parquet.read_table(tmp_path / "out" / "rollups.parquet").to_pylist()
    assert min(rollup["start"] for rollup in rollups) == begin
    assert max(rollup["end"] for rollup in rollups) == end


@pytest.mark.parametrize("workers", [1, 2])
def test_bounds_between_which_nothing_lies_leave_what_an_earlier_replay_wrote(
    workers: int, rows: list[Row], tmp_path: Path
) -> None:
    path = write(tmp_path, "day.jsonl", rows)
    replayed(tmp_path / "out", path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(SourceUnreadable, match=r"320 events .* none between 2030-01-01 00:00:00 UTC and the end"):
        replayed(tmp_path / "out", path, begin=datetime(2030, 1, 1, tzinfo=UTC), workers=workers)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_bad_row_is_named_and_the_rest_goes_on(rows: list[Row], tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    good = [orjson.dumps(row) for row in rows[:3]]
    path.write_bytes(b"\n".join([good[0], b"nonsense", good[1], b"[%s, 7]" % good[2]]))
    said = replayed(tmp_path / "out", path)
    assert said[0].startswith(f"{path}, row 2: undecodable: ")
    assert said[1].startswith(f"{path}, row 4, item 2: wrong_type: ")
    found = summary(tmp_path / "out")
    assert (found["events"]["counted"], found["rejected"]) == (3, {"undecodable": 1, "wrong_type": 1})


def test_a_file_whose_name_is_no_text_is_named_all_the_same(rows: list[Row], tmp_path: Path) -> None:
    """With a bad row, in disorder, cut off, and beside another one of the same time."""
    odd = tmp_path / os.fsdecode(b"caf\xe9.jsonl")
    odd.write_bytes(as_jsonl([rows[5], rows[0]]) + b"nonsense\n")
    cut = tmp_path / os.fsdecode(b"z\xe9.jsonl.gz")
    cut.write_bytes(gzip.compress(as_jsonl(rows))[:-100])
    said = "\n".join(replayed(tmp_path / "out", odd, cut))
    assert said.encode().count(b"caf\\xe9.jsonl") == 3
    found = orjson.loads((tmp_path / "out" / "summary.json").read_bytes())
    assert "z\\xe9.jsonl.gz" in found["damaged"][0]
    assert sum("caf\\xe9.jsonl" in remark for remark in found["remarks"]) == 2


def test_of_many_bad_rows_the_first_ten_are_named(rows: list[Row], tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"nonsense\n" * 25 + orjson.dumps(rows[0]))
    said = replayed(tmp_path / "out", path)
    assert len([line for line in said if "undecodable" in line]) == 10
    assert "and 15 more rows rejected" in said


def test_no_events_give_empty_files(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_bytes(b"")
    said = replayed(tmp_path / "out", tmp_path / "none.jsonl")
    assert said[0] == "0 events, $0, 0 anomalies"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES
    assert parquet.read_table(tmp_path / "out" / "rollups.parquet").num_rows == 0


def test_events_in_disorder_and_twice_count_once(rows: list[Row], tmp_path: Path) -> None:
    swapped = [row for pair in zip(rows[1::2], rows[::2], strict=True) for row in pair]
    replayed(tmp_path / "out", write(tmp_path, "day.jsonl", [*swapped, *rows[-5:]]))
    found = summary(tmp_path / "out")["events"]
    assert (found["counted"], found["duplicate"]) == (len(rows), 5)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_replay_is_of_the_time_from_the_oldest_event_on_in_whatever_order_they_come(
    workers: int, rows: list[Row], tmp_path: Path
) -> None:
    replayed(tmp_path / "out", write(tmp_path, "day.jsonl", rows[::-1]), workers=workers)
    times = [moment(row["time"]) for row in rows]
    found = summary(tmp_path / "out")
    assert (moment(found["from"]), moment(found["to"])) == (min(times), max(times))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_has_no_price_is_named(workers: int, tmp_path: Path) -> None:
    rows = [
        {"id": f"e{n}", "time": NOON.isoformat(), "tenant": f"t{n}", "model": f"unheard-of-{n:02}", "input_tokens": 5}
        for n in range(12)
    ]
    said = replayed(tmp_path / "out", write(tmp_path, "day.jsonl", rows), workers=workers)
    (line,) = [line for line in said if "without a price" in line]
    assert line.startswith("events without a price, which count at 0 dollars: 12, of model /unheard-of-00, model ")
    assert line.endswith("unheard-of-09 and 2 more in summary.json")
    assert summary(tmp_path / "out")["unpriced"] == [f"model /unheard-of-{n:02}" for n in range(12)]


@pytest.mark.parametrize("workers", [1, 2])
def test_counts_that_no_column_holds_are_cut_to_the_largest_and_said(workers: int, tmp_path: Path) -> None:
    rows = [
        {"id": f"e{n}", "time": NOON.isoformat(), "tenant": "acme", "model": "m", "input_tokens": 2**53}
        for n in range(1100)
    ]
    path = write(tmp_path, "day.jsonl", [*rows, {**rows[0], "tenant": "beta"}])
    replayed(tmp_path / "out", path, workers=workers)
    remarks = orjson.loads((tmp_path / "out" / "summary.json").read_bytes())["remarks"]
    assert [remark.partition(":")[0] for remark in remarks] == ["rollups.parquet", "charges.parquet"]
    found = parquet.read_table(tmp_path / "out" / "charges.parquet").select(["tenant", "input_tokens"]).to_pylist()
    assert found == [{"tenant": "acme", "input_tokens": 2**63 - 1}, {"tenant": "beta", "input_tokens": 2**53}]
    with pytest.raises(SourceUnreadable, match="cut"):
        replayed(tmp_path / "strict", path, strict=True, workers=workers)


def test_a_long_silence_is_no_long_replay(rows: list[Row], tmp_path: Path) -> None:
    """Years between two events, and the loop before them is over."""
    late = {**rows[0], "id": "years-on", "time": datetime(2036, 1, 1, tzinfo=UTC).isoformat()}
    replayed(tmp_path / "out", write(tmp_path, "day.jsonl", [*rows[:150], late]))
    (anomaly,) = lines(tmp_path / "out" / "anomalies.jsonl")
    assert moment(anomaly["closed_at"]) < NOON + timedelta(minutes=10)
    assert [told["because"] for told in lines(tmp_path / "out" / "incidents.jsonl")] == ["new", "resolved"]


def test_a_source_that_cannot_be_read_ends_the_replay(rows: list[Row], tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable):
        replayed(tmp_path / "out", write(tmp_path, "day.jsonl", rows), tmp_path / "missing.jsonl")


FEEDBACK: Row = {
    "schema": "tidegate.feedback/1",
    "id": "f1",
    "tenant": "acme",
    "verdict": "false_alarm",
    "series": "tenant=acme/session=runaway#loop",
}


def said(rows: list[Row], seconds: float) -> list[Row]:
    """The rows with a person's word among them, in its order."""
    at = NOON + timedelta(seconds=seconds)
    word = {**FEEDBACK, "time": at.isoformat()}
    before = [row for row in rows if moment(row["time"]) <= at]
    return [*before, word, *(row for row in rows if moment(row["time"]) > at)]


def test_feedback_among_the_events_is_heeded_where_it_stands(rows: list[Row], out: Path, tmp_path: Path) -> None:
    replayed(tmp_path / "out", write(tmp_path, "day.jsonl", said(rows, 190)))
    (looped,) = lines(out / "anomalies.jsonl")
    (excused,) = lines(tmp_path / "out" / "anomalies.jsonl")
    assert (excused["id"], excused["kind"]) == (looped["id"], "loop")
    assert moment(excused["closed_at"]) == NOON + timedelta(seconds=190)
    assert moment(looped["closed_at"]) > NOON + timedelta(seconds=200)
    found = summary(tmp_path / "out")
    assert found["feedback"] == {"false_alarm": {"applied": 1}}
    assert found["events"] == summary(out)["events"]


def test_a_plan_keeps_a_replay_from_telling_of_what_it_covers(rows: list[Row], tmp_path: Path) -> None:
    plan = {"verdict": "planned", "series": "", "until": (NOON + timedelta(seconds=300)).isoformat()}
    planned = [{**row, **plan} if "verdict" in row else row for row in said(rows, 10)]
    replayed(tmp_path / "out", write(tmp_path, "day.jsonl", planned))
    assert lines(tmp_path / "out" / "anomalies.jsonl") == []


def test_what_the_worker_said_of_a_stream_with_feedback_a_replay_says_too(rows: list[Row], tmp_path: Path) -> None:
    """The worker takes runs of many records, cut anywhere; a replay takes one at a time."""
    records = said(rows, 190)
    stage = MeterStage(decoder_of(CONFIG, feedback=True), Pipeline(CONFIG), Topics.named("t."), Metrics(), 0)
    told: dict[str, Row] = {}
    for start in range(0, len(records), 37):
        part = [Fake(orjson.dumps(row)) for row in records[start : start + 37]]
        now = moment(records[min(start + 37, len(records)) - 1]["time"]).timestamp()
        for out in stage.apply(part, now):
            if out.topic == "t.anomalies":
                one = orjson.loads(out.value or b"")
                told[one["id"]] = one
    replayed(tmp_path / "out", write(tmp_path, "day.jsonl", records))
    again = lines(tmp_path / "out" / "anomalies.jsonl")
    names = FIELDS - {"usd_per_hour"}  # a replay gives the worst of it
    assert [{name: one[name] for name in names} for one in again] == [
        {name: one[name] for name in names} for one in told.values()
    ]


def test_a_replay_prices_a_span_anew_and_keeps_or_ignores_what_senders_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A correction: the same events, other prices."""
    monkeypatch.setattr(logs, "set_up", lambda _: None)  # they would keep this test's standard error
    rows = [{**row, "cost_usd": "7", "provider": "us", "model": "our-own"} for row in day() if "kind" not in row]
    source = tmp_path / "day.jsonl"
    source.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    price = "[[pricing.prices]]\nmodel = 'our-own'\ninput_mtok = '1000000'\noutput_mtok = '0'\n"
    config = tmp_path / "tidegate.toml"
    config.write_text(price)
    tokens = sum(row["input_tokens"] for row in rows)
    for given, usd in (("keep", 7 * len(rows)), ("ignore", tokens)):
        arguments = ["replay", str(source), "--config", str(config), "--out", str(tmp_path / given)]
        assert CliRunner().invoke(cli, [*arguments, "--given-costs", given]).exit_code == 0
        summary = orjson.loads((tmp_path / given / "summary.json").read_bytes())
        assert Decimal(summary["usd"]) == usd
        assert Decimal(summary["usd_given"]) == (usd if given == "keep" else 0)
        table = parquet.read_table(tmp_path / given / "rollups.parquet").to_pylist()
        assert sum(row["usd"] for row in table if row["level"] == "tenant") == usd
        assert sum(row["usd_given"] for row in table if row["level"] == "tenant") == (usd if given == "keep" else 0)


def test_a_disk_that_is_full_leaves_nothing_unfinished_and_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replayed(tmp_path / "out", source := write(tmp_path, "day.jsonl", day()))
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(outputs.Table, "close", full)
    with pytest.raises(OSError, match="No space"):
        replayed(tmp_path / "out", source)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
