"""Writes the reference of the configuration: types and defaults from the code, words from the example file."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from streamer.config import Config

_HEAD = re.compile(r"^(?:# )?\[\[?([\w.]+)\]\]?")
_KEY = re.compile(r"^(?:# )?(\w+) = .*?(?:\s#\s(.*))?$")
# What goes on below what is said behind a key.
_FURTHER = re.compile(r"^\s+# (.*)$")
_COMMENT = re.compile(r"^# ?(.*)$")
_ABOUT = """# Configuration

Every key with its type and its default. A variable of the environment wins over the file: `TIDEGATE_`, the section and
the key, with two underscores between, as in `TIDEGATE_DETECT__BURST__ENABLED`; lists are JSON, or an entry that the
file has by its place from 0, as in `TIDEGATE_ALERTS__RECEIVERS__0__SECRET`. `tidegate check-config FILE` lists every
mistake of both at once. In [the example file](../examples/tidegate.toml) all of it stands as one would write it; this
page is made of it and of the code by `make schemas`.
"""


Schema = Mapping[str, Any]


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
        pages.append(_section(name, found, _words(said, name), schema))
    return "\n".join(pages)


def _words(said: Mapping[str, Words], name: str) -> Words:
    """Find what is said of a section; of one that stands for several of a mapping, what is said of any."""
    if not name.endswith(".*"):
        return said.get(name, Words("", {}))
    several = [words for known, words in said.items() if f"{known.rpartition('.')[0]}.*" == name]
    keys = {key: said for words in reversed(several) for key, said in words.keys.items()}
    return Words(next((words.section for words in several), ""), keys)


def _sections(
    schema: Schema, root: Schema, name: str, above: frozenset[str] = frozenset()
) -> Iterator[tuple[str, Schema]]:
    """Give all sections by their dotted names; of one that holds others of its kind, the outermost."""
    if name:
        yield name, schema
    for key, field in schema.get("properties", {}).items():
        kind, star = _kind_of(field, root)
        if kind and kind not in above:
            inner = f"{name}.{key}{star}".removeprefix(".")
            yield from _sections(root["$defs"][kind], root, inner, above | {kind})


def _kind_of(field: Schema, root: Schema) -> tuple[str, str]:
    """Name the section that a field holds, by itself, as a list, or in a mapping (then with ".*"); "" if none."""
    mapped = field.get("additionalProperties", {})
    places = (field, field.get("items", {}), *field.get("anyOf", []), mapped if isinstance(mapped, dict) else {})
    for place in places:
        kind = str(place.get("$ref", "")).rpartition("/")[2]
        if "properties" in root["$defs"].get(kind, {}):
            return kind, ".*" if place is mapped else ""
    return "", ""


def _section(name: str, schema: Schema, words: Words, root: Schema) -> str:
    about = words.section or schema.get("description", "").splitlines()[0]
    rows = [
        _row(name, key, field, words, key in schema.get("required", ()))
        for key, field in schema["properties"].items()
        if _kind_of(field, root)[0] in ("", schema.get("title"))
    ]
    head = ["| key | type | default | what it is |", "|---|---|---|---|"] if rows else []
    return "\n".join([f"## {name}\n", f"{about}\n", *head, *rows, ""])


def _row(section: str, key: str, field: Schema, words: Words, required: bool) -> str:
    default = "required" if required else f"`{_value(field.get('default'))}`"
    said = words.keys.get(key, "").replace("|", "\\|")
    return f"| `{key}` | {_type(field)} | {default} | {said} |"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value).replace("'", '"') or '""'


def _type(field: Schema) -> str:
    """Say in words what a value may be, with its bounds."""
    if "enum" in field:
        return ", ".join(f"`{choice}`" for choice in field["enum"])
    if "anyOf" in field:
        kinds = [_type(kind) for kind in field["anyOf"] if kind.get("type") != "null" and "pattern" not in kind]
        return " or ".join(dict.fromkeys(kinds))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    if "$ref" in field or field.get("type") == "object":
        return "table"
    return f"{_NAMES.get(str(field.get('type')), 'text')}{_bounds(field)}"


_NAMES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
_BOUNDS = {"exclusiveMinimum": "> {}", "minimum": ">= {}", "exclusiveMaximum": "< {}", "maximum": "<= {}"}


def _bounds(field: Schema) -> str:
    return "".join(f" {words.format(field[name])}" for name, words in _BOUNDS.items() if name in field)


def _said(example: str) -> Iterator[tuple[str, Words]]:
    """Read the example's comments: those before a section's head are of the section, those behind a key of the key."""
    name, about, keys, comments, latest = "", "", dict[str, str](), list[str](), ""
    for line in example.splitlines():
        if latest and (further := _FURTHER.match(line)):
            keys[latest] += f" {further[1]}"
            continue
        latest = ""
        if head := _HEAD.match(line):
            yield name, Words(about, keys)
            name, about, keys, comments = head[1], " ".join(comments), {}, []
        elif key := _KEY.match(line):
            keys[key[1]] = key[2] or " ".join(comments)
            latest = key[1] if key[2] else ""
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
