"""Which spans of a batch count: each call once, however many spans tell of it.

Spans of one call are told by their place in the trace, and by the id of the response where they are of no common trace:

- A model's span below a model's span is the same call, seen by a wrapper and by what it wraps, or by a client and its
  gateway. The innermost that reports usage counts; where none does, the innermost. A span of a tool or an agent
  between the two makes them two calls.
- A span of an agent or a workflow repeats what lies below it, which may be in other batches. It counts only where
  its agent is known to run elsewhere (by configuration), it reports usage, and nothing below it does.
- A tool's span below one of the same tool is the same call; the outermost counts, for it knows the arguments. So is a
  query of a vector database below a retrieval.
- Calls of tools in a model's answer have spans of their own, where the batch has any of tools in that trace.
- Of model spans with the same response id, of different services or instrumentations, those of one count; where the
  id looks like one that other answers have too, of one trace only.

Spans of one call in different batches get one id, so that the meter drops the second: see `Family.id_of`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from streamer.events.formats.identity import identity_of, is_unique
from streamer.events.formats.spans import Attributes, Span
from streamer.events.formats.vocabulary import Vocabulary, Words

Role = Literal["model", "tool", "agent", "vector", "other"]
# Traces nest some ten deep; a longer way up, or a circle, is not followed to its end.
_MOST_ANCESTORS = 64
_MOST_RESOURCES = 8


class Sight(NamedTuple):
    """A span with what has to be known of it: role, tool, whether it reports usage and cost, the id of its response.

    `elsewhere` are calls that another source tells of, `remote` calls of agents that run elsewhere, by configuration.
    """

    span: Span
    role: Role
    tool: str
    has_usage: bool
    has_cost: bool
    response: str
    elsewhere: bool = False
    remote: bool = False


class Family:
    """The spans of a batch, each with its ancestors; says which of them count and whose words hold for them."""

    def __init__(self, sights: Sequence[Sight], vocabulary: Vocabulary) -> None:
        self._sights, self._vocabulary = sights, vocabulary
        self._words: dict[int, Words] = {}
        self._resources: dict[int, Words] = {}
        self._by_key = {sight.span.key: sight for sight in sights if sight.span.id}
        self._traces_with_tools = {sight.span.trace for sight in sights if sight.role == "tool"}
        self._repeated: set[int] = set()
        self._twins: dict[int, list[Sight]] = {}
        for sight in sights:
            self._mark_ancestors(sight)
        for sight in sights:
            self._mark_itself(sight)
        self._mark_twins()

    def counts(self, sight: Sight) -> bool:
        """Tell whether a span's usage, or call of a tool, is to be counted."""
        if sight.role == "agent":
            return sight.has_usage and sight.remote and id(sight) not in self._repeated
        return sight.role != "other" and id(sight) not in self._repeated

    def counts_answered_calls(self, sight: Sight) -> bool:
        """Tell whether the tools that a model's answer asks for are to be counted with it."""
        return sight.span.trace not in self._traces_with_tools

    def id_of(self, sight: Sight) -> str:
        """Give the id of what a span counts: that of the call where it can be told, else that of the span.

        A call is told by its trace and the id of its response. Only spans that report usage are named so: one without
        would else take the place of one with it.
        """
        trace, response = sight.span.trace, sight.response
        is_told = sight.role == "model" and sight.has_usage and (trace, response) not in self._reused
        if is_told and is_unique(response):
            return f"{trace}-{identity_of({'response': response})}"
        return f"{trace}-{sight.span.id}"

    def ancestors(self, sight: Sight) -> Iterator[Sight]:
        """Give the spans above one, the nearest first, as far as they are in the batch."""
        for _ in range(_MOST_ANCESTORS):
            above = self._by_key.get((sight.span.trace, sight.span.parent))
            if above is None or above is sight:
                return
            yield above
            sight = above

    def words(self, sight: Sight) -> Words:
        """Give what says whom a span is of: its own words before those above it, its twin's, then those of resources.

        The resource of who called comes before that of who was called: a client's before its gateway's.
        """
        above = list(self.ancestors(sight))
        twins = self._twins.get(id(sight), [])
        callers = [other for other in reversed(above) if other.role == "model"]
        resources = {id(one.span.resource): one.span.resource for one in (*twins, *callers, sight, *above)}
        found: Words = {}
        for resource in reversed(list(resources.values())[:_MOST_RESOURCES]):
            found |= self._said_by(resource)
        for twin in twins:
            found |= self._handed_down(twin)
        return found | self._handed_down(sight)

    def _said_by(self, resource: Attributes) -> Words:
        if id(resource) not in self._resources:
            self._resources[id(resource)] = self._vocabulary.of(resource)
        return self._resources[id(resource)]

    def _handed_down(self, sight: Sight) -> Words:
        """A span's own words and those of the spans above it, the nearest first; each span is looked at once."""
        way: dict[int, Sight] = {}
        at: Sight | None = sight
        while at is not None and id(at) not in self._words and id(at) not in way:
            way[id(at)] = at
            at = self._by_key.get((at.span.trace, at.span.parent))
        words = self._words.get(id(at), {})
        for number, one in reversed(way.items()):
            own = self._vocabulary.of(one.span.attributes)
            words = self._words[number] = {**words, **own} if own else words
        return words

    def _mark_ancestors(self, sight: Sight) -> None:
        """Mark what repeats this span's usage."""
        if sight.role not in ("model", "agent"):
            return
        same_call = sight.role == "model"
        for above in self.ancestors(sight):
            if (above.role == "agent" and sight.has_usage) or (
                above.role == "model" and same_call and (sight.has_usage or not above.has_usage)
            ):
                self._repeated.add(id(above))
            same_call = same_call and above.role not in ("agent", "tool")

    def _mark_itself(self, sight: Sight) -> None:
        """Mark this span where one above it tells of the same call and knows more."""
        for above in self.ancestors(sight):
            same_tool = sight.role == above.role and sight.role in ("tool", "vector") and sight.tool == above.tool
            known_above = sight.role == above.role == "model" and above.has_usage and not sight.has_usage
            if same_tool or (known_above and id(above) not in self._repeated):
                self._repeated.add(id(sight))
            if above.role in ("agent", "tool"):
                return

    def _mark_twins(self) -> None:
        groups: dict[tuple[str, str], list[Sight]] = {}
        for sight in self._sights:
            if sight.role == "model" and sight.response and id(sight) not in self._repeated:
                trace = "" if is_unique(sight.response) else sight.span.trace
                groups.setdefault((trace, sight.response), []).append(sight)
        for group in groups.values():
            self._mark_group(group)
        self._reused = {call for group in groups.values() for call in self._told_again(group)}

    def _told_again(self, group: list[Sight]) -> Iterator[tuple[str, str]]:
        """Give the calls, by trace and response, that one teller tells more than once: no id tells these apart."""
        told = Counter((sight.span.trace, sight.response) for sight in group if id(sight) not in self._repeated)
        return (call for call, count in told.items() if count > 1)

    def _mark_group(self, group: list[Sight]) -> None:
        teller = _teller(min(group, key=lambda sight: (sight.elsewhere, not sight.has_cost)))
        others = [sight for sight in group if _teller(sight) != teller]
        for sight in group:
            if others and _teller(sight) == teller:
                self._twins[id(sight)] = others[:1]
        self._repeated.update(map(id, others))


def _teller(sight: Sight) -> tuple[str, str]:
    resource: Mapping[str, object] = sight.span.resource
    return sight.span.scope, str(resource.get("service.name", ""))
