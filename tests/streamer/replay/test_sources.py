"""Every format that replay reads gives the same events, and what cannot be read says so with its place."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import Config
from streamer.errors import SourceUnreadable
from streamer.events.decoder import Decoder
from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent
from streamer.replay.items import Damage
from streamer.replay.places import expand
from streamer.replay.sources import read
from tests.streamer.replay.data import FORMATS, Row, as_csv, as_jsonl, day, write, zst


def items(path: Path) -> list[tuple[UsageEvent | Rejected | Damage, int]]:
    return [(item.decoded, item.row) for run in read(str(path), Decoder(), Config()) for item in run]


def damage(path: Path) -> tuple[str, int]:
    """What is said of a file that cannot be read to its end, and of which row."""
    *_, (last, row) = items(path)
    assert isinstance(last, Damage)
    return last.detail, row


def rejections(path: Path) -> list[tuple[str, int]]:
    return [(decoded.reason, row) for decoded, row in items(path) if isinstance(decoded, Rejected)]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return day()


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_events(name: str, rows: list[Row], tmp_path: Path) -> None:
    expected = [event for event, _ in items(write(tmp_path, "day.jsonl", rows))]
    assert all(isinstance(event, UsageEvent) for event in expected)
    assert len(expected) == len(rows)
    assert [event for event, _ in items(write(tmp_path, name, rows))] == expected


@pytest.mark.parametrize("name", FORMATS)
def test_a_name_in_capitals_is_that_of_the_same_format(name: str, rows: list[Row], tmp_path: Path) -> None:
    expected = [event for event, _ in items(write(tmp_path, name, rows))]
    loud = (tmp_path / name).rename(tmp_path / name.upper())
    assert expand([str(tmp_path)]) == [str(loud)]
    assert [event for event, _ in items(loud)] == expected


@pytest.mark.parametrize("name", ["day.jsonl.gz", "day.jsonl.zst", "day.csv.zst", "day.parquet", "day.parquet.gz"])
def test_of_a_file_that_breaks_off_it_is_said_and_what_came_before_is_kept(
    name: str, rows: list[Row], tmp_path: Path
) -> None:
    path = write(tmp_path, name, rows)
    path.write_bytes(path.read_bytes()[:-40])
    detail, row = damage(path)
    assert detail
    # Nothing can be had of a Parquet file without its foot.
    assert (row > 1) == (not name.startswith("day.parquet"))


@pytest.mark.parametrize("name", ["day.jsonl.gz", "day.jsonl.zst", "day.parquet"])
def test_a_damaged_file_ends_with_its_damage(name: str, rows: list[Row], tmp_path: Path) -> None:
    path = write(tmp_path, name, rows)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(255 - byte for byte in content[len(content) // 2 :])
    path.write_bytes(content)
    assert damage(path)[0]


def test_what_came_before_the_damage_is_given(rows: list[Row], tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl.gz"
    path.write_bytes(gzip.compress(as_jsonl(rows * 20))[:-100])
    found = items(path)
    good = [row for decoded, row in found if isinstance(decoded, UsageEvent)]
    assert good == list(range(1, len(good) + 1))
    assert len(good) > 5 * len(rows)
    assert found[-1][1] > len(good)


@pytest.mark.parametrize("name", ["day.txt", "day", "day.gz", "day.xlsx.gz"])
def test_an_unknown_ending_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"{}")
    assert "not a .jsonl" in damage(tmp_path / name)[0]


@pytest.mark.parametrize("name", ["day.jsonl", "day.csv.gz", "day.json.zst", "day.parquet"])
def test_a_missing_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match=name):
        expand([str(tmp_path / name)])


def test_a_topic_needs_a_broker_and_a_name() -> None:
    for source in ("kafka://broker:9092", "kafka:///topic"):
        with pytest.raises(SourceUnreadable, match="kafka://host:port/topic"):
            list(read(source, Decoder(), Config()))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"id":"1"}\nnot JSON\n\n{"id":"2"}\n', [("unknown_format", 1), ("undecodable", 2), ("unknown_format", 4)]),
        (b"\xff\xfe\n", [("undecodable", 1)]),
    ],
)
def test_a_bad_line_is_named_by_its_number(content: bytes, expected: list[tuple[str, int]], tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_bytes(content)
    assert rejections(tmp_path / "bad.jsonl") == expected


def test_bad_rows_of_a_table_are_named_and_the_rest_is_read(rows: list[Row], tmp_path: Path) -> None:
    path = write(tmp_path, "day.csv", [rows[0], {**rows[1], "steps": "many"}, {**rows[2], "tenant": ""}, rows[3]])
    assert rejections(path) == [("wrong_type", 2), ("missing_tenant", 3)]
    assert len(items(path)) == 4


def test_a_row_with_more_cells_than_the_head_is_rejected(rows: list[Row], tmp_path: Path) -> None:
    path = tmp_path / "shifted.csv"
    table = as_csv(rows[:3]).splitlines()
    path.write_bytes(b"\n".join([*table[:2], table[2] + b",one too many", table[3]]))
    assert rejections(path) == [("wrong_type", 2)]
    assert len(items(path)) == 3


def test_a_row_with_fewer_cells_than_the_head_is_rejected(rows: list[Row], tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    table = as_csv(rows[:3]).splitlines()
    path.write_bytes(b"\n".join([*table[:2], table[2].rpartition(b",")[0], table[3]]))
    assert rejections(path) == [("wrong_type", 2)]
    assert len(items(path)) == 3


@given(st.data())
def test_of_a_table_that_breaks_off_nothing_is_read_that_it_did_not_hold(data: st.DataObject) -> None:
    """But for its very last cell, of which nobody can tell whether it is whole."""
    rows = day()[:4]
    whole = as_csv([{**row, "zone": "eu"} for row in rows])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cut.csv"
        path.write_bytes(whole)
        expected = [decoded for decoded, _ in items(path)]
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
        found = items(path)
    events = [decoded for decoded, _ in found if isinstance(decoded, UsageEvent)]
    assert events == expected[: len(events)]
    assert len(found) - len(events) <= 1


@given(place=st.integers(2, 5), others=st.booleans())
def test_a_stray_quote_is_said_and_takes_no_row_away_silently(place: int, others: bool) -> None:
    table = b"".join(b"%d,2026-11-22T12:00:00Z,acme,support\n" % number for number in range(1, 7))
    lines = (b"id,time,tenant,use_case\n" + table).splitlines(keepends=True)
    lines[place] = lines[place].replace(b"support", b'"support')
    if others:
        lines[place + 1] = lines[place + 1].replace(b"support", b'"support')
    with TemporaryDirectory() as folder:
        path = Path(folder) / "stray.csv"
        path.write_bytes(b"".join(lines))
        assert [row for decoded, row in items(path) if isinstance(decoded, UsageEvent)] == list(range(1, place))
        assert damage(path)[1] == place


@given(place=st.integers(1, 300), odd=st.sampled_from([b"caf\xe9", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80"]))
def test_a_byte_that_is_no_utf_8_costs_its_own_row_alone(place: int, odd: bytes) -> None:
    lines = [b"id,time,tenant,use_case", *(b"%d,2026-11-22T12:00:00Z,acme,support" % n for n in range(1, 301))]
    lines[place] = lines[place].replace(b"support", odd)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "latin.csv"
        path.write_bytes(b"\n".join(lines))
        found = items(path)
    assert [row for decoded, row in found if not isinstance(decoded, UsageEvent)] == [place]
    assert [decoded.reason for decoded, _ in found if isinstance(decoded, Rejected)] == ["undecodable"]
    assert len(found) == 300


def test_a_head_that_is_no_utf_8_makes_the_file_unreadable(rows: list[Row], tmp_path: Path) -> None:
    (tmp_path / "day.csv").write_bytes(as_csv(rows[:2]).decode().encode("utf-16"))
    assert damage(tmp_path / "day.csv") == ("the head is not UTF-8", 1)


def test_a_cell_whose_json_no_writer_takes_costs_its_own_row_alone(tmp_path: Path) -> None:
    rows = b"".join(b"%d,2026-11-22T12:00:00Z,acme,%b\n" % (n, b"[" * n + b"]" * n) for n in (1, 500))
    (tmp_path / "deep.csv").write_bytes(b"id,time,tenant,tags\n" + rows)
    assert rejections(tmp_path / "deep.csv") == [("wrong_type", 1), ("undecodable", 2)]


def test_a_head_that_names_a_column_twice_is_refused_for_nobody_knows_which_one_is_meant(tmp_path: Path) -> None:
    (tmp_path / "day.csv").write_bytes(b"id,time,tenant,tenant\na,2026-11-22T12:00:00Z,acme,beta\n")
    assert damage(tmp_path / "day.csv")[0] == "the head names a column twice: 'tenant'"


@pytest.mark.parametrize("name", ["day.jsonl", "day.jsonl.gz", "day.json"])
def test_a_byte_order_mark_is_passed_over(name: str, rows: list[Row], tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + as_jsonl(rows[:1])
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    ((event, _),) = items(tmp_path / name)
    assert isinstance(event, UsageEvent)


def test_a_cell_that_no_reader_takes_makes_the_file_unreadable(rows: list[Row], tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_bytes(as_csv([{**rows[0], "user": "x" * 200_000}]))
    assert "field" in damage(path)[0]


def test_a_table_without_events_has_none(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(as_csv(day()[:1]).splitlines()[0])
    assert items(tmp_path / "a.csv") == []


def test_an_empty_file_has_no_events(tmp_path: Path) -> None:
    for name, content in (
        ("a.jsonl", b""),
        ("a.csv", b""),
        ("a.jsonl.gz", gzip.compress(b"")),
        ("a.jsonl.zst", zst(b"")),
    ):
        (tmp_path / name).write_bytes(content)
        assert items(tmp_path / name) == []


def test_files_of_older_and_newer_versions_are_read_alike(rows: list[Row], tmp_path: Path) -> None:
    """An older one lacks columns, a newer one has some that nobody here knows."""
    known = ("id", "time", "tenant", "use_case", "input_tokens", "kind")
    old = [{name: row[name] for name in known if name in row} for row in rows]
    expected = [event for event, _ in items(write(tmp_path, "day.jsonl", old))]
    assert all(isinstance(event, UsageEvent) for event in expected)
    assert [event for event, _ in items(write(tmp_path, "day.parquet", old))] == expected
    new = [{**row, "colour": "red"} for row in old]
    for name in ("day.parquet", "day.csv", "day.jsonl"):
        assert [event for event, _ in items(write(tmp_path, name, new))] == expected
