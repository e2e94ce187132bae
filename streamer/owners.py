"""Reads the owners' file: CSV or TOML, a rule a line or table, the first that fits holds."""

import csv
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alerts.alert import TAG
from alerts.owners import OwnerRule
from streamer.errors import ConfigInvalid

# What a rule asks for, as patterns, beside tags of the events (`tag:team`); all other columns but these and the owner's
# own are tags that the rule gives.
_ASKED = ("tenant", "use_case", "agent")
_OWN = ("owner", "channel", "email")


def read_owners(path: Path) -> list[OwnerRule]:
    """Read the rules of a file, `.csv` or `.toml`; raises ConfigInvalid with all mistakes.

    In CSV every further column is a tag of that name, in TOML the table `tags` holds them.
    """
    mistakes: list[str] = []
    rules = []
    for place, fields in _rows(path):
        wrong = _mistake(fields)
        if wrong:
            mistakes.append(f"{path}, {place}: {wrong}")
        else:
            rules.append(_rule(fields, f"{path}, {place}"))
    if mistakes:
        raise ConfigInvalid(mistakes)
    return rules


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".toml":
            for number, table in enumerate(tomllib.loads(text).get("owners", []), 1):
                tags = table.get("tags", {})
                yield f"owners {number}", {**{name: one for name, one in table.items() if name != "tags"}, **tags}
        elif path.suffix == ".csv":
            rows = csv.DictReader(text.splitlines(), strict=True)
            yield from ((f"line {rows.line_num}", row) for row in rows)
        else:
            raise ConfigInvalid([f"{path}: the owners' file must be .csv or .toml"])
    except FileNotFoundError:
        raise ConfigInvalid([f"{path}: there is no such file"]) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, csv.Error, AttributeError, TypeError) as error:
        raise ConfigInvalid([f"{path}: not readable as {path.suffix[1:].upper()}: {error}"]) from None


def _mistake(fields: Mapping[str, Any]) -> str:
    if None in fields or any(value is None for value in fields.values()):
        return "not as many fields as the first line has columns"
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
