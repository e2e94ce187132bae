"""An archive holds each record once, whenever its writer dies."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from streamer.archive.store import Head, Store, folder_of
from streamer.errors import ArchiveUnusable

Death = Literal["", "before the head", "before the moves", "among the moves"]
DEATHS: tuple[Death, ...] = ("", "before the head", "before the moves", "among the moves")


class Died(Exception):
    pass


class Mortal(Store):
    """A store whose process dies at a point of its next commit."""

    def __init__(self, folder: Path, death: Death) -> None:
        super().__init__(folder, "usage")
        self._death = death

    def _put(self, head: Head) -> None:
        if self._death == "before the head":
            raise Died
        super()._put(head)

    def _publish(self) -> None:
        death = getattr(self, "_death", "")
        if death == "before the moves":
            raise Died
        if death == "among the moves":
            staged, path = next(iter(self._head.files.items()))
            (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self._staging / staged).replace(self._folder / path)
            raise Died
        super()._publish()


def tables(first: int, count: int) -> dict[Path, pa.Table]:
    """Records `first` and so many after it, of two tenants in turn."""
    numbers = range(first, first + count)
    return {
        folder_of("usage", "2026-11-22", tenant): pa.table({"number": [n for n in numbers if n % 2 == place]})
        for place, tenant in enumerate(("even", "odd"))
    }


def held(folder: Path) -> Counter[int]:
    return Counter(
        number
        for path in folder.glob("usage/**/*.parquet")
        for number in parquet.read_table(path, partitioning=None)["number"].to_pylist()
    )


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from(DEATHS)), max_size=6))
def test_each_record_is_there_once_whenever_the_writer_died(commits: list[tuple[int, Death]]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        for count, death in [*commits, (1, "")]:
            with Mortal(folder, death) as store:
                first = store.positions.get(0, 0)
                try:
                    store.commit(tables(first, count), {0: first + count})
                except Died:
                    continue
        with Store(folder, "usage") as store:
            assert held(folder) == Counter(range(store.positions[0]))
        assert not list(folder.glob("_archive/staging/*"))


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    with Store(tmp_path, "usage"), pytest.raises(ArchiveUnusable, match="another process"):
        Store(tmp_path, "usage")
    Store(tmp_path, "usage").__exit__(None, None, None)


def test_an_archive_is_of_one_topic(tmp_path: Path) -> None:
    with Store(tmp_path, "usage") as store:
        store.commit(tables(0, 2), {0: 2})
    with pytest.raises(ArchiveUnusable, match="archive of usage, not of rollups"):
        Store(tmp_path, "rollups")


def test_a_damaged_head_is_said(tmp_path: Path) -> None:
    (tmp_path / "_archive").mkdir()
    (tmp_path / "_archive" / "head.json").write_bytes(b"{")
    with pytest.raises(ArchiveUnusable, match="damaged"):
        Store(tmp_path, "usage")


@pytest.mark.parametrize("tenant", ["../../etc", "a/b", "a=b", "", "é" * 256, "..", "a\nb"])
def test_no_tenant_s_name_leaves_its_day(tenant: str, tmp_path: Path) -> None:
    folder = (tmp_path / folder_of("usage", "2026-11-22", tenant)).resolve()
    assert folder.parent == (tmp_path / "usage" / "day=2026-11-22").resolve()
    folder.mkdir(parents=True)
