"""Names that have to be known again after a restart, such as those of alerts that were let go."""

from collections.abc import Iterator, Mapping


class Remembered:
    """At most `most` names, the oldest forgotten first; `prefix` marks their entries in the state.

    >>> names = Remembered("word/", most=2)
    >>> names.add("a"), names.add("a"), names.add("b"), names.add("c"), "a" in names
    (True, False, True, True, False)
    >>> list(names.changes())
    [('word/a', None), ('word/b', b'2'), ('word/c', b'3')]
    """

    def __init__(self, prefix: str, most: int) -> None:
        self._prefix, self._most = prefix, most
        self._names: dict[str, int] = {}
        self._dirty: set[str] = set()
        self._count = 0

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, name: str) -> bool:
        """Remember a name; False if it was known."""
        if name in self._names:
            return False
        self._count += 1
        self._names[name] = self._count
        self._dirty.add(name)
        if len(self._names) > self._most:
            self.drop(next(iter(self._names)))
        return True

    def drop(self, name: str) -> None:
        """Forget a name."""
        if self._names.pop(name, None) is not None:
            self._dirty.add(name)

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the entries that changed since the last call; None for what was forgotten."""
        for name in sorted(self._dirty):
            place = self._names.get(name)
            yield f"{self._prefix}{name}", str(place).encode() if place else None
        self._dirty.clear()

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take up those of the entries that are its own."""
        own = {key: int(place) for key, place in entries.items() if key.startswith(self._prefix)}
        self._names = {key.removeprefix(self._prefix): place for key, place in sorted(own.items(), key=_place)}
        self._count = max(self._names.values(), default=0)


def _place(entry: tuple[str, int]) -> int:
    return entry[1]
