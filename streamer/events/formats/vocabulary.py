"""Picks out of many attributes the few whose names say whom a span is of, so that they can be handed down a trace."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from streamer.events.formats.base import Names
from streamer.events.formats.values import find, is_given

Words = dict[str, Any]


class Vocabulary:
    """The names that are looked for, each also where a part of it leads into what is nested.

    >>> Vocabulary(["team", "meta.owner"]).of({"team": "a", "meta": {"owner": "b", "x": 1}, "y": 2})
    {'team': 'a', 'meta.owner': 'b'}
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._below: dict[str, list[str]] = {}
        for name in sorted(self._names):
            words = name.split(".")
            for length in range(1, len(words)):
                self._below.setdefault(".".join(words[:length]), []).append(name)

    def of(self, attributes: Mapping[str, Any]) -> Words:
        """Give what is there under the names of the vocabulary."""
        found: Words = {}
        for name, value in attributes.items():
            if name in self._names and is_given(value):
                found[name] = value
            for below in self._below.get(name, ()):
                if below not in found and is_given(inner := find(attributes, below)):
                    found[below] = inner
        return found


@lru_cache(maxsize=64)
def vocabulary_of(names: Names, more: tuple[str, ...] = ()) -> Vocabulary:
    """Give the vocabulary of a format's names, and `more`."""
    given = (name for field in names.__struct_fields__ for name in getattr(names, field))
    return Vocabulary((*(name.removesuffix(".*") for name in given), *more))
