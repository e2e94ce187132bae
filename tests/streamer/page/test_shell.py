"""The page's own files: nothing inline, nothing from elsewhere, no text that becomes markup."""

import re
from html.parser import HTMLParser

import pytest

from streamer.page.shell import shell

FILES = {name: file.body.decode() for name, file in shell().items()}
OURS = {name: text for name, text in FILES.items() if not name.startswith("uPlot")}
SCRIPTS = [name for name in OURS if name.endswith(".js")]
# What would turn text into markup or code; the CSP forbids it too.
DANGEROUS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc|on\w+=[\"']"
)


class Tags(HTMLParser):
    """The tags of a document with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


TAGS = Tags(FILES["index.html"]).found


def test_nothing_of_the_document_is_inline() -> None:
    names = {name for _, attributes in TAGS for name in attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}
    assert all("src" in attributes for tag, attributes in TAGS if tag == "script")
    assert "style" not in {tag for tag, _ in TAGS}


@pytest.mark.parametrize("name", OURS)
def test_nothing_is_fetched_from_elsewhere(name: str) -> None:
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", FILES[name])


@pytest.mark.parametrize("name", SCRIPTS)
def test_text_never_becomes_markup(name: str) -> None:
    assert not DANGEROUS.findall(FILES[name])


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_asks_for_is_there(name: str) -> None:
    asked = re.findall(r"/static/([\w.-]+)", FILES[name])
    assert [one for one in asked if one not in FILES] == []


def test_the_charts_library_is_as_it_was_published_with_its_licence() -> None:
    assert "(v1.6.32)" in FILES["uPlot.esm.js"][:400]
    assert FILES["uPlot.LICENSE.txt"].startswith("The MIT License")


def test_the_document_names_its_language_and_every_control() -> None:
    assert dict(TAGS)["html"] == {"lang": "en"}
    labelled = {attributes.get("for") for tag, attributes in TAGS if tag == "label"}
    inputs = [attributes for tag, attributes in TAGS if tag == "input"]
    assert {one["id"] for one in inputs} <= labelled
