"""Writes the reference of the configuration: types and defaults from the code, words from the example file."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from streamer.config import Config

_HEAD = re.compile(r"^(?:# )?\[\[?([\w.]+)\]\]?")
_KEY = re.compile(r"^(?:# )?(\w+) = .*?(?:\s#\s(.*))?$")
_COMMENT = re.compile(r"^# ?(.*)$")
_ABOUT = """# Configuration

Every key with its type and its default. A variable of the environment wins over the file: `TIDEGATE_`, the section and
the key, with two underscores between, as in `TIDEGATE_DETECT__BURST__ENABLED`. `tidegate check-config FILE` lists every
mistake of both at once. In [the example file](../examples/tidegate.toml) all of it stands as one would write it; this
page is made of it and of the code by `make schemas`.
"""


class Words(NamedTuple):
    """What the example says of a section, and of each of its keys."""

    section: str
    keys: Mapping[str, str]


def reference(example: str) -> str:
    """Give the page, in Markdown; `example` is the text of the example file."""
    schema = Config.model_json_schema()
    said = dict(_said(example))
    pages = [_ABOUT]
    for name, found in _sections(schema, schema, ""):
        pages.append(_section(name, found, said.get(name, Words("", {})), schema))
    return "\n".join(pages)


def _sections(schema: Mapping[str, Any], root: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if name:
        yield name, schema
    for key, field in schema.get("properties", {}).items():
        if inner := _inner(field, root):
            yield from _sections(inner, root, f"{name}.{key}".removeprefix("."))


def _inner(field: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Find the section that a field holds, by itself or as a list of them."""
    for place in (field, field.get("items", {}), *field.get("anyOf", [])):
        found: Mapping[str, Any] | None = root["$defs"].get(str(place.get("$ref", "")).rpartition("/")[2])
        if found and "properties" in found:
            return found
    return None


def _section(name: str, schema: Mapping[str, Any], words: Words, root: Mapping[str, Any]) -> str:
    about = words.section or schema.get("description", "").splitlines()[0]
    rows = [
        _row(name, key, field, words, key in schema.get("required", ()))
        for key, field in schema["properties"].items()
        if not _inner(field, root)
    ]
    head = ["| key | type | default | what it is |", "|---|---|---|---|"] if rows else []
    return "\n".join([f"## {name}\n", f"{about}\n", *head, *rows, ""])


def _row(section: str, key: str, field: Mapping[str, Any], words: Words, required: bool) -> str:
    default = "required" if required else f"`{_value(field.get('default'))}`"
    said = words.keys.get(key, "").replace("|", "\\|")
    return f"| `{key}` | {_type(field)} | {default} | {said} |"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value).replace("'", '"') or '""'


def _type(field: Mapping[str, Any]) -> str:
    """Say in words what a value may be, with its bounds."""
    if "enum" in field:
        return ", ".join(f"`{choice}`" for choice in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "anyOf" in field:
        kinds = [_type(kind) for kind in field["anyOf"] if kind.get("type") != "null" and "pattern" not in kind]
        return " or ".join(dict.fromkeys(kinds))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    if field.get("type") == "object":
        return "table"
    return f"{_NAMES.get(str(field.get('type')), 'text')}{_bounds(field)}"


_NAMES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
_BOUNDS = {"exclusiveMinimum": "> {}", "minimum": ">= {}", "exclusiveMaximum": "< {}", "maximum": "<= {}"}


def _bounds(field: Mapping[str, Any]) -> str:
    return "".join(f" {words.format(field[name])}" for name, words in _BOUNDS.items() if name in field)


def _said(example: str) -> Iterator[tuple[str, Words]]:
    """Read the example's comments: those before a section's head are of the section, those behind a key of the key."""
    name, about, keys, comments = "", "", dict[str, str](), list[str]()
    for line in example.splitlines():
        if head := _HEAD.match(line):
            yield name, Words(about, keys)
            name, about, keys, comments = head[1], " ".join(comments), {}, []
        elif key := _KEY.match(line):
            keys[key[1]] = key[2] or " ".join(comments)
            comments = []
        elif comment := _COMMENT.match(line):
            comments.append(comment[1])
        else:
            comments = []
    yield name, Words(about, keys)


def write(example: Path, page: Path) -> None:
    """Write the page that belongs to the example file."""
    page.write_text(reference(example.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
