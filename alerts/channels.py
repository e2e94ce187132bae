"""Which receivers take nothing, since when, and whether people were told: so that each is told of once."""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import msgspec

State = Literal["dead", "back"]


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver that fails `since` (epoch seconds), and why; `told` that it is dead; working again since `until`."""

    since: float
    why: str
    told: bool = False
    until: float | None = None


class Report(NamedTuple):
    """What people are to be told of a receiver, by way of another one."""

    receiver: str
    state: State
    failing: Failing


class Channels:
    """The receivers that fail. What is due stays so until it was `said`, so that a crash forgets nothing."""

    def __init__(self) -> None:
        self._failing: dict[str, Failing] = {}
        self._changed: set[str] = set()

    def failed(self, receiver: str, why: str, now: float) -> None:
        """Note that a receiver failed at `now` (epoch seconds)."""
        known = self._failing.get(receiver)
        if known is None:
            self._put(receiver, Failing(since=now, why=why))
        elif known.until is not None:
            # It was back for so short a time that nobody was told.
            self._put(receiver, msgspec.structs.replace(known, until=None))

    def worked(self, receiver: str, now: float) -> None:
        """Note that a receiver took something at `now` (epoch seconds)."""
        known = self._failing.get(receiver)
        if known is None or known.until is not None:
            return
        self._put(receiver, msgspec.structs.replace(known, until=now) if known.told else None)

    def due(self, dead_after: float, now: float) -> Iterator[Report]:
        """Give what is to be told at `now`: who has failed for `dead_after` seconds, and who is back."""
        for receiver, known in list(self._failing.items()):
            if known.until is not None:
                yield Report(receiver, "back", known)
            elif not known.told and now - known.since >= dead_after:
                yield Report(receiver, "dead", known)

    def said(self, report: Report) -> None:
        """Note that people were told."""
        known = self._failing.get(report.receiver)
        if known is None or known.since != report.failing.since:
            return
        if report.state == "dead":
            self._put(report.receiver, msgspec.structs.replace(known, told=True))
        elif known.until is not None:
            self._put(report.receiver, None)
        else:
            # It failed again while this was said: people think that it works.
            self._put(report.receiver, msgspec.structs.replace(known, told=False))

    def __contains__(self, receiver: object) -> bool:
        return receiver in self._failing and self._failing[str(receiver)].until is None

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the receivers that changed since the last call, written down; None for those that work."""
        for name in sorted(self._changed):
            known = self._failing.get(name)
            yield name, msgspec.msgpack.encode(known) if known else None
        self._changed.clear()

    def restore(self, failing: Mapping[str, bytes]) -> None:
        """Take up what `changes` gave."""
        self._failing = {name: msgspec.msgpack.decode(state, type=Failing) for name, state in sorted(failing.items())}

    def _put(self, receiver: str, failing: Failing | None) -> None:
        if failing is None:
            self._failing.pop(receiver, None)
        else:
            self._failing[receiver] = failing
        self._changed.add(receiver)
