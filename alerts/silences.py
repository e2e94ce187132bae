"""Silences and planned activity: what people do not want to hear of, until when, and who said so."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Literal

import msgspec

from alerts.alert import Label

# So many hold at once; beyond, those that end first give way.
MOST_SILENCES = 1_000


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts like `match`, of `incident` alone if that is given, are not told until `until` (epoch seconds).

    Of what is *planned*, only what goes on is held back: that it is over is told. Of what is *muted*, nothing is.
    """

    match: dict[Label, str]
    incident: str = ""
    until: float
    kind: Literal["mute", "planned"] = "mute"
    by: str = ""
    at: datetime

    @property
    def id(self) -> str:
        """Name what it is about: a later word about the same takes its place."""
        about = "\x00".join((self.kind, self.incident, *(f"{name}={self.match[name]}" for name in sorted(self.match))))
        return blake2b(about.encode(), digest_size=8).hexdigest()

    def covers(self, labels: Mapping[Label, str], incident: str = "") -> bool:
        """Tell whether it is about these labels, in this incident."""
        return self.incident in ("", incident) and all(labels.get(name) == value for name, value in self.match.items())


class Silences:
    """All silences that hold, or held a moment ago."""

    def __init__(self) -> None:
        self._known: dict[str, Silence] = {}
        self._dirty: set[str] = set()

    def add(self, silence: Silence) -> None:
        """Let a silence hold; it takes the place of an earlier one about the same."""
        self._known[silence.id] = silence
        self._dirty.add(silence.id)
        if len(self._known) > MOST_SILENCES:
            self._drop(min(self._known.values(), key=lambda known: known.until).id)

    def covering(self, labels: Mapping[Label, str], now: float, incident: str = "") -> Silence | None:
        """Find the silence that covers these labels for longest, at `now` (epoch seconds)."""
        found = [one for one in self._known.values() if one.until > now and one.covers(labels, incident)]
        return max(found, key=lambda one: (one.kind == "mute", one.until), default=None)

    def active(self, now: float) -> list[Silence]:
        """List those that hold, the one that ends first at the front."""
        return sorted((one for one in self._known.values() if one.until > now), key=lambda one: (one.until, one.id))

    @property
    def due(self) -> float:
        """The moment (epoch seconds) at which the first of them is over; infinite without any."""
        return min((one.until for one in self._known.values()), default=float("inf"))

    def tick(self, now: float) -> None:
        """Forget those that are over."""
        for name in [name for name, one in self._known.items() if one.until <= now]:
            self._drop(name)

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the silences that changed since the last call, by id, written down; None for dropped ones."""
        for name in sorted(self._dirty):
            found = self._known.get(name)
            yield name, msgspec.msgpack.encode(found) if found else None
        self._dirty.clear()

    def restore(self, silences: Mapping[str, bytes]) -> None:
        """Take up the silences that `changes` gave."""
        self._known = {name: msgspec.msgpack.decode(state, type=Silence) for name, state in sorted(silences.items())}

    def _drop(self, name: str) -> None:
        del self._known[name]
        self._dirty.add(name)
