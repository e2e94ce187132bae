"""Reads the owners' file: CSV or TOML, a rule a line or table, the first that fits holds."""

import csv
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from alerts.alert import TAG
from alerts.owners import OwnerRule
from streamer.errors import ConfigInvalid

# What a rule asks for, as patterns, beside tags of the events (`tag:team`); all other columns but these and the owner's
# own are tags that the rule gives.
_ASKED = ("tenant", "use_case", "agent")
_OWN = ("owner", "channel", "email")
# How they would be spelt by somebody else, and how they are.
_KNOWN = {name.replace("_", ""): name for name in (*_ASKED, *_OWN)}
_SEPARATORS = ",;\t"


def read_owners(path: Path) -> list[OwnerRule]:
    """Read the rules of a file, `.csv` or `.toml`; raises ConfigInvalid with all mistakes.

    In CSV every further column is a tag of that name, in TOML the table `tags` holds them.
    """
    mistakes: list[str] = []
    rules = []
    for place, fields, tags in _rows(path):
        wrong = _mistake_of_tags(tags) or _mistake(fields)
        if wrong:
            mistakes.append(f"{path}, {place}: {wrong}")
        else:
            rules.append(_rule(fields, f"{path}, {place}"))
    if mistakes:
        raise ConfigInvalid(mistakes)
    return rules


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any], Iterable[str]]]:
    """Give each rule's place, its fields, and the names of those among them that are said to be tags."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".toml":
            for number, table in enumerate(_tables(tomllib.loads(text)), 1):
                tags = table.get("tags", {})
                fields = {name: one for name, one in table.items() if name != "tags"}
                yield f"owners {number}", {**fields, **tags}, tags
        elif path.suffix == ".csv":
            yield from ((place, row, ()) for place, row in _lines(text))
        else:
            raise ConfigInvalid([f"{path}: the owners' file must be .csv or .toml"])
    except FileNotFoundError:
        raise ConfigInvalid([f"{path}: there is no such file"]) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, csv.Error, AttributeError, TypeError) as error:
        raise ConfigInvalid([f"{path}: not readable as {path.suffix[1:].upper()}: {error}"]) from None


def _tables(found: Mapping[str, Any]) -> Any:
    if "owners" not in found:
        raise TypeError("there is no [[owners]] in it")
    return found["owners"]


def _lines(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read CSV as spreadsheets write it, with commas, semicolons or tabs; raises csv.Error for a head that is none."""
    head, *rest = text.splitlines() or [""]
    separator = max(_SEPARATORS, key=head.count)
    names = [name.strip() for name in next(csv.reader([head], delimiter=separator, strict=True), [])]
    if mistake := _mistake_of_head(names):
        raise csv.Error(mistake)
    rows = csv.DictReader(rest, names, delimiter=separator, strict=True)
    yield from ((f"line {rows.line_num + 1}", row) for row in rows)


def _mistake_of_head(names: Sequence[str]) -> str:
    """Say why columns of these names lead to no owner, "" if they do; all names but the known ones are tags."""
    if twice := next((name for place, name in enumerate(names) if name and name in names[:place]), ""):
        return f"the first line names the column {twice!r} twice"
    if mistake := _misspelt(names):
        return mistake
    if all(_is_asked(name) for name in names):
        return "the first line names no column for the owner"
    return "" if any(_is_asked(name) for name in names) else f"the first line names none of {', '.join(_ASKED)}, {TAG}…"


def _misspelt(names: Iterable[str]) -> str:
    """Say which name would be taken for a tag's though it is nearly a known one: `Tenant`, `usecase`."""
    for name in names:
        meant = _KNOWN.get(re.sub(r"[\s_-]", "", name).lower(), name)
        if meant != name:
            return f"{name!r} is a tag; if {meant!r} is meant, spell it so"
    return ""


def _mistake_of_tags(names: Iterable[str]) -> str:
    """Say which tag would take the place of what the rule asks for, or of its owner."""
    taken = next((name for name in names if _is_asked(name) or name in _OWN), "")
    return f"a tag cannot be called {taken!r}" if taken else ""


def _mistake(fields: Mapping[str, Any]) -> str:
    if None in fields or any(value is None for value in fields.values()):
        return "not as many fields as the first line has columns"
    if mistake := _misspelt(fields):
        return mistake
    strange = [name for name, value in fields.items() if not isinstance(value, str)]
    if strange:
        return f"{', '.join(strange)} must be text"
    if not any(value for name, value in fields.items() if not _is_asked(name)):
        return "names neither an owner nor a tag"
    return ""


def _rule(fields: Mapping[str, str], origin: str) -> OwnerRule:
    known = {name: value.strip() for name, value in fields.items()}
    return OwnerRule(
        # What is left empty, or is a star alone, asks for nothing.
        match={name: value for name, value in known.items() if _is_asked(name) and value not in ("", "*")},
        tags={name: value for name, value in known.items() if value and not _is_asked(name) and name not in _OWN},
        origin=origin,
        **{name: known.get(name, "") for name in _OWN},
    )


def _is_asked(name: str) -> bool:
    return name in _ASKED or name.startswith(TAG)
