"""Several sources are one stream in the order of time, and what is wrong with any of them is said with its place."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import SourceUnreadable
from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent
from streamer.replay.items import Item, Run, joined
from streamer.replay.merge import Merge
from streamer.replay.places import expand
from streamer.replay.topic import address_of
from tests.streamer.replay.data import Row, day, lines, replayed, summary, write
from tests.streamer.samples import NOON, event

Streams = Sequence[Sequence[float | None]]
TIMES = st.lists(st.integers(0, 30).map(float), max_size=12)


def merged(streams: Streams, size: int = 3) -> list[Item]:
    """The streams in one, each read so many items at a time; None stands for a row that is no event."""
    sources = {f"s{n}": [row(n, at, place) for place, at in enumerate(times)] for n, times in enumerate(streams)}

    def opener(source: str) -> Iterator[Run]:
        items = sources[source]
        return (joined(items[begin : begin + size]) for begin in range(0, len(items), size))

    return list(chain.from_iterable(Merge(list(sources), opener)))


def row(number: int, at: float | None, place: int) -> Item:
    found = Rejected("undecodable", "") if at is None else event(f"{number}-{place}", at)
    return Item(found, f"s{number}", place + 1)


def one_by_one(streams: Streams) -> list[tuple[str, int]]:
    """What merging means: of all sources the one whose next event is oldest, and a row that is none before all."""
    waiting = {n: list(enumerate(times, 1)) for n, times in enumerate(streams)}
    found = []
    while left := [n for n in waiting if waiting[n]]:
        heads = {n: waiting[n][0][1] for n in left}
        number = min(left, key=lambda n: (-1.0 if heads[n] is None else heads[n], n))
        found.append((f"s{number}", waiting[number].pop(0)[0]))
    return found


@given(st.lists(TIMES.map(sorted), min_size=1, max_size=5))
def test_sorted_sources_merge_into_one_sorted_stream(streams: list[list[float]]) -> None:
    found = [(item.decoded.time, item.source, item.row) for item in merged(streams)]  # type: ignore[union-attr]
    assert found == sorted(found)
    assert len(found) == sum(map(len, streams))


@given(st.lists(st.lists(st.integers(0, 9).map(float) | st.none(), max_size=12), max_size=4), st.integers(1, 5))
def test_however_many_rows_are_read_at_a_time_they_merge_as_one_by_one(streams: Streams, size: int) -> None:
    found = [(item.source, item.row) for item in merged(streams, size) if isinstance(item.decoded, UsageEvent)]
    assert found == [place for place in one_by_one(streams) if streams[int(place[0][1:])][place[1] - 1] is not None]


@given(st.lists(TIMES, min_size=1, max_size=5))
def test_each_source_keeps_its_own_order_and_nothing_is_lost(streams: list[list[float]]) -> None:
    found = merged(streams)
    for n, times in enumerate(streams):
        assert [item.row for item in found if item.source == f"s{n}"] == list(range(1, len(times) + 1))


def test_a_source_is_opened_when_its_first_event_is_due_and_closed_at_its_end() -> None:
    opened: list[str] = []

    def opener(source: str) -> Iterator[Run]:
        opened.append(source)
        begin = int(source) * 100
        yield from (joined([Item(event(f"{source}-{n}", begin + n), source, n)]) for n in range(50))

    glances = {str(n): joined([Item(event(n, n * 100), str(n), 1)]) for n in range(5)}
    merge = Merge(list("43210"), opener, lambda source: iter([glances[source]]))
    seen = [(item.source, len(opened)) for run in merge for item in run]
    assert opened == list("01234")
    assert all(int(source) + 1 == many for source, many in seen)


def parts(rows: list[Row], folder: Path) -> list[Path]:
    """The day by tenant, in three files of three formats, of which two overlap."""
    folder.mkdir()
    acme = [row for row in rows if row["tenant"] == "acme"]
    beta = [row for row in rows if row["tenant"] == "beta"]
    return [
        write(folder, "day.csv.gz", acme[70:]),
        write(folder, "day.parquet", beta),
        write(folder, "day.jsonl", acme[:70]),
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], Path]:
    rows = sorted(day(), key=lambda row: datetime.fromisoformat(row["time"]))
    folder = tmp_path_factory.mktemp("whole")
    replayed(folder / "out", write(folder, "day.jsonl", rows))
    return rows, folder / "out"


@pytest.mark.parametrize("word", ["", "*", "**/day.*"])
def test_a_folder_or_a_pattern_is_all_of_its_files(word: str, whole: tuple[list[Row], Path], tmp_path: Path) -> None:
    parts(whole[0], tmp_path / "in")
    replayed(tmp_path / "out", tmp_path / "in" / word)
    assert summary(tmp_path / "out") == summary(whole[1])
    assert (tmp_path / "out" / "anomalies.jsonl").read_bytes() == (whole[1] / "anomalies.jsonl").read_bytes()


def test_overlaps_are_said_and_are_no_fault(whole: tuple[list[Row], Path], tmp_path: Path) -> None:
    said = replayed(tmp_path / "out", *parts(whole[0], tmp_path / "in"), strict=True)
    assert said[0].startswith("sources overlap in time, and were merged: ")


def test_a_folder_leaves_out_what_is_no_data(tmp_path: Path) -> None:
    for name in ("a.jsonl", "deep/b.csv.gz", "_archive/c.jsonl", ".d.jsonl", "notes.txt", "deep/_e.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert expand([str(tmp_path)]) == [str(tmp_path / "a.jsonl"), str(tmp_path / "deep/b.csv.gz")]


@pytest.mark.parametrize("word", ["", "*.csv", "none", "none/**"])
def test_words_that_name_nothing_are_refused(word: str, tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable):
        expand([str(tmp_path / word)])


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "day[1].jsonl"
    path.touch()
    assert expand([str(path)]) == [str(path)]


def test_disorder_is_said_with_row_and_extent(whole: tuple[list[Row], Path], tmp_path: Path) -> None:
    rows = whole[0][:50]
    said = replayed(tmp_path / "out", write(tmp_path, "day.jsonl", [*rows[10:], *rows[:10]]))
    assert f"{tmp_path / 'day.jsonl'}: not in the order of time: 10 events are older than one before them" in said[0]
    assert "the first in row 41, by up to 98.0 s" in said[0]


def test_a_damaged_source_among_others_is_said_and_the_rest_goes_on(
    whole: tuple[list[Row], Path], tmp_path: Path
) -> None:
    broken = write(tmp_path, "day.jsonl.gz", whole[0][:100])
    broken.write_bytes(broken.read_bytes()[:-30])
    said = replayed(tmp_path / "out", broken, write(tmp_path, "day.csv", whole[0][100:]))
    assert said[0].startswith(f"{broken}, row ")
    assert "cannot be read from here on" in said[0]
    found = summary(tmp_path / "out")
    assert len(whole[0]) > found["events"]["counted"] >= len(whole[0]) - 100
    assert found["damaged"] == [said[0]]


def test_sources_of_nothing_but_damage_are_an_error_and_what_was_there_stays(tmp_path: Path) -> None:
    replayed(tmp_path / "out", write(tmp_path, "day.jsonl", day()[:9]))
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    broken = write(tmp_path, "day.parquet", day())
    broken.write_bytes(broken.read_bytes()[:-30])
    (tmp_path / "bad.jsonl").write_bytes(b"nonsense\n" * 30)
    with pytest.raises(SourceUnreadable) as raised:
        replayed(tmp_path / "out", broken, tmp_path / "bad.jsonl")
    said = str(raised.value).splitlines()
    assert said[0].startswith(f"{broken}, row 1: cannot be read from here on: ")
    assert said[1].startswith(f"{tmp_path / 'bad.jsonl'}, row 1: undecodable")
    assert said[-2:] == ["and 20 more rows rejected", "no event at all could be read"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_of_many_faults_of_a_kind_the_first_are_said_and_the_summary_has_all(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in", "day.jsonl", day()[:9])
    for number in range(14):
        (tmp_path / "in" / f"{number:02}.parquet").write_bytes(b"PAR1")
    said = replayed(tmp_path / "out", tmp_path / "in")
    assert [line for line in said if "cannot be read" in line][-1] == (
        "and 4 more sources that cannot be read to their end"
    )
    assert len(summary(tmp_path / "out")["damaged"]) == 14


LATE = {**day()[0], "id": "next-year", "time": "2027-11-22T12:00:00Z"}


def test_an_event_of_next_year_is_said_with_its_row_and_moves_no_clock(
    whole: tuple[list[Row], Path], tmp_path: Path
) -> None:
    rows = [*whole[0][:20], LATE, *whole[0][20:]]
    for name in ("day.jsonl", "day.parquet", "day.csv"):
        said = replayed(tmp_path / "out", write(tmp_path, name, rows), now=NOON.timestamp() + 86_400)
        assert said[0].startswith(f"{tmp_path / name}, row 21: impossible_time: ")
        assert (tmp_path / "out" / "anomalies.jsonl").read_bytes() == (whole[1] / "anomalies.jsonl").read_bytes()


@pytest.mark.parametrize("fault", ["row", "damage", "disorder"])
def test_strict_stops_at_the_first_fault_and_leaves_what_was_there(
    fault: str, whole: tuple[list[Row], Path], tmp_path: Path
) -> None:
    out, good = tmp_path / "out", whole[0][:30]
    replayed(out, write(tmp_path, "day.jsonl", good))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    path = write(tmp_path, "day.jsonl", [good[1], good[0]] if fault == "disorder" else good)
    if fault == "row":
        path.write_bytes(path.read_bytes() + b"nonsense\n")
    if fault == "damage":
        path = write(tmp_path, "day.jsonl.gz", good)
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceUnreadable, match=r"day\.jsonl"):
        replayed(out, path, strict=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_bound_of_a_topic_is_an_offset_or_a_time() -> None:
    assert address_of("kafka://b:9092/t")[:2] == ("b:9092", "t")
    bounds = address_of("kafka://b:9092/t?from=5&to=2026-11-22T12:00:00%2B02:00")[2]
    assert bounds == (5, datetime(2026, 11, 22, 10, tzinfo=UTC))
    plus = address_of("kafka://b:9092/t?from=2026-11-22T12:00:00+02:00")[2]
    assert plus.begin == NOON - timedelta(hours=2)
    for wrong in ("kafka://b:9092/t?from=soon", "kafka://b:9092/t?since=5", "kafka://b:9092/?from=1"):
        with pytest.raises(SourceUnreadable, match="a topic is written"):
            address_of(wrong)


def test_the_place_of_a_row_in_a_batch_is_said(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"[%s, 7]" % orjson.dumps(day()[0]))
    assert replayed(tmp_path / "out", path)[0].startswith(f"{path}, row 1, item 2: wrong_type: ")
    assert lines(tmp_path / "out" / "anomalies.jsonl") == []
