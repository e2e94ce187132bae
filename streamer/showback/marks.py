"""Which showbacks were sent."""

from collections.abc import Iterator, Mapping


class Marks:
    """The last period that each showback was sent for, so that none is sent twice, over restarts too.

    >>> marks = Marks()
    >>> marks.set("finops/day", "2026-11-22"), list(marks.changes()), marks.get("finops/day")
    (None, [('finops/day', b'2026-11-22')], '2026-11-22')
    """

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}
        self._changed: set[str] = set()

    def get(self, name: str) -> str:
        """Give the mark of a showback, empty where none was sent."""
        return self._marks.get(name, "")

    def set(self, name: str, mark: str) -> None:
        """Note that a showback was sent."""
        self._marks[name] = mark
        self._changed.add(name)

    def changes(self) -> Iterator[tuple[str, bytes]]:
        """Give what changed since the last call."""
        for name in sorted(self._changed):
            yield name, self._marks[name].encode()
        self._changed.clear()

    def restore(self, marks: Mapping[str, bytes]) -> None:
        """Take up what `changes` gave."""
        self._marks = {name: mark.decode() for name, mark in marks.items()}
