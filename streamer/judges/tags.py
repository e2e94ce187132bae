"""Which tags a tenant's use cases and agents carry, by their latest events: whose they are, in which environment."""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping

import msgspec

from streamer.records import Scope

# So many agents are known, the latest to show other tags; and no value is longer.
_MOST, _LONGEST = 5_000, 256
_Holder = tuple[str, str]


class Tags:
    """The tags by these `names`. What is asked of a whole is what all of its parts that carry the tag agree in.

    >>> from datetime import UTC, datetime
    >>> tags = Tags(["team"])
    >>> tags.note("support", "triage", {"team": "blue", "run": "7"}), tags.note("support", "writer", {"team": "red"})
    (None, None)
    >>> tags.of(Scope("support", "triage")), tags.of(Scope("support"))
    ({'team': 'blue'}, {})
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        #: The tags that are looked for.
        self.names = frozenset(names)
        self._of: OrderedDict[_Holder, dict[str, str]] = OrderedDict()
        self._changed = False

    def note(self, use_case: str, agent: str, tags: Mapping[str, str]) -> None:
        """Take in what an event carries; a tag that it leaves out stays as it was."""
        holder = use_case, agent
        known = self._of.get(holder, {})
        found = {name: value for name in self.names if (value := tags.get(name)) and len(value) <= _LONGEST}
        if found and known | found != known:
            self._of[holder] = known | found
            self._of.move_to_end(holder)
            self._changed = True
            if len(self._of) > _MOST:
                self._of.popitem(last=False)

    def of(self, scope: Scope) -> dict[str, str]:
        """Give the tags of a part of the tenant, in order of their names."""
        within = [
            tags
            for (use_case, agent), tags in self._of.items()
            if scope.use_case in ("", use_case) and scope.agent in ("", agent)
        ]
        values = {name: {tags[name] for tags in within if name in tags} for name in sorted(self.names)}
        return {name: found.pop() for name, found in values.items() if len(found) == 1}

    def changes(self) -> Iterator[tuple[str, bytes]]:
        """Write all down if it changed since the last call."""
        if self._changed:
            yield "", msgspec.msgpack.encode(list(self._of.items()))
        self._changed = False

    def restore(self, written: bytes) -> None:
        """Take up what `changes` gave."""
        self._of = OrderedDict(msgspec.msgpack.decode(written, type=list[tuple[_Holder, dict[str, str]]]))
