"""What really happened: labels that people (or a generator) gave, against which anomalies are held."""

import codecs
import csv
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, get_args

import msgspec
import orjson
from msgspec import Meta

from streamer.errors import SourceUnreadable
from streamer.events.rejected import rejected_by
from streamer.records import Anomaly, AnomalyKind, Rollup

_PARTS = ("use_case", "agent", "session")
_KINDS = get_args(AnomalyKind)
_Instant = Annotated[datetime, Meta(tz=True)]


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an alarm is wanted for: from `start` to `end`, in a part of a tenant; empty fields mean all of it.

    Without a `kind` an alarm of any kind has the right name.
    """

    tenant: Annotated[str, Meta(min_length=1)]
    start: _Instant
    end: _Instant
    kind: AnomalyKind | None = None
    use_case: str = ""
    agent: str = ""
    session: str = ""

    def concerns(self, case: Anomaly) -> bool:
        """Tell whether an anomaly can be about it: a whole has to do with its parts, one part not with another.

        Anomalies of budgets and labels of budgets have to do with each other alone.
        """
        if case.tenant != self.tenant or (case.kind == "budget") != (self.kind == "budget"):
            return False
        pairs = ((getattr(self, name), getattr(case.scope, name)) for name in _PARTS)
        return all("" in pair or pair[0] == pair[1] for pair in pairs)

    def holds(self, rollup: Rollup) -> bool:
        """Tell whether a window is that of the part that is labelled, and of nothing more or less."""
        level = "session" if self.session else "agent" if self.agent else "use_case" if self.use_case else "tenant"
        if rollup.tenant != self.tenant or rollup.level != level:
            return False
        scope = rollup.scope
        if level == "session":
            return scope.session == self.session
        return (scope.use_case, scope.agent) == (self.use_case, self.agent)


_NAMES = Label.__struct_fields__


def read_labels(path: Path) -> list[Label]:
    """Read labels from `.csv` (with a head) or JSON lines; raises SourceUnreadable with file and row."""
    labels = []
    for row, fields in _rows(path):
        # A name that is misspelt would make a label of a use case one of the whole tenant.
        if unknown := [str(name or "(none)") for name in fields if name not in _NAMES]:
            raise SourceUnreadable(f"{path}, row {row}: no label has {', '.join(unknown)}; it has {', '.join(_NAMES)}")
        if (kind := fields.get("kind")) and kind not in _KINDS:
            raise SourceUnreadable(f"{path}, row {row}: there is no kind {kind}; the kinds are {', '.join(_KINDS)}")
        try:
            label = msgspec.convert({name: value for name, value in fields.items() if value}, Label)
        except msgspec.ValidationError as error:
            raise SourceUnreadable(f"{path}, row {row}: {rejected_by(error).detail}") from None
        if label.end <= label.start:
            raise SourceUnreadable(f"{path}, row {row}: end is not after start")
        labels.append(label)
    return sorted(labels, key=lambda label: (label.start, label.tenant))


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        if path.suffix.lower() == ".csv":
            with path.open(newline="", encoding="utf-8-sig") as lines:
                yield from enumerate(csv.DictReader(lines), 2)
            return
        for row, line in enumerate(path.read_bytes().removeprefix(codecs.BOM_UTF8).splitlines(), 1):
            if line.strip():
                fields = orjson.loads(line)
                yield row, fields if isinstance(fields, dict) else {}
    except (csv.Error, UnicodeDecodeError, orjson.JSONDecodeError) as error:
        raise SourceUnreadable(f"{path}: not readable as {path.suffix or 'JSON lines'}: {error}") from error
