"""docs/configuration.md says of every key what the code and the example file say."""

from pathlib import Path

import pytest

from streamer.reference import reference, write
from tests.streamer.test_example_config import EXAMPLE, SECTIONS, TEXT, keys_of

PAGE = EXAMPLE.parents[1] / "docs" / "configuration.md"


def test_the_page_is_as_the_code_and_the_example_make_it(tmp_path: Path) -> None:
    write(EXAMPLE, tmp_path / "page.md")
    assert (tmp_path / "page.md").read_text() == PAGE.read_text(), "run `make schemas`"


@pytest.mark.parametrize("name", [name for name in SECTIONS if name])
def test_every_key_of_a_section_has_its_row(name: str) -> None:
    section = PAGE.read_text().split(f"\n## {name}\n")[1].split("\n## ")[0]
    for key in keys_of(name):
        assert f"| `{key}` |" in section


def test_what_the_example_says_of_a_key_is_in_its_row() -> None:
    assert "| `replication` | whole number >= 1 | `1` | of every topic that is created; 3 in production |" in reference(
        TEXT
    )


def test_what_is_said_behind_a_key_may_go_on_below_it() -> None:
    page = reference(
        "[kafka]\nbootstrap = 1  # where it is,\n               # or will be\n# of the next\nreplication = 1\n"
    )
    assert "| `bootstrap` | text | `127.0.0.1:9092` | where it is, or will be |" in page
    assert "| of the next |" in page


def test_a_comment_before_a_key_is_of_the_key_and_one_before_a_section_of_the_section() -> None:
    page = reference("# All of Kafka.\n[kafka]\n# where it is\nbootstrap = 1\n")
    assert "## kafka\n\nAll of Kafka.\n" in page
    assert "| `bootstrap` | text | `127.0.0.1:9092` | where it is |" in page
