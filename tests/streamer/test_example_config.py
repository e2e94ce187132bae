"""examples/tidegate.toml is the reference of the configuration: every key is in it, with its default."""

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_origin

import pytest
from pydantic import BaseModel

from streamer.config import Config, Section
from streamer.settings import load

EXAMPLE = Path(__file__).parents[2] / "examples" / "tidegate.toml"
TEXT = EXAMPLE.read_text(encoding="utf-8")
# A key as it stands, or commented out.
KEY = re.compile(r"^(?:# )?(\w+) = ", re.MULTILINE)
HEAD = re.compile(r"^(?:# )?\[\[?([\w.]+)\]\]?", re.MULTILINE)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TIDEGATE_") or name == "SLACK_BOT_TOKEN":
            monkeypatch.delenv(name)


def sections(
    model: type[BaseModel], name: str = "", above: frozenset[type] = frozenset()
) -> Iterator[tuple[str, type[BaseModel]]]:
    """Every section of the configuration with its dotted name; of one that holds others of its kind, the outermost."""
    yield name, model
    for key, info in model.model_fields.items():
        # The sections of a mapping have names of their own, which "*" stands for.
        field = f"{key}.*" if get_origin(info.annotation) is dict else key
        kinds = (info.annotation, *get_args(info.annotation))
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, Section) and kind not in above | {model}:
                yield from sections(kind, f"{name}.{field}".removeprefix("."), above | {model})


SECTIONS = dict(sections(Config))


def written() -> dict[str, set[str]]:
    """The keys of each section of the file, commented out or not."""
    parts = HEAD.split(TEXT)
    found: dict[str, set[str]] = {}
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        above = f"{name.rpartition('.')[0]}.*"
        found.setdefault(above if above in SECTIONS else name, set()).update(KEY.findall(text))
    return found


def test_the_example_is_the_defaults() -> None:
    example, defaults = load(EXAMPLE), load(None)
    for name in Config.model_fields:
        assert getattr(example, name) == getattr(defaults, name), name


def keys_of(name: str) -> set[str]:
    """The keys of a section that are no sections themselves."""
    plain = [inner.removesuffix(".*") for inner in SECTIONS]
    inner = {found.rpartition(".")[2] for found in plain if found.rpartition(".")[0] == name}
    return {info.alias or field for field, info in SECTIONS[name].model_fields.items()} - inner


@pytest.mark.parametrize("name", [name for name in SECTIONS if name])
def test_every_key_of_a_section_is_in_the_example_and_no_other(name: str) -> None:
    assert written().get(name, set()) == keys_of(name)


def test_the_example_has_no_section_that_is_not_read() -> None:
    assert set(written()) <= set(SECTIONS)


def test_what_is_commented_out_can_be_used_as_it_stands() -> None:
    lines = [line.removeprefix("# ") if HEAD.match(line) or KEY.match(line) else line for line in TEXT.splitlines()]
    everything = re.sub(r'receiver = "acme-\w+"', 'receiver = "console"', "\n".join(lines))
    assert everything != TEXT
    config = Config.model_validate(tomllib.loads(everything))
    assert config.budgets
    assert config.throttle.policies
    assert len(config.alerts.routes) == 2
    assert len(config.pricing.prices) == 8
    assert len(config.pricing.exchange_rates) == 1
