"""What the documents tell people to type is taken: every command, every piece of configuration, every record."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest

from streamer.cli.base import cli
from streamer.config import Config

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "docker" / "README.md", *(ROOT / "docs").glob("**/*.md")])
_FENCE = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
# Where one command ends and another program, or a comment, begins.
_ENDS = {"|", "&&", "||", ";", ">", "#", "<", "&"}


class Snippet(NamedTuple):
    """A fenced block of a page."""

    place: str
    language: str
    text: str


def snippets() -> Iterator[Snippet]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in _FENCE.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield Snippet(f"{page.relative_to(ROOT)}:{line}", found[1], found[2])


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each call of `tidegate` with its place, as its words."""
    for snippet in snippets():
        if snippet.language in ("", "console", "sh", "bash", "shell"):
            for line in snippet.text.replace("\\\n", " ").splitlines():
                if found := re.search(r"(?:^|\s)tidegate ((?!:).*)", line.strip().removeprefix("$ ")):
                    yield snippet.place, _words(found[1])


def _words(line: str) -> list[str]:
    words = shlex.split(line, comments=True)
    end = next((place for place, word in enumerate(words) if word in _ENDS or re.match(r"\d?[<>]", word)), len(words))
    return words[:end]


COMMANDS = [pytest.param(words, id=f"{place} {' '.join(words)[:50]}") for place, words in commands()]


def parsed(words: list[str]) -> None:
    """Parse as the command line would; nothing is run, and the files that are named need not exist."""
    context = cli.make_context("tidegate", list(words), resilient_parsing=False)
    command: click.Command = cli
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command = found
        context = command.make_context(name, rest, parent=context)


@pytest.fixture(autouse=True)
def _no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(_: click.Path, value: Any, *__: Any) -> Any:
        return Path(value)

    monkeypatch.setattr(click.Path, "convert", convert)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_of_the_documents_is_one_that_the_command_line_takes(words: list[str]) -> None:
    try:
        parsed(words)
    except click.exceptions.Exit as end:  # --help and --version
        assert end.exit_code == 0


def test_the_documents_hold_commands() -> None:
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("snippet", [pytest.param(s, id=s.place) for s in snippets() if s.language == "toml"])
def test_a_piece_of_configuration_in_the_documents_is_good(snippet: Snippet) -> None:
    values = tomllib.loads(snippet.text)
    values.setdefault("slack", {}).setdefault("token", "xoxb-a-token")
    alerts = values.get("alerts", {})
    if "receivers" not in alerts:  # a piece that shows routes alone
        names = sorted({"console", *re.findall(r'receiver = "([\w-]+)"', snippet.text)})
        alerts["receivers"] = [{"name": name, "type": "console"} for name in names]
        alerts.setdefault("hours", [{"name": "office"}])
    Config.model_validate({**values, "alerts": alerts})
